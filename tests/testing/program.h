#pragma once

// Runs the built program as a user does and keeps what it says.
//
//   Program program(ELASTIC_BENCH_BINARY, {"run", "--model", "demo"});
//   program.signal(SIGINT);
//   const ProgramResult result = program.wait();

#include <sys/types.h>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tests/testing/folders.h"

namespace elastic::testing {

/// Whether the program is built with LibTorch; preset `core` is not.
extern const bool kHasEngine;
inline constexpr const char* kNoEngine = "built without the engine";

struct ProgramResult {
  int code = 0;  // exit status; 128 + number where a signal ended it
  std::string out, err;

  bool says(std::string_view part) const {
    return out.find(part) != std::string::npos || err.find(part) != std::string::npos;
  }
};

inline bool contains(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

class Program {
 public:
  using Variables = std::vector<std::pair<std::string, std::string>>;

  /// Starts at once. `variables` are added to the environment; `file_limit` (bytes, 0 = none) is
  /// the size beyond which no file of the child can grow: a full disk.
  Program(const char* binary, const std::vector<std::string>& arguments,
          const Variables& variables = {}, std::size_t file_limit = 0);
  void signal(int number) const;
  /// Until the program has a handler for the signal; a signal before ends it at once.
  void wait_until_handled(int number) const;
  /// True once it has said `part` on standard error; false where it has not within 30 s.
  bool wait_for(std::string_view part) const;
  ProgramResult wait();

 private:
  TemporaryFolder folder_;
  pid_t pid_ = -1;
};

}  // namespace elastic::testing
