#pragma once

// What the NVIDIA driver says of a GPU at a moment, by its management library, which comes with the
// driver and is opened where it is. Torch-free.
//
//   const std::optional<Nvml> nvml = open_nvml();
//   if (nvml) const std::optional<GpuReading> now = read_gpu(*nvml, cuda_library().devices[0].pci);

#include <cstdint>
#include <optional>
#include <string>

namespace elastic::engine {

struct GpuReading {
  double sm_mhz = 0, sm_mhz_most = 0;  // clock of the multiprocessors, and the card's highest
  double watts = 0, watts_limit = 0;
  double celsius = 0;
  std::uint64_t held_back_by = 0;            // bits of kHeldBack
  std::optional<std::uint64_t> millijoules;  // since the driver was loaded, where it counts
  int processes = 0;                         // that compute on it, this one among them
};

/// Why a clock is below what it could be.
struct HeldBack {
  std::uint64_t bit;
  const char* name;
  bool spoils;  // a measurement; the others are how a card works under load or was set up
};
inline constexpr HeldBack kHeldBack[] = {
    {0x2, "application clocks", false}, {0x4, "power limit", false},
    {0x8, "hardware slowdown", true},   {0x10, "sync boost", false},
    {0x20, "heat (driver)", true},      {0x40, "heat (hardware)", true},
    {0x80, "power brake", true},        {0x100, "display clocks", false}};

/// Functions of the library, under the names of its C interface without `nvmlDevice`. 0 is success.
struct Nvml {
  using Device = void*;
  struct Process {
    unsigned pid;
    unsigned long long bytes;
    unsigned gpu_instance, compute_instance;
  };
  int (*handle_by_pci)(const char* pci, Device*) = nullptr;
  int (*clock)(Device, int kind, unsigned* mhz) = nullptr;
  int (*most_clock)(Device, int kind, unsigned* mhz) = nullptr;
  int (*power)(Device, unsigned* milliwatts) = nullptr;
  int (*power_limit)(Device, unsigned* milliwatts) = nullptr;
  int (*temperature)(Device, int sensor, unsigned* celsius) = nullptr;
  int (*clock_reasons)(Device, unsigned long long* bits) = nullptr;
  int (*energy)(Device, unsigned long long* millijoules) = nullptr;
  int (*processes)(Device, unsigned* count, Process*) = nullptr;
};

/// Nothing where there is no such library, or it is too old or does not start. It stays open.
std::optional<Nvml> open_nvml(const char* library = "libnvidia-ml.so.1");

/// Joules since the driver was loaded, by the device's energy counter; nothing where it has none.
std::optional<double> joules_of(const Nvml& nvml, const std::string& pci);

/// Nothing where the driver does not know the device or tells neither clock nor power of it.
std::optional<GpuReading> read_gpu(const Nvml& nvml, const std::string& pci);

}  // namespace elastic::engine
