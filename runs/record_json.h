#pragma once

// Records and run specs to and from JSON: the only place that knows the field names of a run folder
// (docs/run_format.md). Readers ignore unknown keys and give defaults to missing ones.
//
//   file.append(record_line(record));
//   SampleRecord again = record_from_json({parse_json(line, source), source});

#include <string>

#include "base/json.h"
#include "runs/record.h"

namespace elastic::runs {

/// One line with its newline. Unknown values become null; NaN and infinity too.
std::string record_line(const SampleRecord& record);

/// Throws kCorrupt naming source and key for a missing identity (key, mode, task, index) or a value
/// of the wrong kind.
SampleRecord record_from_json(const JsonSource& in);

Json spec_to_json(const RunSpec& spec);

/// Throws kCorrupt naming source and key, kUnsupported for a schema_version above kSchemaVersion.
RunSpec spec_from_json(const JsonSource& in);

}  // namespace elastic::runs
