#pragma once

// Attention of CPU tensors through the kernels of engine/kernels: the tensors' memory as it lies,
// the work cut into tasks and spread over LibTorch's threads, heaviest task first.

#include <ATen/core/Tensor.h>

#include <span>

#include "engine/attention/head_mode.h"
#include "engine/kernels/cpu_attention.h"

namespace elastic::engine {

/// fp32 or bf16 tensors on the CPU.
bool runs_on_cpu_kernels(const AttentionInput& input);

/// As masked_attention(); `kernels` for tests that compare instruction sets.
void cpu_attention(const AttentionInput& input, std::span<const int> kv_heads,
                   const BlockMask& mask, at::Tensor& out, at::Tensor* lse = nullptr,
                   const CpuKernels& kernels = cpu_kernels());

/// Rules of prompts whose tiles are no larger than what the kernels hold.
bool kernels_take(const SkipRule& rule);

/// As skip_softmax_attention().
void cpu_skip_attention(const AttentionInput& input, std::span<const int> kv_heads,
                        const SkipRule& rule, const at::Tensor& tiles, at::Tensor& out,
                        at::Tensor* lse, const CpuKernels& kernels = cpu_kernels());

}  // namespace elastic::engine
