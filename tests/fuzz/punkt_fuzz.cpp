// Punkt's parameter files and a text (cut at zero bytes): any bytes are sentences within the text,
// of its prefixes too, or an Error.

#include "base/error.h"
#include "tasks/ruler/punkt.h"
#include "tests/fuzz/input_files.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace elastic;
  static const testing::InputFolder folder{"abbrev_types.txt", "collocations.tab",
                                           "sent_starters.txt", "ortho_context.tab"};
  const std::string_view input = testing::input_text(data, size);
  const std::size_t end = std::min(input.rfind('\0'), input.size());
  const std::string_view text = input.substr(std::min(end + 1, input.size()));
  folder.set(input.substr(0, end));
  try {
    const tasks::PunktParameters parameters = tasks::load_punkt(folder.path());
    const tasks::PrefixSentences prefixes(parameters, text);
    for (const std::size_t bytes : {text.size(), text.size() / 2, text.size() / 3}) {
      const auto sentences = tasks::punkt_sentences(parameters, text.substr(0, bytes));
      check(prefixes.sentences(bytes) == sentences, "a prefix splits as by itself");
      const char* last = text.data();
      for (const std::string_view sentence : sentences) {
        check(sentence.data() >= last, "sentences in order");
        last = sentence.data() + sentence.size();
        check(last <= text.data() + bytes, "sentences within the text");
      }
    }
  } catch (const Error&) {
  }
  return 0;
}
