#include "engine/api/gpu_watch.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <utility>

#include "engine/device/cuda_library.h"
#include "engine/generate/gpu_conditions.h"

namespace elastic::engine {
namespace {

constexpr auto kPause = std::chrono::milliseconds(200);

double median_of(std::span<const GpuReading> readings, double GpuReading::*part) {
  std::vector<double> values;
  for (const GpuReading& reading : readings) values.push_back(reading.*part);
  const auto middle = values.begin() + std::ssize(values) / 2;
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

}  // namespace

std::optional<GpuConditions> conditions_of(std::span<const GpuReading> readings) {
  if (readings.empty()) return std::nullopt;
  const GpuReading &first = readings.front(), &last = readings.back();
  GpuConditions found{.sm_mhz = median_of(readings, &GpuReading::sm_mhz),
                      .sm_mhz_least = first.sm_mhz,
                      .sm_mhz_most = last.sm_mhz_most,
                      .watts = median_of(readings, &GpuReading::watts),
                      .watts_limit = last.watts_limit};
  std::uint64_t reasons = 0;
  int processes = 0;
  for (const GpuReading& reading : readings) {
    found.sm_mhz_least = std::min(found.sm_mhz_least, reading.sm_mhz);
    found.celsius = std::max(found.celsius, reading.celsius);
    reasons |= reading.held_back_by;
    processes = std::max(processes, reading.processes);
  }
  if (first.millijoules && last.millijoules) {
    found.joules = static_cast<double>(*last.millijoules - *first.millijoules) / 1000;
  }
  for (const HeldBack& reason : kHeldBack) {
    if ((reasons & reason.bit) == 0) continue;
    found.held_back_by.emplace_back(reason.name);
    if (reason.spoils) {
      found.spoiled_by.push_back(fmt::format("the GPU was held back by {}", reason.name));
    }
  }
  if (processes > 1) {
    found.spoiled_by.push_back(fmt::format("{} other process{} computed on the GPU", processes - 1,
                                           processes == 2 ? "" : "es"));
  }
  return found;
}

struct GpuWatch::Thread {
  Nvml nvml;
  std::string pci;
  std::vector<GpuReading> readings;
  std::mutex mutex;
  std::condition_variable ended;
  bool ends = false;
  std::thread thread;

  Thread(const Nvml& library, std::string device) : nvml(library), pci(std::move(device)) {}

  void read() {
    if (const auto now = read_gpu(nvml, pci)) readings.push_back(*now);
  }

  void run() {
    std::unique_lock lock(mutex);
    do {
      read();
    } while (!ended.wait_for(lock, kPause, [this] { return ends; }));
    read();
  }
};

GpuWatch::GpuWatch(const std::string& device) {
  if (device == "cpu" || cuda_library().devices.empty()) return;
  const std::optional<Nvml> nvml = open_nvml();
  if (!nvml) return;
  thread_ = std::make_unique<Thread>(*nvml, cuda_library().devices.front().pci);
  thread_->thread = std::thread([this] { thread_->run(); });
}

GpuWatch::~GpuWatch() { stop(); }

std::optional<GpuConditions> GpuWatch::stop() {
  if (thread_ == nullptr) return std::nullopt;
  {
    const std::lock_guard lock(thread_->mutex);
    thread_->ends = true;
  }
  thread_->ended.notify_one();
  thread_->thread.join();
  const std::optional<GpuConditions> found = conditions_of(thread_->readings);
  thread_.reset();
  return found;
}

}  // namespace elastic::engine
