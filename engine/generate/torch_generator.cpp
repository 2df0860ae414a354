#include "engine/generate/torch_generator.h"

#include <ATen/ops/tensor.h>
#include <c10/core/InferenceMode.h>
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <utility>

#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "engine/api/mode_list.h"
#include "engine/attention/retrieval_score.h"
#include "engine/attention/sparsity.h"
#include "engine/config/memory_estimate.h"
#include "engine/device/cuda_library.h"
#include "engine/device/device_errors.h"
#include "engine/device/memory_meter.h"
#include "engine/device/nvml.h"
#include "engine/generate/in_flight.h"
#include "engine/generate/sampler.h"
#include "engine/model/rotary.h"
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

// What reads a GPU's energy counter; empty on a CPU and without the driver's library.
std::function<std::optional<double>()> energy_counter(at::Device device) {
  if (device.is_cpu()) return {};
  const auto index = static_cast<std::size_t>(device.has_index() ? device.index() : 0);
  const std::vector<CudaDevice>& gpus = cuda_library().devices;
  const std::optional<Nvml> nvml = open_nvml();
  if (!nvml || index >= gpus.size()) return {};
  return [nvml = *nvml, pci = gpus[index].pci] { return joules_of(nvml, pci); };
}

}  // namespace

TorchGenerator::TorchGenerator(Decoder decoder, std::shared_ptr<const Tokenizer> tokenizer,
                               ModelInfo info)
    : decoder_(std::move(decoder)),
      tokenizer_(std::move(tokenizer)),
      info_(std::move(info)),
      joules_(energy_counter(decoder_.device())) {
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
  context.folder = config.folder;
  context.layers = config.layers;
  context.heads_q = config.heads_q;
  context.heads_kv = config.heads_kv;
  context.head_dim = config.head_dim;
  context.sink = config.routing.sink_size;
  context.local = config.routing.local_window_size;
  context.toggle_type = config.routing.toggle_type;
  context.retrieval_mode = config.routing.retrieval_mode;
  context.sparse_mode = config.routing.sparse_mode;
  context.rope = {rope_frequencies(config.rope, config.head_dim), config.rope.attention_factor};
  return context;
}

void TorchGenerator::set_mode(std::string_view mode) {
  PlanContext context = plan_context(decoder_.config());
  context.routers = decoder_.weights().routers;
  context.nsa = decoder_.weights().nsa;
  plan_ = std::make_shared<AttentionPlan>(make_attention_plan(mode, context));
  if (!plan_->note.empty() && said_.insert(plan_->note).second) log_info(plan_->note);
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

std::vector<RouterFeatures> TorchGenerator::router_features(std::span<const std::int32_t> ids,
                                                            std::int64_t layers) {
  check_request({.ids = {ids.begin(), ids.end()}, .max_new_tokens = 0});
  if (!plan_->policy->needs_keys()) {
    throw Error(ErrorKind::kUnsupported,
                fmt::format("mode `{}` has no router to look into; choose a routed one (fa-ssa)",
                            plan_->describe()));
  }
  if (layers < 1 || layers > info_.layers) {
    throw Error(ErrorKind::kInvalidArgument,
                fmt::format("layers of the router: {}, the model has {}", layers, info_.layers));
  }
  return on_device(decoder_.device(), [&] {
    std::vector<RouterFeatures> features;
    for (const HeadDecision& decision : decoder_.decide(ids, *plan_, layers)) {
      const RouterWeights& router = decoder_.weights().routers[features.size()];
      features.push_back({to_floats(decision.pooled_keys),
                          to_floats(task_features(router, decision.pooled_keys))});
    }
    return features;
  });
}

std::vector<std::vector<float>> TorchGenerator::retrieval_scores(
    std::span<const std::int32_t> ids, std::span<const std::int64_t> needle) {
  check_request({.ids = {ids.begin(), ids.end()}, .max_new_tokens = 0});
  const std::int64_t tokens = std::ssize(ids);
  for (const std::int64_t position : needle) {
    if (position >= 0 && position < tokens) continue;
    throw Error(ErrorKind::kInvalidArgument,
                fmt::format("needle token {} lies outside the prompt of {}", position, tokens));
  }
  const AttentionPlan full = make_attention_plan(kDenseMode, plan_context(decoder_.config()));
  return on_device(decoder_.device(), [&] {
    const at::Tensor index =
        at::tensor(at::ArrayRef<std::int64_t>(needle.data(), needle.size()), at::kLong)
            .to(decoder_.device());
    Sequence sequence = decoder_.start(tokens);
    StageClock clock(decoder_.device());
    std::vector<at::Tensor> last;  // activations [1, hidden] before each layer
    decoder_.prefill(sequence, ids, full, clock, [&](std::int64_t, const at::Tensor& x) {
      last.push_back(x.narrow(0, tokens - 1, 1).clone());
    });
    std::vector<std::vector<float>> scores;
    for (std::int64_t layer = 0; layer < info_.layers; ++layer) {
      const AttentionInput row = decoder_.attention_input(sequence, layer, tokens - 1,
                                                          last[static_cast<std::size_t>(layer)]);
      scores.push_back(to_floats(elastic::engine::retrieval_scores(row, index)));
    }
    return scores;
  });
}

void TorchGenerator::generate(const RequestStream& stream, std::int64_t most) {
  const MemoryMeter memory(decoder_.device());
  const auto element = static_cast<std::int64_t>(c10::elementSize(decoder_.dtype()));
  const InFlightEngine engine{
      .start = [&](Request request) { return start(std::move(request)); },
      .prefill = [&](Answer& answer) { on_device(decoder_.device(), [&] { prefill(answer); }); },
      .step =
          [&](std::span<Answer* const> batch) {
            on_device(decoder_.device(), [&] { step(batch); });
          },
      .finish =
          [&](Answer&& answer) {
            finish(answer, tokenizer_.get());
            answer.result.peak_bytes = memory.peak_bytes();
            return std::move(answer.result);
          },
      .joules = joules_,
      .need =
          [&](const Request& request) {
            const MemoryEstimate bytes = estimate_memory(
                decoder_.config(), {.prompt_tokens = std::ssize(request.ids),
                                    .new_tokens = request.max_new_tokens,
                                    .element_bytes = element,
                                    .cpu = decoder_.device().is_cpu(),
                                    .whole_prompt = plan_->asks(&ModePlaces::whole_prompt)});
            return InFlightEngine::Need{bytes.kv, bytes.activations};
          },
      .available_bytes = available_bytes(decoder_.device())};
  run_in_flight(engine, stream, most);
}

Answer TorchGenerator::start(Request request) const {
  check_request(request);
  SplitMix64 draws(request.sampling.seed);
  StopMatcher stop(tokenizer_.get(), request.stop);
  const bool done = request.max_new_tokens == 0;
  return {.request = std::move(request),
          .plan = plan_,
          .sequence = std::nullopt,
          .result = {},
          .stream = draws,
          .stop = std::move(stop),
          .done = done,
          .failure = {}};
}

void TorchGenerator::prefill(Answer& answer) {
  constexpr std::int64_t kReserveAtMost = 4096;  // answer tokens; longer answers grow the cache
  const Request& request = answer.request;
  const auto prompt_tokens = std::ssize(request.ids);
  Sequence& sequence = answer.sequence.emplace(
      decoder_.start(prompt_tokens + std::min(request.max_new_tokens, kReserveAtMost)));
  Result& result = answer.result;
  HiddenObserver observe;
  if (request.hidden_states) {
    observe = [&](std::int64_t layer, const at::Tensor& x) {
      result.tensors.push_back(named(fmt::format("hidden.{}", layer), x));
    };
  }
  synchronize(decoder_.device());
  StageClock clock(decoder_.device());
  const Stopwatch watch;
  const at::Tensor x = decoder_.prefill(sequence, request.ids, *answer.plan, clock, observe);
  const std::vector<float> last = to_floats(decoder_.logits(x.narrow(0, prompt_tokens - 1, 1)));
  result.timing.prefill_ms = watch.milliseconds();
  if (!answer.done) accept(answer, last, decoder_.config().eos_ids);
  result.timing.ttft_ms = watch.milliseconds();
  result.timing.router_ms = clock.milliseconds(Stage::kRouter);
  result.timing.select_ms = clock.milliseconds(Stage::kSelect);
  result.timing.attention_ms = clock.milliseconds(Stage::kAttention);
  result.trace = make_trace(sequence);
  if (request.hidden_states) {
    result.tensors.push_back(named(fmt::format("hidden.{}", info_.layers), decoder_.final_norm(x)));
  }
  if (request.all_logits) result.tensors.push_back(all_logits(decoder_, x));
}

void TorchGenerator::step(std::span<Answer* const> batch) {
  const Stopwatch watch;
  std::vector<Answer*> recorded;
  std::map<const AttentionPlan*, std::vector<Answer*>> composed;
  for (Answer* answer : batch) {
    (step_.takes(*answer->plan) ? recorded : composed[answer->plan.get()]).push_back(answer);
  }
  constexpr std::size_t kMost = RecordedStep::kMostRows;
  for (std::size_t begin = 0; begin < recorded.size(); begin += kMost) {
    step_recorded(std::span(recorded).subspan(begin, std::min(kMost, recorded.size() - begin)));
  }
  for (const auto& [plan, answers] : composed) step_composed(answers);
  const double spent = watch.milliseconds();
  for (Answer* answer : batch) {
    answer->result.timing.decode_ms += spent;
    answer->result.batch = std::max<std::int64_t>(answer->result.batch, std::ssize(batch));
  }
}

void TorchGenerator::step_recorded(std::span<Answer* const> batch) {
  std::vector<StepRow> rows;
  for (Answer* answer : batch) {
    rows.push_back({&*answer->sequence, answer->result.ids.back(), answer->plan.get()});
  }
  const StepResult step = step_.run(rows);
  // The device's own choices, where they are what everyone would sample.
  const auto chosen = [&](std::size_t row) {
    return step.finite[row] && batch[row]->takes_greedy();
  };
  bool all = true;
  for (std::size_t row = 0; row < batch.size(); ++row) all = all && chosen(row);
  if (!all) return accept_rows(batch, step.logits);
  for (std::size_t row = 0; row < batch.size(); ++row) {
    take(*batch[row], step.greedy[row], decoder_.config().eos_ids);
  }
}

// Of answers with the same plan.
void TorchGenerator::step_composed(std::span<Answer* const> batch) {
  std::vector<Sequence*> sequences;
  std::vector<std::int32_t> ids;
  for (Answer* answer : batch) {
    sequences.push_back(&*answer->sequence);
    ids.push_back(answer->result.ids.back());
  }
  accept_rows(batch, decoder_.logits(decoder_.step(sequences, ids, *batch.front()->plan)));
}

void TorchGenerator::accept_rows(std::span<Answer* const> batch, const at::Tensor& logits) const {
  const std::vector<float> values = to_floats(logits);
  const auto vocab = static_cast<std::size_t>(info_.vocab);
  for (std::size_t row = 0; row < batch.size(); ++row) {
    accept(*batch[row], std::span(values).subspan(row * vocab, vocab), decoder_.config().eos_ids);
  }
}

}  // namespace elastic::engine
