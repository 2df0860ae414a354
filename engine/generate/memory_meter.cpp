#include "engine/generate/memory_meter.h"

#include <c10/core/CachingDeviceAllocator.h>

#include <algorithm>
#include <fstream>
#include <string>

namespace elastic::engine {
namespace {

// A "VmRSS:  123 kB" line of /proc/self/status, in bytes.
std::int64_t process_bytes(const std::string& key) {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with(key)) return std::stoll(line.substr(key.size())) * 1024;
  }
  return 0;
}

constexpr std::size_t kAllPools = 0;  // index of the aggregate in the allocator's statistics

}  // namespace

MemoryMeter::MemoryMeter(c10::Device device) : device_(device) {
  if (!device.is_cpu()) {
    at::getDeviceAllocator(device.type())->resetPeakStats(device.index());
    return;
  }
  std::ofstream("/proc/self/clear_refs") << "5";
  start_ = process_bytes("VmRSS:");
}

std::int64_t MemoryMeter::peak_bytes() const {
  if (device_.is_cpu()) return std::max<std::int64_t>(0, process_bytes("VmHWM:") - start_);
  return at::getDeviceAllocator(device_.type())
      ->getDeviceStats(device_.index())
      .allocated_bytes[kAllPools]
      .peak;
}

}  // namespace elastic::engine
