#pragma once

// Gates that are the same for every prompt, one a layer and KV head, as DuoAttention and PruLong
// learn them (sparse_attention spec 6, 7). A training ends in a pattern file, not in a checkpoint.
//   Duo      z = alpha, from 1;  L = distance of the hidden states to the dense model's
//                                    + l1 * mean |alpha|
//   PruLong  z = clamp(1.2 s - 0.1, 0, 1),  s = sigmoid((logistic noise + log_alpha) / (2/3))
//            L = L_lm + Lagrangian of the expected share of zeros (regularizer.h), whose target
//            climbs from 0
//
//   HeadGates gates = make_head_gates(options, config, device);
//   const at::Tensor z = sample_gates(gates, noise);   // [layers, heads_kv], differentiable
//   write_head_pattern(gates, options, folder);

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <filesystem>
#include <vector>

#include "engine/api/train_router.h"
#include "engine/config/model_config.h"

namespace elastic::engine {

struct HeadGates {
  HeadMethod method = HeadMethod::kDuo;
  at::Tensor values;  // fp32 [layers, heads_kv], leaf: alpha, or log_alpha
};

HeadGates make_head_gates(const HeadOptions& options, const ModelConfig& config, at::Device device);

/// Gates of one step, 1 = full. `noise`: standard Gumbel, fp32 [layers, heads_kv, 2]; the
/// difference of two is the logistic noise that PruLong draws.
at::Tensor sample_gates(const HeadGates& gates, const at::Tensor& noise);

/// Chance that a gate is not 0, differentiable; of Duo, the gate.
at::Tensor open_gates(const HeadGates& gates);

/// Target sparsity of a step: from 0 in a straight line to `target` over `ramp` of the steps.
double ramped_target(const HeadOptions& options, std::int64_t step, std::int64_t steps);

/// What the file holds: alpha clipped to [0, 1]; of PruLong 1 for the floor(M (1 - target)) gates
/// with the largest log_alpha of all M, else 0; of equal ones the earlier (layer, head) stays.
std::vector<double> final_gates(const HeadGates& gates, double target);

/// full_attention_heads.tsv or masks.tsv, as the methods publish them, and config.json with the
/// window that they were trained with.
void write_head_pattern(const HeadGates& gates, const HeadOptions& options,
                        const std::filesystem::path& folder);

}  // namespace elastic::engine
