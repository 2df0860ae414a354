#include "engine/generate/torch_generator.h"

#include <ATen/ops/cat.h>
#include <c10/core/InferenceMode.h>
#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "engine/api/mode_list.h"
#include "engine/attention/sparsity.h"
#include "engine/device/device_errors.h"
#include "engine/device/memory_meter.h"
#include "engine/generate/sampler.h"
#include "engine/generate/stop_matcher.h"
#include "engine/router/router.h"

namespace elastic::engine {
namespace {

// fp32 values of a small tensor or of rows of a large one, on the CPU. Widened where they are: a
// GPU run leaves the CPU's threads asleep.
std::vector<float> to_floats(const at::Tensor& tensor) {
  const at::Tensor values = tensor.to(at::kFloat).contiguous().to(at::kCPU);
  const float* data = values.const_data_ptr<float>();
  return {data, data + values.numel()};
}

NamedTensor named(std::string name, const at::Tensor& tensor) {
  return {std::move(name), tensor.sizes().vec(), to_floats(tensor)};
}

// Logits of every row, a slice of rows at a time: the model-dtype copy never exists whole.
NamedTensor all_logits(const Decoder& decoder, const at::Tensor& x) {
  constexpr std::int64_t kRows = 1024;
  NamedTensor out{"logits", {x.size(0), decoder.config().vocab}, {}};
  out.values.reserve(static_cast<std::size_t>(x.size(0) * decoder.config().vocab));
  for (std::int64_t start = 0; start < x.size(0); start += kRows) {
    const std::vector<float> part =
        to_floats(decoder.logits(x.narrow(0, start, std::min(kRows, x.size(0) - start))));
    out.values.insert(out.values.end(), part.begin(), part.end());
  }
  return out;
}

Trace make_trace(const Sequence& sequence) {
  Trace trace;
  for (const HeadDecision& decision : sequence.decisions) {
    std::string row;
    for (const std::uint8_t sparse : decision.is_sparse) row += sparse != 0 ? '1' : '0';
    trace.routing.push_back(std::move(row));
    if (!decision.router_logits.empty()) trace.router_logits.push_back(decision.router_logits);
  }
  sequence.sparsity.fill(trace);
  return trace;
}

// Runs `body` without gradients and with LibTorch's errors as ours.
template <typename Body>
auto on_device(at::Device device, const Body& body) {
  return with_device_errors(device.str(), [&body] {
    const c10::InferenceMode no_gradients;
    return body();
  });
}

// The logits with every token barred that would end the answer.
std::vector<float> without_ends(std::span<const float> logits, const Request& request,
                                const std::vector<std::int32_t>& eos) {
  std::vector<float> barred(logits.begin(), logits.end());
  for (const auto* ids : {&eos, &request.stop_ids}) {
    for (const std::int32_t id : *ids) {
      if (id >= 0 && static_cast<std::size_t>(id) < barred.size()) {
        barred[static_cast<std::size_t>(id)] = -std::numeric_limits<float>::infinity();
      }
    }
  }
  return barred;
}

}  // namespace

struct TorchGenerator::Running {
  const Request* request = nullptr;
  Sequence sequence;
  Result result;
  SplitMix64 stream;
  StopMatcher stop;
  bool done = false;
  std::int64_t prompt_tokens = 0;
};

TorchGenerator::TorchGenerator(Decoder decoder, std::shared_ptr<const Tokenizer> tokenizer,
                               ModelInfo info)
    : decoder_(std::move(decoder)), tokenizer_(std::move(tokenizer)), info_(std::move(info)) {
  const ModelConfig& config = decoder_.config();
  info_.family = config.family;
  info_.layers = config.layers;
  info_.heads_q = config.heads_q;
  info_.heads_kv = config.heads_kv;
  info_.head_dim = config.head_dim;
  info_.hidden = config.hidden;
  info_.vocab = config.vocab;
  info_.max_positions = config.max_positions;
  info_.parameters = decoder_.weights().parameters;
  info_.has_router = !decoder_.weights().routers.empty();
  info_.has_tokenizer = tokenizer_ != nullptr;
  set_mode(kDenseMode);
}

std::string TorchGenerator::device() const {
  return decoder_.device().is_cpu() ? "cpu" : decoder_.device().str();
}

std::string TorchGenerator::dtype() const {
  return decoder_.dtype() == at::kFloat ? "fp32" : "bf16";
}

PlanContext plan_context(const ModelConfig& config) {
  PlanContext context;
  context.layers = config.layers;
  context.heads_q = config.heads_q;
  context.heads_kv = config.heads_kv;
  context.sink = config.routing.sink_size;
  context.local = config.routing.local_window_size;
  context.toggle_type = config.routing.toggle_type;
  context.retrieval_mode = config.routing.retrieval_mode;
  context.sparse_mode = config.routing.sparse_mode;
  return context;
}

void TorchGenerator::set_mode(std::string_view mode) {
  PlanContext context = plan_context(decoder_.config());
  context.routers = decoder_.weights().routers;
  plan_ = make_attention_plan(mode, context);
  if (!plan_.note.empty() && said_.insert(plan_.note).second) log_info(plan_.note);
}

void TorchGenerator::check_request(const Request& request) const {
  if (request.ids.empty())
    throw Error(ErrorKind::kInvalidArgument, "the prompt is empty: no token ids");
  for (const std::int32_t id : request.ids) {
    if (id < 0 || id >= info_.vocab) {
      throw Error(
          ErrorKind::kInvalidArgument,
          fmt::format("token id {} lies outside the model's vocabulary of {}", id, info_.vocab));
    }
  }
  if (request.max_new_tokens < 0) {
    throw Error(ErrorKind::kInvalidArgument,
                fmt::format("max_new_tokens is {}", request.max_new_tokens));
  }
  check_sampling(request.sampling);
  // The last new token is never fed back, so it needs no position.
  const auto last = static_cast<std::int64_t>(request.ids.size()) + request.max_new_tokens - 1;
  if (last > info_.max_positions) {
    log_warning(fmt::format("{} prompt + {} new tokens exceed the model's {} positions",
                            request.ids.size(), request.max_new_tokens, info_.max_positions));
  }
}

std::vector<Result> TorchGenerator::generate(std::span<const Request> requests) {
  return on_device(decoder_.device(), [&] { return run(requests); });
}

std::vector<RouterFeatures> TorchGenerator::router_features(std::span<const std::int32_t> ids,
                                                            std::int64_t layers) {
  check_request({.ids = {ids.begin(), ids.end()}, .max_new_tokens = 0});
  if (!plan_.policy->needs_keys()) {
    throw Error(ErrorKind::kUnsupported,
                fmt::format("mode `{}` has no router to look into; choose a routed one (fa-ssa)",
                            plan_.describe()));
  }
  if (layers < 1 || layers > info_.layers) {
    throw Error(ErrorKind::kInvalidArgument,
                fmt::format("layers of the router: {}, the model has {}", layers, info_.layers));
  }
  return on_device(decoder_.device(), [&] {
    std::vector<RouterFeatures> features;
    for (const HeadDecision& decision : decoder_.decide(ids, plan_, layers)) {
      const RouterWeights& router = decoder_.weights().routers[features.size()];
      features.push_back({to_floats(decision.pooled_keys),
                          to_floats(task_features(router, decision.pooled_keys))});
    }
    return features;
  });
}

std::vector<Result> TorchGenerator::run(std::span<const Request> requests) {
  for (const Request& request : requests) check_request(request);
  const MemoryMeter memory(decoder_.device());
  std::vector<Running> batch;
  batch.reserve(requests.size());
  for (const Request& request : requests) batch.push_back(prefill(request));
  decode(batch);
  std::vector<Result> results;
  for (Running& running : batch) {
    finish(running);
    running.result.peak_bytes = memory.peak_bytes();
    results.push_back(std::move(running.result));
  }
  return results;
}

TorchGenerator::Running TorchGenerator::prefill(const Request& request) {
  constexpr std::int64_t kReserveAtMost = 4096;  // answer tokens; longer answers grow the cache
  const auto prompt_tokens = static_cast<std::int64_t>(request.ids.size());
  Running running{&request,
                  decoder_.start(prompt_tokens + std::min(request.max_new_tokens, kReserveAtMost)),
                  {},
                  SplitMix64(request.sampling.seed),
                  StopMatcher(tokenizer_.get(), request.stop),
                  request.max_new_tokens == 0,
                  prompt_tokens};
  Result& result = running.result;
  HiddenObserver observe;
  if (request.hidden_states) {
    observe = [&](std::int64_t layer, const at::Tensor& x) {
      result.tensors.push_back(named(fmt::format("hidden.{}", layer), x));
    };
  }
  synchronize(decoder_.device());
  StageClock clock(decoder_.device());
  const Stopwatch watch;
  const at::Tensor x = decoder_.prefill(running.sequence, request.ids, plan_, clock, observe);
  const std::vector<float> last = to_floats(decoder_.logits(x.narrow(0, prompt_tokens - 1, 1)));
  result.timing.prefill_ms = watch.milliseconds();
  if (!running.done) accept(running, last);
  result.timing.ttft_ms = watch.milliseconds();
  result.timing.router_ms = clock.milliseconds(Stage::kRouter);
  result.timing.select_ms = clock.milliseconds(Stage::kSelect);
  result.timing.attention_ms = clock.milliseconds(Stage::kAttention);
  result.trace = make_trace(running.sequence);
  if (request.hidden_states) {
    result.tensors.push_back(named(fmt::format("hidden.{}", info_.layers), decoder_.final_norm(x)));
  }
  if (request.all_logits) result.tensors.push_back(all_logits(decoder_, x));
  return running;
}

void TorchGenerator::decode(std::vector<Running>& batch) {
  const Stopwatch watch;
  for (;;) {
    std::vector<Running*> active;
    std::vector<Sequence*> sequences;
    std::vector<std::int32_t> ids;
    for (Running& running : batch) {
      if (running.done) continue;
      active.push_back(&running);
      sequences.push_back(&running.sequence);
      ids.push_back(running.result.ids.back());
    }
    if (active.empty()) return;
    if (step_.takes(plan_)) {
      const StepResult step = step_.run(sequences, ids, plan_);
      if (all_take_greedy(active, step)) {
        for (std::size_t row = 0; row < active.size(); ++row) take(*active[row], step.greedy[row]);
      } else {
        accept_rows(active, step.logits);
      }
    } else {
      accept_rows(active, decoder_.logits(decoder_.step(sequences, ids, plan_)));
    }
    for (Running* running : active) running->result.timing.decode_ms = watch.milliseconds();
  }
}

// True where the device's choices are what each request would sample.
bool TorchGenerator::all_take_greedy(std::span<Running* const> active, const StepResult& step) {
  for (std::size_t row = 0; row < active.size(); ++row) {
    const Request& request = *active[row]->request;
    const auto tokens = static_cast<std::int64_t>(active[row]->result.ids.size());
    if (!step.finite[row] || request.sampling.temperature > 0 || tokens < request.min_new_tokens) {
      return false;
    }
  }
  return true;
}

void TorchGenerator::accept_rows(std::span<Running* const> active, const at::Tensor& logits) const {
  const std::vector<float> values = to_floats(logits);
  const auto vocab = static_cast<std::size_t>(info_.vocab);
  for (std::size_t row = 0; row < active.size(); ++row) {
    accept(*active[row], std::span(values).subspan(row * vocab, vocab));
  }
}

// Samples the next token and takes it.
void TorchGenerator::accept(Running& running, std::span<const float> logits) const {
  const Request& request = *running.request;
  check_finite(logits);
  const bool too_early =
      static_cast<std::int64_t>(running.result.ids.size()) < request.min_new_tokens;
  take(running, too_early ? sample(without_ends(logits, request, decoder_.config().eos_ids),
                                   request.sampling, running.stream)
                          : sample(logits, request.sampling, running.stream));
}

// Appends the token and decides whether the request is finished by it.
void TorchGenerator::take(Running& running, std::int32_t id) const {
  const Request& request = *running.request;
  Result& result = running.result;
  result.ids.push_back(id);
  const auto contains = [id](const std::vector<std::int32_t>& ids) {
    return std::find(ids.begin(), ids.end(), id) != ids.end();
  };
  if ((!request.ignore_eos && contains(decoder_.config().eos_ids)) || contains(request.stop_ids)) {
    result.finish = Finish::kEos;
    running.done = true;
  } else if (auto text = running.stop.find(result.ids)) {
    result.finish = Finish::kStop;
    result.text = std::move(*text);
    running.done = true;
  } else if (static_cast<std::int64_t>(result.ids.size()) >= request.max_new_tokens) {
    result.finish = Finish::kLength;
    running.done = true;
  }
}

void TorchGenerator::finish(Running& running) const {
  Result& result = running.result;
  if (tokenizer_ && result.finish != Finish::kStop) {
    result.text =
        tokenizer_->decode(result.ids, {.skip_special = true, .clean_up_spaces = std::nullopt});
  }
  result.kv_bytes = running.sequence.cache.bytes(running.sequence.tokens);
  result.kv_bytes_full = running.sequence.cache.bytes_full(running.sequence.tokens);
}

}  // namespace elastic::engine
