#include "engine/generate/memory_meter.h"

#include <c10/core/CPUAllocator.h>
#include <c10/core/CachingDeviceAllocator.h>
#include <c10/core/impl/alloc_cpu.h>
#include <malloc.h>

#include <algorithm>
#include <atomic>
#include <cstring>

namespace elastic::engine {
namespace {

// LibTorch's CPU allocator with an account: bytes handed out now, and the most since the last
// reset. What the process maps or frees on its own (heap growth, page cache) is not in it.
class CountingAllocator final : public c10::Allocator {
 public:
  c10::DataPtr allocate(std::size_t bytes) override {
    void* data = allocate_or_throw(bytes);
    count(static_cast<std::int64_t>(malloc_usable_size(data)));
    return {data, data, &release, c10::kCPU};
  }
  c10::DeleterFnPtr raw_deleter() const override { return &release; }
  void copy_data(void* target, const void* source, std::size_t bytes) const override {
    std::memcpy(target, source, bytes);
  }

  static std::int64_t now() { return now_.load(std::memory_order_relaxed); }
  static std::int64_t peak() { return peak_.load(std::memory_order_relaxed); }
  static void reset_peak() { peak_.store(now(), std::memory_order_relaxed); }

 private:
  // The type says what happened: LibTorch itself throws a plain c10::Error here.
  static void* allocate_or_throw(std::size_t bytes) {
    try {
      return c10::alloc_cpu(bytes);
    } catch (const c10::Error& error) {
      C10_THROW_ERROR(OutOfMemoryError, error.what_without_backtrace());
    }
  }
  static void count(std::int64_t bytes) {
    const std::int64_t now = now_.fetch_add(bytes, std::memory_order_relaxed) + bytes;
    std::int64_t peak = peak_.load(std::memory_order_relaxed);
    while (peak < now && !peak_.compare_exchange_weak(peak, now, std::memory_order_relaxed)) {
    }
  }
  static void release(void* data) {
    now_.fetch_sub(static_cast<std::int64_t>(malloc_usable_size(data)), std::memory_order_relaxed);
    c10::free_cpu(data);
  }

  static inline std::atomic<std::int64_t> now_{0}, peak_{0};
};

// Tensors made before the account exists are freed through the deleter they carry.
void install_counting_allocator() {
  static CountingAllocator allocator;
  static const bool installed = [] {
    c10::SetCPUAllocator(&allocator, /*priority=*/1);
    return true;
  }();
  static_cast<void>(installed);
}

constexpr std::size_t kAllPools = 0;  // index of the aggregate in the allocator's statistics

}  // namespace

MemoryMeter::MemoryMeter(c10::Device device) : device_(device) {
  if (device_.is_cpu()) {
    install_counting_allocator();
    CountingAllocator::reset_peak();
    start_ = CountingAllocator::now();
  } else {
    at::getDeviceAllocator(device.type())->resetPeakStats(device.index());
  }
}

std::int64_t MemoryMeter::peak_bytes() const {
  if (device_.is_cpu()) return CountingAllocator::peak() - start_;
  return at::getDeviceAllocator(device_.type())
      ->getDeviceStats(device_.index())
      .allocated_bytes[kAllPools]
      .peak;
}

}  // namespace elastic::engine
