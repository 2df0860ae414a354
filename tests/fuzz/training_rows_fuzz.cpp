// Rows of training data: any bytes are documents with an answer behind a prompt, or an Error.

#include "base/error.h"
#include "engine/api/tokenizer.h"
#include "tasks/training/file_row.h"
#include "tests/fuzz/input_files.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace elastic;
  // From the repository root, where scripts/fuzz.sh runs its targets.
  static const engine::Tokenizer tokenizer = engine::Tokenizer::load("models/demo");
  static const tasks::FileOptions options = [] {
    tasks::FileOptions o;
    o.tasks = {{"Single QA", 1}, {"Code", 1}};
    o.wrappings = tasks::task_wrappings(tasks::kBuiltinPrompts, {});
    return o;
  }();
  try {
    const Json row = parse_json(testing::input_text(data, size), "fuzz");
    for (const auto& document : tasks::read_row(row, "fuzz", options, tokenizer)) {
      check(document.is_answer.size() == document.ids.size(), "a flag for each token");
      check(document.prompt_tokens > 0, "a prompt");
      check(document.prompt_tokens < static_cast<std::int64_t>(document.ids.size()), "an answer");
      check(document.task >= 0 && document.task < 2, "a task");
    }
  } catch (const Error&) {
  }
  return 0;
}
