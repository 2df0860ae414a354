#include "engine/device/memory_meter.h"

#include <c10/core/CPUAllocator.h>
#include <c10/core/CachingDeviceAllocator.h>
#include <c10/core/alignment.h>
#include <c10/util/Exception.h>

#include <atomic>
#include <cstdlib>
#include <cstring>
#include <limits>

namespace elastic::engine {
namespace {

// Aligned memory of the C library with an account: bytes handed out now, and the most since the
// last reset. What the process maps or frees on its own (heap growth, page cache) is not in it.
// LibTorch's own allocator ends the program where memory is refused; this one throws.
class CountingAllocator final : public c10::Allocator {
 public:
  c10::DataPtr allocate(std::size_t bytes) override {
    void* block = nullptr;
    TORCH_CHECK_WITH(OutOfMemoryError,
                     posix_memalign(&block, c10::gAlignment, bytes + kHeader) == 0,
                     "out of memory: an allocation of ", bytes, " bytes was refused");
    std::memcpy(block, &bytes, sizeof(bytes));
    count(static_cast<std::int64_t>(bytes));
    void* data = static_cast<char*>(block) + kHeader;
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
  static constexpr std::size_t kHeader = c10::gAlignment;  // in front of each block: its size

  static void count(std::int64_t bytes) {
    const std::int64_t now = now_.fetch_add(bytes, std::memory_order_relaxed) + bytes;
    std::int64_t peak = peak_.load(std::memory_order_relaxed);
    while (peak < now && !peak_.compare_exchange_weak(peak, now, std::memory_order_relaxed)) {
    }
  }
  static void release(void* data) {
    if (data == nullptr) return;
    char* block = static_cast<char*>(data) - kHeader;
    std::size_t bytes = 0;
    std::memcpy(&bytes, block, sizeof(bytes));
    now_.fetch_sub(static_cast<std::int64_t>(bytes), std::memory_order_relaxed);
    std::free(block);
  }

  static inline std::atomic<std::int64_t> now_{0}, peak_{0};
};

constexpr std::size_t kAllPools = 0;  // index of the aggregate in the allocator's statistics

}  // namespace

void count_cpu_memory() {
  static CountingAllocator allocator;
  constexpr std::uint8_t kPriority = 1;  // above LibTorch's own
  c10::SetCPUAllocator(&allocator, kPriority);
}

std::int64_t available_bytes(c10::Device device) {
  if (device.is_cpu()) return std::numeric_limits<std::int64_t>::max();
  at::DeviceAllocator& allocator = *at::getDeviceAllocator(device.type());
  const auto stats = allocator.getDeviceStats(device.index());
  const auto free = static_cast<std::int64_t>(allocator.getMemoryInfo(device.index()).first);
  const std::int64_t unused =  // free blocks that the allocator keeps
      stats.reserved_bytes[kAllPools].current - stats.allocated_bytes[kAllPools].current;
  return (free + unused) / 10 * 9;
}

MemoryMeter::MemoryMeter(c10::Device device) : device_(device) {
  if (device_.is_cpu()) {
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
