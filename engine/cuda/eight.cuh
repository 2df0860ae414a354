#pragma once

// Eight bf16 elements, 16 bytes: what a thread reads or writes at once.

#include <cuda_bf16.h>

namespace elastic::engine {

struct alignas(16) Eight {
  __nv_bfloat16 at[8];
};

}  // namespace elastic::engine
