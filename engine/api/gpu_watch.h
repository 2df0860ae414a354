#pragma once

// How a GPU fared while something was measured on it: clocks, power, heat, who else computed there.
// A thread of its own asks the driver five times a second. Torch-free.
//
//   GpuWatch watch("auto");
//   ...
//   const std::optional<GpuConditions> conditions = watch.stop();

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace elastic::engine {

struct GpuConditions {
  double sm_mhz = 0, sm_mhz_least = 0, sm_mhz_most = 0;  // median, least; what the card can do
  double watts = 0, watts_limit = 0;                     // median
  double celsius = 0;                                    // highest
  std::optional<double> joules;           // in all, by the driver's counter; none where it has none
  std::vector<std::string> held_back_by;  // "power limit", ...
  std::vector<std::string> spoiled_by;    // what makes a measurement on it worthless
};

class GpuWatch {
 public:
  /// Watches the GPU that `device` (auto, cuda, cpu) stands for; nothing where it is none.
  explicit GpuWatch(const std::string& device);
  ~GpuWatch();
  GpuWatch(const GpuWatch&) = delete;
  GpuWatch& operator=(const GpuWatch&) = delete;

  /// Ends the watch. Nothing on a CPU, and where the driver says nothing.
  std::optional<GpuConditions> stop();

 private:
  struct Thread;
  std::unique_ptr<Thread> thread_;
};

}  // namespace elastic::engine
