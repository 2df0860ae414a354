#pragma once

// What the harness asks of an engine: token ids in, continuation + routing + timing out. One of the
// five seams. Torch-free, so that everything outside engine/ builds without LibTorch.
//
//   std::unique_ptr<Generator> engine = make_generator({.model = "models/demo", .device = "cpu"});
//   engine->set_mode("fa-ssa:local=256");
//   Result r = engine->generate({.ids = ids, .max_new_tokens = 32});
//
// Routing convention everywhere in the program: 1 = sparse, 0 = full (the checkpoint's class 1 =
// full is turned round once, in the router). MSR, ESR and density are
// defined in engine/attention/sparsity.h.

#include <array>
#include <cstdint>
#include <exception>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace elastic::engine {

struct Sampling {
  double temperature = 0;  // 0 = greedy
  double top_p = 1;
  std::int64_t top_k = 0;  // 0 = all
  std::uint64_t seed = 42;
};

struct Request {
  std::vector<std::int32_t> ids;  // the whole prompt, BOS included
  std::int64_t max_new_tokens = 32;
  Sampling sampling;
  std::vector<std::string> stop;  // generation ends where one of these appears in the text
  std::vector<std::int32_t>
      stop_ids;  // extra end tokens of this request (besides the checkpoint's EOS)
  std::int64_t min_new_tokens =
      0;  // until then no token ends the answer: EOS and stop_ids are barred
  bool ignore_eos = false;
  bool all_logits = false;     // logits of every prompt row, not only the last
  bool hidden_states = false;  // hidden.{layer} of every prompt row
};

/// Effective sparsity, three variants (elastic_attention spec 5.2):
/// pruned share of tokens, 0 for full heads.
struct Esr {
  double last_query = 0;  // last layer, last prompt position
  double last_layer = 0;  // last layer, over the causal area
  double all_layers = 0;  // all layers, over the causal area
};

struct Trace {
  std::vector<std::string> routing;  // per layer one character per KV head, '1' = sparse
  // [layer][kv head] = {sparse logit, full logit}; empty where no router decided.
  std::vector<std::vector<std::array<float, 2>>> router_logits;
  double msr = 0;  // share of (layer, KV head) pairs in the sparse mode
  // Share of all pairs whose mode left no key out, since the prompt was too short for it.
  double fallback_share = 0;
  Esr esr;
  double block_density = 1;  // visited blocks / causal blocks over all layers and heads, prefill
  // Computed / causal tiles of the heads whose kernel passes over some, prefill; of skip-softmax.
  std::optional<double> pv_density;
  // Bytes that decode steps read of K, V and what selects among them / dense bytes; none without a
  // step.
  std::optional<double> read_share;
};

struct Timing {             // milliseconds; device-synchronised ends
  double prefill_ms = 0;    // the whole prompt up to and including the logits of the last row
  double router_ms = 0;     // part of prefill
  double select_ms = 0;     // block estimation and selection (XA); part of prefill
  double attention_ms = 0;  // part of prefill, without router and selection
  double ttft_ms = 0;       // until the first token is known
  double decode_ms = 0;     // all tokens after the first: the steps that made them
};

/// fp32 tensor handed out for --logits: name, shape, row-major values.
struct NamedTensor {
  std::string name;
  std::vector<std::int64_t> shape;
  std::vector<float> values;
};

enum class Finish { kEos, kStop, kLength };

struct Result {
  std::vector<std::int32_t> ids;  // the continuation only; includes the EOS when one was produced
  std::string text;  // decoded continuation, specials dropped; empty without a tokenizer
  Finish finish = Finish::kLength;
  Trace trace;
  Timing timing;
  std::int64_t peak_bytes = 0;  // peak of allocated bytes: GPU, all in use; CPU, the request's own
  std::int64_t kv_bytes = 0;    // K/V cache at the end
  std::int64_t kv_bytes_full = 0;    // the same had every head kept every token
  std::optional<double> joules;      // of the GPU, prompt to answer; of a request that ran alone
  std::int64_t batch = 1;            // most sequences that took a step together with this one
  std::vector<NamedTensor> tensors;  // "logits" [rows, vocab], "hidden.{layer}" [rows, hidden]
};

/// What one layer's router reads and what its task MLP makes of it: [heads_kv * head_dim] each.
struct RouterFeatures {
  std::vector<float> pooled_keys, task;
};

struct ModelInfo {
  std::string name;    // model_name() of the folder (hub_cache.h); with an adapter BASE+ADAPTER
  std::string family;  // "llama", "qwen3"
  std::int64_t layers = 0, heads_q = 0, heads_kv = 0, head_dim = 0, hidden = 0, vocab = 0;
  std::int64_t max_positions = 0;
  std::int64_t parameters = 0;
  bool has_router = false;
  bool has_tokenizer = false;  // without one, results have no text
  std::string weights_sha256;  // over the weight files, in name order
  std::string config_sha256;
  std::string router_sha256, router_config_sha256;  // of an adapter's two files; empty without
};

/// Requests in flight: where they come from and where what becomes of them goes.
struct RequestStream {
  /// The next request, or nothing when there is no other; then it is not asked again. May call
  /// set_mode() for this request and those after it.
  std::function<std::optional<Request>()> next;
  /// Of request `number`, counted from 0 in the order of next(): its result, or what it threw. In
  /// any order.
  std::function<void(std::int64_t number, std::variant<Result, std::exception_ptr> outcome)> done;
};

class Generator {
 public:
  virtual ~Generator() = default;

  virtual const ModelInfo& model() const = 0;

  /// "cpu" or the accelerator's name, and "fp32" / "bf16": what really runs.
  virtual std::string device() const = 0;
  virtual std::string dtype() const = 0;

  /// `fa`, `ssa`, `fa-ssa`, `ssa:sink=128,local=2048` ...; throws kInvalidArgument for an unknown
  /// name or option and kUnsupported where the checkpoint lacks what the mode needs (a router).
  virtual void set_mode(std::string_view mode) = 0;

  /// The mode with every option that changes results spelt out, for the run record.
  virtual std::string mode() const = 0;

  /// Together as far as memory allows; results in the order of the requests and equal to batch 1.
  /// Throws kOutOfMemory (naming bytes) when an allocation is refused, kDevice when the device
  /// failed and can run nothing more, kNonFinite where logits are NaN or infinite, kInvalidArgument
  /// for ids outside the vocabulary or an empty prompt.
  virtual std::vector<Result> generate(std::span<const Request> requests) {
    return generate(requests, std::ssize(requests));
  }

  /// The same with at most `most` in flight.
  std::vector<Result> generate(std::span<const Request> requests, std::int64_t most);

  /// Up to `most` requests in flight together, a new one as soon as there is room for it; results
  /// are those of generate(). Throws kDevice, and what the stream's functions throw.
  virtual void generate(const RequestStream& stream, std::int64_t most) = 0;

  /// Of the first `layers` layers under the current mode; the prompt goes no further than it must.
  /// Throws kUnsupported where the mode has no router, the others as generate().
  virtual std::vector<RouterFeatures> router_features(std::span<const std::int32_t> ids,
                                                      std::int64_t layers) = 0;

  /// Of every layer and query head, [layers][heads_q]: the attention mass that the prompt's last
  /// position puts on the tokens at `needle` under full attention, whatever the current mode
  /// (engine/attention/retrieval_score.h). Throws kInvalidArgument for positions outside the
  /// prompt, the others as generate().
  virtual std::vector<std::vector<float>> retrieval_scores(
      std::span<const std::int32_t> ids, std::span<const std::int64_t> needle) = 0;

  Result generate(const Request& request) {
    return std::move(generate(std::span(&request, 1)).front());
  }
};

}  // namespace elastic::engine
