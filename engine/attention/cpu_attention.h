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

}  // namespace elastic::engine
