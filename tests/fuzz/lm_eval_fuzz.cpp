// samples_TASK_TIME.jsonl of lm-evaluation-harness: any bytes are samples or an Error.

#include <cstdint>
#include <string>

#include "base/error.h"
#include "tasks/scoring/lm_eval_samples.h"
#include "tests/fuzz/input_files.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace elastic;
  static const testing::InputFile file;
  file.set(testing::input_text(data, size));
  try {
    tasks::read_lm_eval_samples(file.path());
  } catch (const Error&) {
  }
  return 0;
}
