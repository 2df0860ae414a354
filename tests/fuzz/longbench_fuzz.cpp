// LongBench prediction files, LongBench-V2 results and streamed rows:
// any bytes are rows or an Error.

#include <cstdint>
#include <string>

#include "base/error.h"
#include "datasets/object_stream.h"
#include "tasks/scoring/evaluate.h"
#include "tasks/scoring/v2_scores.h"
#include "tests/fuzz/input_files.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace elastic;
  static const testing::InputFile file;
  file.set(testing::input_text(data, size));
  const std::filesystem::path path = file.path();
  for (const char* set : {"trec", "samsum", "lcc", "passage_retrieval_en"}) {
    try {
      const auto result = tasks::evaluate_longbench_file({path, set}, {});
      tasks::longbench_result_json(std::span(&result.scores, 1), true);
    } catch (const Error&) {
    }
  }
  try {
    const tasks::V2Set v2 = tasks::read_v2_predictions(path);
    tasks::v2_result_text(std::span(&v2, 1), {.compensated = true});
  } catch (const Error&) {
  }
  try {
    datasets::ObjectStream rows(path);
    while (const auto row = rows.next()) {
      check(datasets::read_object(path, row->offset, row->text.size()) == row->text, "same bytes");
    }
  } catch (const Error&) {
  }
  return 0;
}
