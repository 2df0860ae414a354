// Question sets (SQuAD, HotpotQA): any bytes are documents and questions over them, or an Error.

#include "base/error.h"
#include "datasets/question_set.h"
#include "tests/fuzz/input_files.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace elastic;
  static const testing::InputFile file;
  file.set(testing::input_text(data, size));
  for (const auto load : {datasets::load_squad, datasets::load_hotpotqa}) {
    try {
      const datasets::QuestionSet set = load(file.path());
      for (const datasets::Question& question : set.questions) {
        for (const std::size_t document : question.gold) {
          check(document < set.documents.size(), "a document of the set");
        }
        for (const std::size_t document : question.related) {
          check(document < set.documents.size(), "a document of the set");
        }
      }
    } catch (const Error&) {
    }
  }
  return 0;
}
