#pragma once

// Peak memory of a piece of work, as LibTorch's allocators hand it out: on an accelerator the most
// bytes in use, weights included; on the CPU the most above those in use at the start (weights are
// mapped files there). One meter at a time.

#include <c10/core/Device.h>

#include <cstdint>

namespace elastic::engine {

/// Puts the account under LibTorch's CPU tensors; before it, a CPU meter stays at 0 and a refused
/// allocation ends the program. Any number of times; tensors made before are not in the account.
void count_cpu_memory();

/// What LibTorch can still hand out on an accelerator, less a tenth for what is in no estimate; on
/// the CPU no limit is known.
std::int64_t available_bytes(c10::Device device);

class MemoryMeter {
 public:
  explicit MemoryMeter(c10::Device device);
  /// Bytes since construction.
  std::int64_t peak_bytes() const;

 private:
  c10::Device device_;
  std::int64_t start_ = 0;  // CPU: bytes in use at construction
};

}  // namespace elastic::engine
