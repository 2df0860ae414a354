#include <ATen/TensorOperators.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/full_like.h>
#include <ATen/ops/tensor.h>
#include <c10/util/Exception.h>
#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <new>

#include "base/clock.h"
#include "base/error.h"
#include "base/interrupt.h"
#include "base/json.h"
#include "base/log.h"
#include "base/progress.h"
#include "base/threads.h"
#include "engine/api/hub_cache.h"
#include "engine/device/device_errors.h"
#include "engine/device/memory_meter.h"
#include "engine/device/stage_clock.h"
#include "engine/distributed/process_group.h"
#include "engine/io/checkpoint.h"
#include "engine/io/router_adapter.h"
#include "engine/train/batch_feed.h"
#include "engine/train/curves.h"
#include "engine/train/objective.h"
#include "engine/train/optimizer.h"
#include "engine/train/schedule.h"
#include "engine/train/train_options.h"
#include "engine/train/training.h"
#include "engine/train/training_state.h"
#include "engine/train/upload.h"

namespace elastic::engine {
namespace {

namespace fs = std::filesystem;

int feed_threads(int asked) {
  constexpr int kMost = 12;
  if (asked > 0) return asked;
  return std::clamp(hardware_threads() - 2, 2, kMost);
}

Optimizer make_optimizer(Training& t) {
  const OptimizerOptions& o = t.options.optimizer;
  if (!t.routed) {
    ParameterGroup matrices{{}, o.lr, o.weight_decay, false}, vectors{{}, o.lr, 0, false};
    for (Parameter& p : backbone_parameters(t.weights)) {
      (p.tensor.dim() > 1 ? matrices : vectors).parameters.push_back(p);
    }
    return Optimizer({matrices, vectors}, o);
  }
  const RegularizerOptions& r = t.options.regularizer;
  ParameterGroup choosers =
      t.heads ? ParameterGroup{{{"heads.gates", t.heads->values}}, o.lr, 0, false}
              : ParameterGroup{router_parameters(t.weights), o.lr, o.weight_decay, false};
  ParameterGroup multipliers{{{"sparsity_lambda1_task", t.multipliers.lambda1},
                              {"sparsity_lambda2_task", t.multipliers.lambda2}},
                             r.lr,
                             r.weight_decay,
                             true};
  if (t.heads && t.heads->method == HeadMethod::kDuo) return Optimizer({choosers}, o);
  return Optimizer({choosers, multipliers}, o);
}

// The routers with what they were trained for, and how.
void export_adapter(const Training& t, const StateHeader& done) {
  const TrainOptions& o = t.options;
  const ModelConfig& c = t.weights.config;
  Json training = {{"steps done", done.step}, {"tokens", done.tokens}};
  training.update(parse_json(t.identity, "identity of the training"));
  if (Json::accept(o.data)) training["data"] = parse_json(o.data, "data");
  for (const char* of_base : {"model config", kBaseIdentity}) training.erase(of_base);
  const RouterAdapter adapter{.folder = o.output,
                              .base = model_name(o.base),
                              .base_sha256 = t.base_sha256,
                              .layers = c.layers,
                              .heads_kv = c.heads_kv,
                              .head_dim = c.head_dim,
                              .expansion = o.router.expansion,
                              .routing = {}};
  export_routers(t.weights.routers, adapter, routing_keys(o.router, *t.sparse), training);
}

// A frozen backbone goes out as it came in, not as the computation rounded it.
void export_trained(const Training& t, const StateHeader& done) {
  const TrainOptions& o = t.options;
  if (t.heads) return write_head_pattern(*t.heads, o.heads, o.output);
  if (o.export_as == TrainExport::kAdapter) return export_adapter(t, done);
  const fs::path& tokenizer = o.tokenizer.empty() ? o.base : o.tokenizer;
  if (!t.routed || o.base.empty()) {
    return export_model(t.weights, t.config_json, tokenizer, o.output);
  }
  DecoderWeights whole =
      load_weights(Checkpoint(o.base), t.weights.config, stored_type(t.weights.config), at::kCPU);
  whole.routers = t.weights.routers;
  export_model(whole, t.config_json, tokenizer, o.output);
}

// The loop and what it has done so far.
class Loop {
 public:
  Loop(Training training, const BatchSource& source)
      : t_(std::move(training)),
        source_(source),
        optimizer_(make_optimizer(t_)),
        rotary_(t_.weights.config.rope, t_.weights.config.head_dim, t_.compute, t_.device),
        clock_(t_.device),
        state_path_(t_.options.output / "state.safetensors") {}

  TrainResult run();

 private:
  bool writes() const { return writes_output(t_.options); }
  void resume();
  FeedOptions feed_options() const;
  void wait_for_data(BatchFeed& feed);
  Objective objective_of(const PackedBatch& batch, const TrainingPass& pass);
  std::int64_t add_batch(BatchFeed& feed, StepRecord& record);
  void step(BatchFeed& feed, Curves& curves);
  std::string numbers() const;
  void train(TrainResult& result, Curves& curves);
  void fill(TrainResult& result, const MemoryMeter& memory);
  void checkpoint();
  bool wants_to_stop(TrainResult& result) const;
  bool stop_now(TrainResult& result) const;
  void exchange(StepRecord& record, std::int64_t& tokens);

  Training t_;
  const BatchSource& source_;
  Optimizer optimizer_;
  RotaryTable rotary_;
  StageClock clock_;
  double data_wait_ms_ = 0;
  bool others_stop_ = false;
  fs::path state_path_;
  StateHeader done_;
  StepNumbers seen_;  // at the last look
  std::int64_t first_step_ = 0, first_tokens_ = 0, saved_step_ = -1;
  Stopwatch watch_;
};

void Loop::resume() {
  std::error_code error;
  done_.options = t_.identity;
  if (t_.options.output.empty() || !fs::exists(state_path_, error)) return;
  if (!t_.options.resume) {
    throw Error(ErrorKind::kInvalidArgument,
                fmt::format("{}: the folder holds a training already; add --resume to go on, or "
                            "choose another folder",
                            state_path_.string()));
  }
  done_ = load_state(state_path_, t_.identity, optimizer_.state());
  optimizer_.set_steps(static_cast<double>(done_.step));
  saved_step_ = done_.step;
  log_info(fmt::format("resumed after step {} of {}", done_.step, t_.options.steps));
}

FeedOptions Loop::feed_options() const {
  const ModelConfig& c = t_.weights.config;
  const TrainOptions& o = t_.options;
  FeedOptions feed;
  feed.pack.loss = o.loss;
  feed.pack.tasks = static_cast<std::int64_t>(source_.tasks.size());
  feed.pack.max_positions = c.max_positions;
  feed.pack.vocab = c.vocab;
  feed.pack.pool_rows = o.router.pooling == RouterPooling::kFull ? 0 : o.router.pool_rows;
  feed.seed = o.seed;
  feed.steps = o.steps;
  feed.micro_steps = o.micro_steps;
  feed.rank = o.processes.rank;
  feed.world = o.processes.world;
  feed.at_once = feed_threads(o.feed_threads);
  if (t_.routed) {
    feed.pack.sparse = t_.sparse.get();
    feed.layers = c.layers;
    feed.heads_kv = c.heads_kv;
  }
  return feed;
}

void Loop::wait_for_data(BatchFeed& feed) {
  const Stopwatch wait;
  feed.wait();
  data_wait_ms_ += wait.milliseconds();
}

Objective Loop::objective_of(const PackedBatch& batch, const TrainingPass& pass) {
  const TrainOptions& o = t_.options;
  if (!t_.heads) {
    return objective(t_.weights, rotary_, batch, pass, t_.routed ? &t_.multipliers : nullptr,
                     o.regularizer.signed_form);
  }
  Multipliers now = t_.multipliers;
  now.targets = at::full_like(now.targets, ramped_target(o.heads, done_.step, o.steps));
  return head_objective(t_.weights, rotary_, batch, pass, *t_.heads, o.heads, now);
}

// Draws one batch, adds its gradient and its numbers; returns its tokens.
std::int64_t Loop::add_batch(BatchFeed& feed, StepRecord& record) {
  const TrainOptions& o = t_.options;
  wait_for_data(feed);
  const FedBatch fed = feed.next();
  const PackedBatch batch = move_batch(fed.batch, t_.device);
  TrainingPass pass{t_.compute, o.recompute, record.tau, upload(fed.noise, t_.device),
                    t_.sparse.get()};
  pass.keep_attention = o.keep_attention;
  Objective value;
  clock_.time(Stage::kForward, [&] { value = objective_of(batch, pass); });
  clock_.time(Stage::kBackward, [&] {
    (record.batches == 1 ? value.total : value.total / record.batches).backward();
    if (value.gates.defined() && value.gates.requires_grad()) {
      value.gates.backward(value.gate_leaf.grad());
    }
  });
  const at::Tensor values = step_values(value);
  record.values = record.values.defined() ? record.values + values : values;
  for (std::size_t task = 0; task < record.batches_of_task.size(); ++task) {
    record.batches_of_task[task] += batch.documents_of_task[task] > 0 ? 1 : 0;
  }
  return batch.tokens;
}

void Loop::step(BatchFeed& feed, Curves& curves) {
  const TrainOptions& o = t_.options;
  const double factor = rate_factor(o.optimizer, done_.step, o.steps);
  StepRecord record;
  record.step = done_.step;
  record.lr = o.optimizer.lr * factor;
  record.tau = temperature(o.router, done_.step, o.steps);
  record.batches = o.micro_steps * o.processes.world;
  record.batches_of_task.resize(source_.tasks.size());
  std::int64_t tokens = 0;
  for (int micro = 0; micro < o.micro_steps; ++micro) tokens += add_batch(feed, record);
  if (t_.group) exchange(record, tokens);
  done_.tokens += tokens;
  clock_.time(Stage::kOptimizer, [&] { record.gradient_norm = optimizer_.step(factor); });
  record.tokens = done_.tokens;
  if (t_.routed) {
    record.multipliers =
        at::cat({t_.multipliers.lambda1.detach(), t_.multipliers.lambda2.detach()});
  }
  curves.add(std::move(record));
  ++done_.step;
}

// Sums gradients, values, counts and the wish to stop over all processes.
void Loop::exchange(StepRecord& record, std::int64_t& tokens) {
  TrainResult wish;
  std::vector<float> counts(record.batches_of_task.begin(), record.batches_of_task.end());
  counts.push_back(static_cast<float>(tokens));
  counts.push_back(wants_to_stop(wish) ? 1 : 0);
  const at::Tensor numbers = at::tensor(counts, at::TensorOptions(at::kFloat)).to(t_.device);
  std::vector<at::Tensor> all = optimizer_.gradients();
  all.insert(all.end(), {record.values, numbers});
  t_.group->sum(all);
  const at::Tensor host = numbers.to(at::kCPU);
  const float* sums = host.const_data_ptr<float>();
  for (std::size_t i = 0; i < record.batches_of_task.size(); ++i) {
    record.batches_of_task[i] = static_cast<std::int64_t>(sums[i]);
  }
  tokens = static_cast<std::int64_t>(sums[counts.size() - 2]);
  others_stop_ = sums[counts.size() - 1] > 0;
}

// "loss 2.3141  MSR 0.62  1234 tokens/s" of the last look.
std::string Loop::numbers() const {
  std::string text = fmt::format("loss {:.4f}", seen_.loss);
  if (t_.routed) text += fmt::format("  MSR {:.2f}", seen_.msr);
  return text + fmt::format("  {:.0f} tokens/s",
                            static_cast<double>(done_.tokens - first_tokens_) / watch_.seconds());
}

void Loop::fill(TrainResult& result, const MemoryMeter& memory) {
  const double steps = std::max<double>(1, static_cast<double>(done_.step - first_step_));
  result.seconds = watch_.seconds();
  result.steps = done_.step;
  result.tokens = done_.tokens;
  result.tokens_per_second =
      static_cast<double>(done_.tokens - first_tokens_) / std::max(result.seconds, 1e-9);
  result.forward_ms = clock_.milliseconds(Stage::kForward) / steps;
  result.backward_ms = clock_.milliseconds(Stage::kBackward) / steps;
  result.optimizer_ms = clock_.milliseconds(Stage::kOptimizer) / steps;
  result.data_wait_ms = data_wait_ms_ / steps;
  result.peak_bytes = memory.peak_bytes();
}

void Loop::checkpoint() {
  if (!writes() || saved_step_ == done_.step) return;
  save_state(state_path_, done_, optimizer_.state());
  saved_step_ = done_.step;
}

bool Loop::wants_to_stop(TrainResult& result) const {
  if (const auto signal = interrupted()) {
    result.end = TrainEnd::kInterrupted;
    result.signal = *signal;
    return true;
  }
  const double minutes = t_.options.max_minutes;
  if (minutes <= 0 || watch_.seconds() < minutes * 60) return false;
  result.end = TrainEnd::kTimeUp;
  return true;
}

// Processes stop together: what one of them wanted in the last step.
bool Loop::stop_now(TrainResult& result) const {
  if (!t_.group) return wants_to_stop(result);
  if (others_stop_ && !wants_to_stop(result)) result.end = TrainEnd::kTimeUp;
  return others_stop_;
}

// Steps until the end, the time limit or a signal. The numbers are looked at every `log_every`
// steps, and where steps are slow every few seconds.
void Loop::train(TrainResult& result, Curves& curves) {
  constexpr double kLookSeconds = 5;
  const TrainOptions& o = t_.options;
  BatchFeed feed(source_, feed_options(), first_step_);
  log_info(fmt::format("step {} of {} begins on {}", done_.step + 1, o.steps, t_.device.str()));
  Progress progress("train", o.steps, 0, done_.step);
  watch_ = Stopwatch();
  Stopwatch since_look;
  while (done_.step < o.steps) {
    wait_for_data(feed);
    if (stop_now(result)) return;
    step(feed, curves);
    const bool save = done_.step % o.checkpoint_every == 0;
    const bool first = done_.step == first_step_ + 1;
    if (save || first || done_.step % o.log_every == 0 || since_look.seconds() > kLookSeconds) {
      seen_ = curves.flush();
      since_look = Stopwatch();
    }
    progress.advance(0, numbers());
    if (save) checkpoint();
  }
}

TrainResult Loop::run() {
  resume();
  agree(t_, source_, done_.step);
  first_step_ = done_.step;
  first_tokens_ = done_.tokens;
  TrainResult result;
  const MemoryMeter memory(t_.device);
  Curves curves(writes() ? t_.options.output / "curves.csv" : fs::path(), source_.tasks, t_.routed,
                first_step_);
  if (done_.step < t_.options.steps) train(result, curves);
  result.loss = curves.flush().loss;
  fill(result, memory);
  if (result.end == TrainEnd::kInterrupted && done_.step == first_step_) return result;
  checkpoint();
  if (writes()) export_trained(t_, done_);
  return result;
}

std::unique_ptr<ProcessGroup> join(const ProcessOptions& processes) {
  return processes.world > 1 ? std::make_unique<ProcessGroup>(processes) : nullptr;
}

// LibTorch's own errors become one line that says what is left of the run.
TrainResult run_guarded(const TrainOptions& options, const auto& make, const BatchSource& source) {
  const std::string state = (options.output / "state.safetensors").string();
  return with_device_errors(fmt::format("training stopped ({} is the last checkpoint)", state),
                            [&] {
                              // Before the base is loaded, which takes one longer than another.
                              auto group = join(options.processes);
                              Training training = make();
                              training.group = std::move(group);
                              return Loop(std::move(training), source).run();
                            });
}

}  // namespace

TrainResult train_router(const TrainOptions& options, const BatchSource& source) {
  return run_guarded(
      options, [&] { return set_up_router(options, source); }, source);
}

TrainResult train_heads(const TrainOptions& options, const BatchSource& source) {
  return run_guarded(
      options, [&] { return set_up_heads(options, source); }, source);
}

TrainResult train_backbone(const TrainOptions& options, const BatchSource& source) {
  return run_guarded(
      options, [&] { return set_up_backbone(options, source); }, source);
}

}  // namespace elastic::engine
