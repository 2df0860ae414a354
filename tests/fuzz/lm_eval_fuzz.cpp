// samples_TASK_TIME.jsonl of lm-evaluation-harness: any bytes are samples or an Error.

#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <string>

#include "base/error.h"
#include "tasks/lm_eval_samples.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace elastic;
  static const int file = ::memfd_create("samples", 0);
  if (::ftruncate(file, 0) != 0 || ::pwrite(file, data, size, 0) != static_cast<ssize_t>(size)) {
    return 0;
  }
  try {
    tasks::read_lm_eval_samples("/proc/self/fd/" + std::to_string(file));
  } catch (const Error&) {
  }
  return 0;
}
