// Cached RULER data: any bytes are the set that was written, or nothing;
// its lines are records or an Error.

#include "base/error.h"
#include "tasks/ruler/generate_cache.h"
#include "tasks/ruler/record.h"
#include "tests/fuzz/input_files.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace elastic;
  const std::string_view text = testing::input_text(data, size);
  if (const auto set = tasks::parse_cache_entry(text)) {
    const auto again = tasks::parse_cache_entry(tasks::cache_entry(*set));
    check(again && again->lines == set->lines && again->data_id == set->data_id, "the same set");
  }
  // The hash keeps foreign lines out of a cache; as lines they are read all the same.
  tasks::GeneratedSet own;
  own.lines = {std::string(text.substr(0, text.find('\n')))};
  if (const auto set = tasks::parse_cache_entry(tasks::cache_entry(own))) {
    for (const std::string& line : set->lines) {
      try {
        tasks::record_line(tasks::parse_record(line, "fuzz"), tasks::Vintage::kGenB);
      } catch (const Error&) {
      }
    }
  }
  return 0;
}
