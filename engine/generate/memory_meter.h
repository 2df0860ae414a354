#pragma once

// Peak memory of a piece of work, as LibTorch's allocators hand it out: on an accelerator the most
// bytes in use, weights included; on the CPU the most above those in use at the start (weights are
// mapped files there). One meter at a time.

#include <c10/core/Device.h>

#include <cstdint>

namespace elastic::engine {

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
