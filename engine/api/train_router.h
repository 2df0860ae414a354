#pragma once

// Training of head routers on a frozen backbone, of head gates that no prompt moves, and of small
// backbones from scratch: struct in, struct out, LibTorch out of sight (elastic_attention spec 4,
// sparse_attention spec 6, 7). One loop serves all.
//
//   TrainOptions options{.base = "models/demo", .output = "out", .steps = 300};
//   const TrainResult result = train_router(options, source);
//
// What the output folder holds: curves.csv (one row a step), state.safetensors (masters, optimiser
// and multipliers of the last checkpoint, replaced whole) and, once the steps are done or the time
// is up, a Hugging Face folder in the released format that `run` loads, or the routers alone.

#include <cstdint>
#include <filesystem>
#include <string>

#include "engine/api/batch_source.h"
#include "engine/api/train_words.h"

namespace elastic::engine {

/// Which rows the language-modelling term reads, and how they are weighted.
struct LossOptions {
  LossRows lm = LossRows::kAll;
  double other_share = 0.1;
  double other_weight = 0.2;
};

/// AdamW, one schedule for all groups: linear warm-up, flat to `hold`, cosine to `floor` * lr.
struct OptimizerOptions {
  double lr = 5e-4;
  double beta1 = 0.9, beta2 = 0.95, eps = 1e-8;
  double weight_decay = 0.1;
  double clip = 5;      // global gradient norm
  double warmup = 0.2;  // share of the steps
  double hold = 0;      // share of the steps up to which the rate stays at lr
  double floor = 1e-7;
};

struct RouterOptions {
  std::int64_t expansion = 4;  // hidden width of both MLPs over head_dim
  RouterInit init = RouterInit::kSpec;
  RouterPooling pooling = RouterPooling::kBoundary;
  std::int64_t pool_rows = 100;
  std::string sparse = "ssa";             // mode of sparse heads: ssa, xa:stride=16,tau=0.9, ...
  std::int64_t sink = 128, local = 2048;  // tokens of ssa's window
  TauSchedule tau_schedule = TauSchedule::kCosine;
  double tau_start = 1.5, tau_end = 1.0, tau_share = 0.6, tau_rate = 0.6;
};

/// lambda1 |D| + lambda2 D^2 per document, D = MSR - target; both ascend.
struct RegularizerOptions {
  bool signed_form = false;  // lambda1 D instead of lambda1 |D|
  double lr = 1e-3;
  double weight_decay = 0.1;
  double initial = 0.5;  // multipliers start at U[0, initial)
};

/// Gates that are the same for every prompt (engine/train/head_gates.h).
struct HeadOptions {
  HeadMethod method = HeadMethod::kDuo;
  std::int64_t sink = 128, local = 256;  // tokens of streaming heads' window, in blocks of 128
  double l1 = 0.05;                      // duo: weight of mean |alpha|
  double target = 0.7;                   // prulong: share of streaming heads
  double ramp = 0.8;                     // prulong: share of the steps until the target is reached
};

/// One of several processes that train together, as torchrun numbers them. A step's batches are
/// those that one process would draw in world x micro_steps; its gradient is their mean.
struct ProcessOptions {
  int rank = 0, world = 1;
  std::string address = "127.0.0.1";  // where rank 0, or the launcher, listens
  int port = 29500;
  bool launcher_serves = false;
  std::string job;               // tells the launcher's jobs and attempts apart
  double join_seconds = 45;      // within which all must have come
  double silence_seconds = 600;  // of a process that neither answers nor ends; a step may differ
};

struct TrainOptions {
  // router: the checkpoint whose backbone stays frozen; backbone: weights to go on from, if any
  std::filesystem::path base;
  std::string random_shape;         // router: random weights of a named shape instead of `base`
  std::string config_json;          // backbone without `base`: text of its config.json
  std::filesystem::path tokenizer;  // folder whose tokenizer files go along; empty: base
  std::filesystem::path output;     // empty: nothing is written (speed measurements)
  TrainExport export_as = TrainExport::kModel;
  bool resume = false;  // go on from output/state.safetensors where there is one
  std::string data;     // words that identify the data; a resumed run must agree
  std::uint64_t seed = 42;
  std::int64_t steps = 300;
  int micro_steps = 1;          // batches summed into one optimiser step
  std::string device = "auto";  // cpu, cuda, auto
  TrainType dtype = TrainType::kAuto;
  bool recompute = true;        // keep one activation a layer, recompute the rest backward
  bool keep_attention = true;   // ... but for what full attention gave
  std::int64_t log_every = 20;  // steps between looks at the numbers (a device wait each)
  std::int64_t checkpoint_every = 100;
  double max_minutes = 0;  // 0: no limit; else a checkpoint and a clean end
  int feed_threads = 0;    // batches drawn at the same time; 0: the machine's threads less two
  ProcessOptions processes;
  LossOptions loss;
  OptimizerOptions optimizer;
  RouterOptions router;
  RegularizerOptions regularizer;
  HeadOptions heads;
};

enum class TrainEnd { kFinished, kTimeUp, kInterrupted };

struct TrainResult {
  TrainEnd end = TrainEnd::kFinished;
  std::int64_t steps = 0, tokens = 0;  // done in all, earlier commands included
  double loss = 0;                     // of the last step
  double seconds = 0;                  // of this command
  double tokens_per_second = 0;
  // Device milliseconds of a step, mean of this command; what a step waited for its data.
  double forward_ms = 0, backward_ms = 0, optimizer_ms = 0, data_wait_ms = 0;
  std::int64_t peak_bytes = 0;  // device, or resident growth on the CPU
  int signal = 0;               // kInterrupted: which
};

/// Throws kInvalidArgument naming an option, the step whose loss is not a number, or what a state
/// file was trained with otherwise, or an output folder that another process trains in; kCorrupt
/// for documents that are not usable; kDevice (out of memory), kIo. The last good checkpoint stays.
/// Throws Interrupted (base/interrupt.h) where a signal came before there was anything to keep.
TrainResult train_router(const TrainOptions& options, const BatchSource& source);

/// The same for gates of `options.heads`, on a frozen backbone. The output folder gets a pattern
/// file instead of a model.
TrainResult train_heads(const TrainOptions& options, const BatchSource& source);

/// The same for all weights of the decoder, without routers.
TrainResult train_backbone(const TrainOptions& options, const BatchSource& source);

}  // namespace elastic::engine
