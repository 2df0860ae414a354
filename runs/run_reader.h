#pragma once

// The parts of reading that the writer shares with read_run(): sample files line by line, and which
// record of a key counts.
//
//   SampleFile file = read_sample_file("runs/a/samples.rank0.jsonl", notes);

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "runs/record.h"

namespace elastic::runs {

struct SampleFile {
  std::vector<SampleRecord> records;  // in file order, keys may repeat
  std::int64_t whole_bytes = 0;       // up to and including the last newline
  std::int64_t torn_bytes = 0;        // after it
};

/// Lines that are no records, and a torn tail, are passed over with a note. kIo where unreadable.
SampleFile read_sample_file(const std::filesystem::path& path, std::vector<std::string>& notes);

/// samples.rank<N>.jsonl files of a folder, by rank.
std::vector<std::filesystem::path> sample_files(const std::filesystem::path& folder);

/// One record a key: an ok one wins over others, else the later one; order of first appearance.
std::vector<SampleRecord> latest_records(std::vector<SampleRecord> records);

}  // namespace elastic::runs
