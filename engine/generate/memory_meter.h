#pragma once

// Peak memory of a piece of work: growth of the process's resident set on the CPU, the caching
// allocator's peak on an accelerator. Resetting the process's high-water mark needs a writable
// /proc/self/clear_refs; without it the peak of the process so far stands in.

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
  std::int64_t start_ = 0;  // resident bytes at construction
};

}  // namespace elastic::engine
