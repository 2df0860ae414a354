#pragma once

// Decides the heads of a layer from the prompt's keys before RoPE, which come in chunks. Where the
// device has a kernel for the policy's router, one launch pools, applies and decides; else the keys
// are pooled here and the policy is asked.
//
//   LayerRouter router(*plan.policy, layer, {.tokens = tokens, .window = kPoolRows}, clock);
//   for (each chunk) if (router.reads(first_row, rows)) router.add(keys, first_row);
//   const HeadDecision decision = router.decide();

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "engine/attention/head_policy.h"
#include "engine/device/stage_clock.h"
#include "engine/device/step_kernels.h"
#include "engine/router/pooling.h"

namespace elastic::engine {

/// The whole prompt, and how many of its rows are pooled at each end.
struct PooledPrompt {
  std::int64_t tokens = 0, window = kPoolRows;
};

class LayerRouter {
 public:
  /// Times itself as Stage::kRouter.
  LayerRouter(const HeadPolicy& policy, std::int64_t layer, const PooledPrompt& prompt,
              StageClock& clock);

  /// Rows [begin, end) that the policy wants to know of, ascending; none where it reads no keys.
  std::vector<std::pair<std::int64_t, std::int64_t>> windows() const;

  /// True where some of rows [first_row, first_row + rows) are among these.
  bool reads(std::int64_t first_row, std::int64_t rows) const;

  /// Keys [rows, heads_kv, head_dim] of such a chunk; chunks in ascending order, once each. They
  /// may be held until decide().
  void add(const at::Tensor& keys, std::int64_t first_row);

  /// After the last chunk; lets go of keys that were held.
  HeadDecision decide();

 private:
  bool kernel_takes(const at::Tensor& keys) const;
  void pool(const at::Tensor& keys, std::int64_t first_row);

  const HeadPolicy& policy_;
  StageClock& clock_;
  std::int64_t layer_, window_;
  KeyPool pool_;
  RouterKeys held_;  // for the kernel
  bool pools_ = false;
};

}  // namespace elastic::engine
