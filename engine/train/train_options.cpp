#include "engine/train/train_options.h"

#include <ATen/ops/zeros.h>
#include <fmt/format.h>

#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/json.h"
#include "base/registry.h"
#include "engine/attention/registry.h"

namespace elastic::engine {
namespace {

void expect(bool good, std::string_view name, double value, std::string_view range) {
  if (good) return;
  throw Error(ErrorKind::kInvalidArgument,
              fmt::format("training option `{}` is {}, expected {}", name, value, range));
}

void share(std::string_view name, double value) {
  expect(value >= 0 && value <= 1, name, value, "0 .. 1");
}

void positive(std::string_view name, double value) {
  expect(value > 0 && value < 1e15, name, value, "a number above 0");
}

void check_router(const RouterOptions& r) {
  positive("router.expansion", static_cast<double>(r.expansion));
  expect(r.expansion <= 64, "router.expansion", static_cast<double>(r.expansion), "1 .. 64");
  positive("router.pool_rows", static_cast<double>(r.pool_rows));
  expect(r.sink >= 0, "router.sink", static_cast<double>(r.sink), "0 or more tokens");
  positive("router.local", static_cast<double>(r.local));
  positive("router.tau_start", r.tau_start);
  positive("router.tau_end", r.tau_end);
  share("router.tau_share", r.tau_share);
}

void check_heads(const HeadOptions& h) {
  expect(h.sink >= 0, "heads.sink", static_cast<double>(h.sink), "0 or more tokens");
  positive("heads.local", static_cast<double>(h.local));
  expect(h.l1 >= 0, "heads.l1", h.l1, "0 or more");
  share("heads.target", h.target);
  share("heads.ramp", h.ramp);
}

void check_optimizer(const OptimizerOptions& o) {
  positive("optimizer.lr", o.lr);
  expect(o.beta1 >= 0 && o.beta1 < 1, "optimizer.beta1", o.beta1, "0 .. 1, below 1");
  expect(o.beta2 >= 0 && o.beta2 < 1, "optimizer.beta2", o.beta2, "0 .. 1, below 1");
  positive("optimizer.eps", o.eps);
  expect(o.weight_decay >= 0, "optimizer.weight_decay", o.weight_decay, "0 or more");
  positive("optimizer.clip", o.clip);
  share("optimizer.warmup", o.warmup);
  share("optimizer.hold", o.hold);
  share("optimizer.floor", o.floor);
}

}  // namespace

void check_options(const TrainOptions& o, bool routed) {
  positive("steps", static_cast<double>(o.steps));
  positive("micro_steps", o.micro_steps);
  positive("processes.world", o.processes.world);
  expect(o.processes.rank >= 0 && o.processes.rank < o.processes.world, "processes.rank",
         o.processes.rank, "a number below processes.world");
  positive("log_every", static_cast<double>(o.log_every));
  positive("checkpoint_every", static_cast<double>(o.checkpoint_every));
  share("loss.other_share", o.loss.other_share);
  expect(o.loss.other_weight >= 0, "loss.other_weight", o.loss.other_weight, "0 or more");
  check_optimizer(o.optimizer);
  if (!routed) return;
  if (!o.random_shape.empty() && !o.output.empty()) {
    throw Error(ErrorKind::kInvalidArgument,
                "routers for random weights are not worth keeping: give no output folder");
  }
  check_router(o.router);
  check_heads(o.heads);
  positive("regularizer.lr", o.regularizer.lr);
  expect(o.regularizer.initial >= 0, "regularizer.initial", o.regularizer.initial, "0 or more");
}

std::unique_ptr<HeadMode> make_sparse_mode(const RouterOptions& router, const ModelConfig& config) {
  ModeOptions options(router.sparse);
  const ModeEntry& entry =
      find_entry(head_modes(), "value of training option `router.sparse`: mode", options.name());
  PlanContext context;
  context.layers = config.layers;
  context.heads_q = config.heads_q;
  context.heads_kv = config.heads_kv;
  context.sink = router.sink;
  context.local = router.local;
  std::unique_ptr<HeadMode> mode = entry.make(options, context);
  options.finish();
  const auto refuse = [&](const std::string& why) {
    throw Error(ErrorKind::kInvalidArgument,
                fmt::format("training option `router.sparse` is `{}`: {}", router.sparse, why));
  };
  if (!mode->places().prefill_mask || entry.config_name == nullptr) {
    refuse("routers are trained for modes that leave out keys of a prompt: ssa, xa");
  }
  const at::Tensor row = at::zeros({config.heads_q, 1, 2});
  const at::Tensor key = at::zeros({config.heads_kv, 1, 2});
  const BlockMask mask = mode->block_mask({row, key, key, 0, 1}, std::vector<int>{0});
  if (mask.query_block != kMaskBlock || mask.token_local > 0) {
    refuse(fmt::format("training masks blocks of {} tokens; leave block out", kMaskBlock));
  }
  return mode;
}

std::string identity(const Training& t, std::span<const TrainingTask> tasks) {
  const TrainOptions& o = t.options;
  Json json = {{"seed", o.seed},
               {"steps", o.steps},
               {"micro_steps x processes", o.micro_steps * o.processes.world},
               {"dtype", to_word(o.dtype)},
               {"loss.lm", to_word(o.loss.lm)},
               {"loss.other_share", o.loss.other_share},
               {"loss.other_weight", o.loss.other_weight},
               {"optimizer.lr", o.optimizer.lr},
               {"optimizer.beta1", o.optimizer.beta1},
               {"optimizer.beta2", o.optimizer.beta2},
               {"optimizer.eps", o.optimizer.eps},
               {"optimizer.weight_decay", o.optimizer.weight_decay},
               {"optimizer.clip", o.optimizer.clip},
               {"optimizer.warmup", o.optimizer.warmup},
               {"optimizer.hold", o.optimizer.hold},
               {"optimizer.floor", o.optimizer.floor},
               {"router.expansion", o.router.expansion},
               {"router.init", to_word(o.router.init)},
               {"router.pooling", to_word(o.router.pooling)},
               {"router.pool_rows", o.router.pool_rows},
               {"router.sparse", t.sparse == nullptr ? "" : t.sparse->describe()},
               {"router.tau_schedule", to_word(o.router.tau_schedule)},
               {"router.tau_start", o.router.tau_start},
               {"router.tau_end", o.router.tau_end},
               {"router.tau_share", o.router.tau_share},
               {"router.tau_rate", o.router.tau_rate},
               {"regularizer.signed_form", o.regularizer.signed_form},
               {"regularizer.lr", o.regularizer.lr},
               {"regularizer.weight_decay", o.regularizer.weight_decay},
               {"regularizer.initial", o.regularizer.initial},
               {"data", o.data},
               {"model config", t.config_json},
               {kBaseIdentity, t.base_sha256}};
  if (t.heads) {
    json["heads.method"] = to_word(o.heads.method);
    json["heads.l1"] = o.heads.l1;
    json["heads.ramp"] = o.heads.ramp;
  }
  for (const TrainingTask& task : tasks) {
    json["target of " + task.name] = task.target_sparsity;
  }
  return json.dump();
}

}  // namespace elastic::engine
