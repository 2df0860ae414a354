#pragma once

// An advisory lock on a file of its own, so that two processes do not write into one folder.
//
//   const FileLock lock(folder / ".lock", FileLock::Wait::kNo);
//
// Closing the file releases it, so a process that dies leaves no stale lock; the empty file stays.

#include <filesystem>

namespace elastic {

class FileLock {
 public:
  enum class Wait { kYes, kNo };

  /// Creates the file. kInvalidArgument naming its folder where another process holds the lock and
  /// `wait` is kNo; kIo where the file cannot be made. A file system without locks is a warning.
  FileLock(const std::filesystem::path& path, Wait wait);
  ~FileLock();
  FileLock(const FileLock&) = delete;
  FileLock& operator=(const FileLock&) = delete;

 private:
  int fd_ = -1;
};

}  // namespace elastic
