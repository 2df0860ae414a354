#include "harness/evaluate/timing_facts.h"

#include <fmt/format.h>

#include <fstream>
#include <thread>

#include "base/text.h"
#include "engine/api/make_generator.h"

namespace elastic::harness {

std::map<std::string, std::string> timing_facts(const engine::Generator& generator,
                                                const RunOptions& options) {
  const std::string faults = join(engine::fallbacks(options.device, generator.device(),
                                                    generator.dtype(), generator.model().head_dim),
                                  "; ");
  const bool cpu = generator.device() == "cpu";
  std::map<std::string, std::string> facts{
      {"timing", options.timing ? "yes" : "no"},
      {"attention_kernel", cpu ? "CPU tiles (engine/kernels)" : "GPU (libelastic_cuda.so)"}};
  if (!faults.empty()) facts["timing_faults"] = faults;
  std::string load;
  if (options.timing && std::ifstream("/proc/loadavg") >> load)
    facts["load_average"] =
        fmt::format("{} on {} cores", load, std::thread::hardware_concurrency());
  return facts;
}

std::map<std::string, std::string> gpu_facts(const engine::GpuConditions& gpu) {
  std::map<std::string, std::string> facts{
      {"gpu_meanwhile",
       fmt::format("{:.0f} MHz (least {:.0f}, at most {:.0f}), {:.0f} of {:.0f} W, {:.0f} C, held "
                   "back by: {}",
                   gpu.sm_mhz, gpu.sm_mhz_least, gpu.sm_mhz_most, gpu.watts, gpu.watts_limit,
                   gpu.celsius,
                   gpu.held_back_by.empty() ? "nothing" : join(gpu.held_back_by, ", "))}};
  if (!gpu.spoiled_by.empty()) facts["gpu_spoiled_by"] = join(gpu.spoiled_by, "; ");
  return facts;
}

}  // namespace elastic::harness
