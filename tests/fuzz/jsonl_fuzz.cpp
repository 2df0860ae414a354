// JSON lines and RULER prediction files: any bytes are rows or an Error.

#include <cstdint>
#include <string>
#include <vector>

#include "base/csv.h"
#include "base/error.h"
#include "tasks/scoring/ruler_predictions.h"
#include "tasks/scoring/ruler_scores.h"
#include "tests/fuzz/input_files.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace elastic;
  static const testing::InputFile file;
  file.set(testing::input_text(data, size));
  const std::vector<std::filesystem::path> path = {file.path()};
  try {
    const std::vector<tasks::RulerTaskResult> results = {
        tasks::score_ruler_task("vt", "string_match_all", tasks::read_ruler_predictions(path))};
    tasks::ruler_summary_csv(results);
    // What was written as CSV reads back, field for field.
    const auto rows = parse_csv(tasks::ruler_submission_csv(results), "own");
    check(rows.size() == results[0].predictions.size() + 1, "rows of submission.csv");
  } catch (const Error&) {
  }
  return 0;
}
