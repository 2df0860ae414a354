#pragma once

// The head router of one layer (elastic_attention spec 1): two small MLPs, shared by all heads,
// that turn each KV head's pooled key into {sparse, full} logits:
//   task MLP   d -> m d, SiLU, -> d        router MLP   d -> m d, SiLU, -> d, SiLU, -> 2
// Class 1 = full attention; equal logits = sparse. A router with one output (sigmoid head) keeps
// full attention where its logit is above 0; it is reported as {0, logit}.
//
//   const RouterWeights router =
//       load_router(folder, [&](std::string_view name) { return tensor(name); });
//   const at::Tensor logits = router_logits(router, pool.mean());   // fp32 [heads_kv, 2]

#include <ATen/core/Tensor.h>

#include <array>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace elastic::engine {

/// Linear weights [out, in] and biases [out], as the checkpoint stores them.
struct RouterWeights {
  at::Tensor task_up, task_up_bias;      // [m d, d], [m d]
  at::Tensor task_down, task_down_bias;  // [d, m d], [d]
  at::Tensor head_up, head_up_bias;      // [m d, d], [m d]
  at::Tensor head_down, head_down_bias;  // [d, m d], [d]
  at::Tensor logits, logits_bias;        // [2, d], [2] (or [1, d], [1])
};

/// One linear map of a router, in the order in which they apply.
struct RouterLinear {
  const char* name;    // of state files: "task_up"
  const char* stored;  // of checkpoints, after router_prefix(): "cls_feat_extractor.0"
  at::Tensor RouterWeights::*weight;
  at::Tensor RouterWeights::*bias;
  bool wide_out, wide_in;  // m d features instead of d
};
inline constexpr RouterLinear kRouterLinears[] = {
    {"task_up", "cls_feat_extractor.0", &RouterWeights::task_up, &RouterWeights::task_up_bias, true,
     false},
    {"task_down", "cls_feat_extractor.2", &RouterWeights::task_down, &RouterWeights::task_down_bias,
     false, true},
    {"head_up", "cls_router_head_agnostic.0", &RouterWeights::head_up, &RouterWeights::head_up_bias,
     true, false},
    {"head_down", "cls_router_head_agnostic.2", &RouterWeights::head_down,
     &RouterWeights::head_down_bias, false, true},
    {"logits", "cls_router_head_agnostic.4", &RouterWeights::logits, &RouterWeights::logits_bias,
     false, false},
};

/// [out, in] of a new router's map, for heads of `dim` and m = `expansion`; two classes.
std::array<std::int64_t, 2> router_linear_shape(const RouterLinear& linear, std::int64_t dim,
                                                std::int64_t expansion);

/// What the names of a layer's router begin with: "model.layers.3.self_attn.mask_allocator."
std::string router_prefix(std::int64_t layer);

/// Asks `tensor` for each tensor by its name after "mask_allocator."
/// ("cls_feat_extractor.0.weight", ...); checks every shape against the others: kCorrupt naming
/// `source` (the checkpoint's folder), the tensor and both shapes.
RouterWeights load_router(std::string_view source,
                          const std::function<at::Tensor(std::string_view)>& tensor);

/// 4 m d^2 + 2 m d + 4 d + 2 for two classes.
std::int64_t parameter_count(const RouterWeights& router);

/// The task MLP alone, [heads_kv, d] of pooled keys [heads_kv, d], in the weights' dtype.
at::Tensor task_features(const RouterWeights& router, const at::Tensor& pooled);

/// fp32 [heads_kv, 2] = {sparse, full} of pooled keys [heads_kv, d];
/// computed in the weights' dtype.
at::Tensor router_logits(const RouterWeights& router, const at::Tensor& pooled);

/// uint8 [heads_kv] on the device of the logits: 1 where logits[h][1] > logits[h][0] does not hold.
at::Tensor sparse_heads(const at::Tensor& logits);

}  // namespace elastic::engine
