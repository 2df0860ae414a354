// LongBench prediction files, LongBench-V2 results and streamed rows: any bytes are rows or an
// Error.

#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <string>

#include "base/error.h"
#include "datasets/object_stream.h"
#include "tasks/longbench/evaluate.h"
#include "tasks/longbench/v2_scores.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace elastic;
  static const int file = ::memfd_create("rows", 0);
  if (::ftruncate(file, 0) != 0 || ::pwrite(file, data, size, 0) != static_cast<ssize_t>(size)) {
    return 0;
  }
  const std::filesystem::path path = "/proc/self/fd/" + std::to_string(file);
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
