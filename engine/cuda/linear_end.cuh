#pragma once

// How the products of a decode step end, whatever summed them.

#include <cstdint>

#include "engine/cuda/step_call.h"
#include "engine/cuda/tensor_core.cuh"

namespace elastic::engine {

/// Writes the outputs from kOutputs * tile on of all rows, by kThreads threads. sum(row, i): fp32
/// of the i-th of them; kGate: of its first half, up(row, i) of its second.
template <int kThreads, typename Sum, typename Up>
__device__ void end_linear(const LinearCall& call, int tile, int outputs, const Sum& sum,
                           const Up& up) {
  for (int i = threadIdx.x; i < call.rows * outputs; i += kThreads) {
    const int row = i / outputs, own = i % outputs, output = tile * outputs + own;
    if (output >= call.out) continue;
    __nv_bfloat16& y = call.y[static_cast<std::int64_t>(row) * call.out + output];
    float value = sum(row, own);
    if (call.bias != nullptr) value += __bfloat162float(call.bias[output]);
    if (call.end == LinearEnd::kAdd) value += __bfloat162float(y);
    if (call.end == LinearEnd::kGate) {  // rounded where single operations would round
      float other = up(row, own);
      if (call.bias != nullptr) other += __bfloat162float(call.bias[call.out + output]);
      value = rounded(value);
      value = rounded(value / (1 + __expf(-value))) * rounded(other);
    }
    y = __float2bfloat16(value);
  }
}

}  // namespace elastic::engine
