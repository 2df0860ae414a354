#pragma once

// One HTTP transfer into a file, through libcurl: continued where the file already has bytes,
// redirects followed within http and https only. Used by pull.h alone.

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

#include "datasets/pull.h"

namespace elastic::datasets {

enum class TransferOutcome {
  kComplete,
  kBroken,   // worth another attempt: a break, a time-out, a busy server
  kRefused,  // this mirror does not have it
};

struct TransferRequest {
  std::string url;
  std::string token;           // bearer token; empty = none
  std::filesystem::path file;  // appended to
  std::int64_t expected_bytes = 0;
  const PullOptions* options = nullptr;
};

struct TransferResult {
  TransferOutcome outcome = TransferOutcome::kBroken;
  std::string reason;
};

/// Throws kIo where the file cannot be written.
TransferResult transfer(const TransferRequest& request);

/// Held while a part file is written: a second fetch of the same file is an error, not a mixture.
class PartLock {
 public:
  explicit PartLock(const std::filesystem::path& part);
  ~PartLock();
  PartLock(const PartLock&) = delete;
  PartLock& operator=(const PartLock&) = delete;

 private:
  std::filesystem::path path_;
  int fd_ = -1;
};

}  // namespace elastic::datasets
