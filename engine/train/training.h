#pragma once

// Everything a training holds before its first step: weights, routers, multipliers, and the
// identity that a resumed one must share.
//
//   Training t = set_up_router(options, source);

#include <ATen/core/Tensor.h>

#include <memory>
#include <optional>
#include <string>

#include "base/file_lock.h"
#include "engine/api/batch_source.h"
#include "engine/api/train_router.h"
#include "engine/attention/head_mode.h"
#include "engine/distributed/process_group.h"
#include "engine/model/weights.h"
#include "engine/train/head_gates.h"
#include "engine/train/regularizer.h"

namespace elastic::engine {

struct Training {
  TrainOptions options;
  std::unique_ptr<FileLock> lock;       // of the output folder, in the process that writes it
  std::unique_ptr<ProcessGroup> group;  // null: one process
  bool routed = false;  // heads choose between full and sparse attention, by routers or `heads`
  at::Device device = at::kCPU;
  at::ScalarType compute = at::kFloat;  // of the backbone's passes; masters are fp32
  DecoderWeights weights;
  std::unique_ptr<HeadMode> sparse;  // of sparse heads; routed only
  std::string config_json;
  std::string base_sha256;         // of the weight files it starts from; empty without
  Multipliers multipliers;         // routed only
  std::optional<HeadGates> heads;  // instead of routers
  std::string identity;            // all that the numbers depend on
};

/// True in the process that writes the output folder, where there is one.
bool writes_output(const TrainOptions& options);

/// The base's backbone, frozen, with fresh routers. Makes the output folder and locks it. Throws as
/// check_options(), FileLock and load_weights(), and Interrupted.
Training set_up_router(const TrainOptions& options, const BatchSource& source);

/// The base's backbone, frozen, with gates of options.heads.
Training set_up_heads(const TrainOptions& options, const BatchSource& source);

/// Fresh weights, or the base's; kInvalidArgument for a base with routers.
Training set_up_backbone(const TrainOptions& options, const BatchSource& source);

/// Processes that would not train the same thing from `step` on end here, all of them: as
/// ProcessGroup::agree().
void agree(const Training& t, const BatchSource& source, std::int64_t step);

}  // namespace elastic::engine
