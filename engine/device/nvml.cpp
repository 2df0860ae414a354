#include "engine/device/nvml.h"

#include <dlfcn.h>

#include <array>

namespace elastic::engine {
namespace {

constexpr int kSmClock = 1, kGpuSensor = 0;  // nvmlClockType_t, nvmlTemperatureSensors_t
constexpr double kMilli = 1e-3;

template <typename Function>
void find(void* handle, const char* name, Function& function, bool& all) {
  function = reinterpret_cast<Function>(dlsym(handle, name));
  all = all && function != nullptr;
}

// A number that the driver may refuse.
template <typename Number, typename Function, typename... Arguments>
std::optional<Number> asked(Function function, Arguments... arguments) {
  Number value = 0;
  if (function(arguments..., &value) != 0) return std::nullopt;
  return value;
}

int processes_on(const Nvml& nvml, Nvml::Device device) {
  std::array<Nvml::Process, 64> found{};
  auto count = static_cast<unsigned>(found.size());
  return nvml.processes(device, &count, found.data()) == 0 ? static_cast<int>(count) : 0;
}

}  // namespace

std::optional<Nvml> open_nvml(const char* library) {
  void* handle = dlopen(library, RTLD_LAZY | RTLD_LOCAL);
  if (handle == nullptr) return std::nullopt;
  Nvml nvml;
  int (*init)() = nullptr;
  bool all = true;
  find(handle, "nvmlInit_v2", init, all);
  find(handle, "nvmlDeviceGetHandleByPciBusId_v2", nvml.handle_by_pci, all);
  find(handle, "nvmlDeviceGetClockInfo", nvml.clock, all);
  find(handle, "nvmlDeviceGetMaxClockInfo", nvml.most_clock, all);
  find(handle, "nvmlDeviceGetPowerUsage", nvml.power, all);
  find(handle, "nvmlDeviceGetEnforcedPowerLimit", nvml.power_limit, all);
  find(handle, "nvmlDeviceGetTemperature", nvml.temperature, all);
  find(handle, "nvmlDeviceGetCurrentClocksThrottleReasons", nvml.clock_reasons, all);
  find(handle, "nvmlDeviceGetTotalEnergyConsumption", nvml.energy, all);
  find(handle, "nvmlDeviceGetComputeRunningProcesses_v3", nvml.processes, all);
  if (!all || init() != 0) return std::nullopt;
  return nvml;
}

std::optional<double> joules_of(const Nvml& nvml, const std::string& pci) {
  Nvml::Device device = nullptr;
  if (nvml.handle_by_pci(pci.c_str(), &device) != 0) return std::nullopt;
  const auto millijoules = asked<unsigned long long>(nvml.energy, device);
  return millijoules ? std::optional(static_cast<double>(*millijoules) * kMilli) : std::nullopt;
}

std::optional<GpuReading> read_gpu(const Nvml& nvml, const std::string& pci) {
  Nvml::Device device = nullptr;
  if (nvml.handle_by_pci(pci.c_str(), &device) != 0) return std::nullopt;
  const auto clock = asked<unsigned>(nvml.clock, device, kSmClock);
  const auto power = asked<unsigned>(nvml.power, device);
  if (!clock || !power) return std::nullopt;
  GpuReading now;
  now.sm_mhz = *clock;
  now.sm_mhz_most = asked<unsigned>(nvml.most_clock, device, kSmClock).value_or(0);
  now.watts = *power * kMilli;
  now.watts_limit = asked<unsigned>(nvml.power_limit, device).value_or(0) * kMilli;
  now.celsius = asked<unsigned>(nvml.temperature, device, kGpuSensor).value_or(0);
  now.held_back_by = asked<unsigned long long>(nvml.clock_reasons, device).value_or(0);
  now.millijoules = asked<unsigned long long>(nvml.energy, device);
  now.processes = processes_on(nvml, device);
  return now;
}

}  // namespace elastic::engine
