// run.json and samples.rank<N>.jsonl: any bytes are a spec, records with notes, or an Error; what
// was read is written back to the same line.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "runs/record_json.h"
#include "runs/run_reader.h"
#include "tests/fuzz/input_files.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace elastic;
  const std::string_view text = testing::input_text(data, size);
  try {
    const runs::RunSpec spec = runs::spec_from_json({parse_json(text, "run"), "run.json"});
    const Json json = runs::spec_to_json(spec);
    check(runs::spec_to_json(runs::spec_from_json({json, "own"})) == json, "spec round trip");
  } catch (const Error&) {
  }
  static const testing::InputFile file;
  file.set(text);
  std::vector<std::string> notes;
  const runs::SampleFile samples = runs::read_sample_file(file.path(), notes);
  check(samples.whole_bytes + samples.torn_bytes == static_cast<std::int64_t>(size), "all bytes");
  for (const runs::SampleRecord& record : samples.records) {
    const std::string line = runs::record_line(record);
    const Json json = parse_json(line, "own");
    check(runs::record_line(runs::record_from_json({json, "own"})) == line, "line round trip");
  }
  runs::latest_records(samples.records);
  return 0;
}
