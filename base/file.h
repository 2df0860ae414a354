#pragma once

// Files: whole reads, atomic writes, durable appends, read-only maps. Every failure is an Error
// naming the path and the system's reason.

#include <cstdint>
#include <filesystem>
#include <iosfwd>
#include <span>
#include <string>
#include <string_view>

namespace elastic {

/// Whole file as bytes. kNotFound where it does not exist, kIo otherwise. `-` is standard input.
std::string read_file(const std::filesystem::path& path);

/// What readers of long files take at a time, bytes.
inline constexpr std::size_t kReadChunk = std::size_t{1} << 20;

/// A stream to read a file in parts. kNotFound where it does not exist, kIo otherwise.
std::ifstream open_binary(const std::filesystem::path& path);

/// Writes beside the target, syncs, renames: a reader sees the old file or the new one, never a
/// part.
void write_file_atomic(const std::filesystem::path& path, std::string_view bytes);

/// Creates a folder and its parents. kIo with the reason.
void create_folders(const std::filesystem::path& path);

/// Read-only memory map; empty files map to an empty span. Movable, unmaps on destruction.
class MappedFile {
 public:
  explicit MappedFile(const std::filesystem::path& path);
  ~MappedFile();
  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&&) = delete;
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  std::span<const std::uint8_t> bytes() const { return {data_, size_}; }

 private:
  const std::uint8_t* data_ = nullptr;
  std::size_t size_ = 0;
};

/// Append-only file for records that must survive a crash: `append` writes the whole text, then
/// syncs to disk before it returns. After a failed append the file is cut back to its last good
/// length, so a full disk never leaves a torn record behind.
class AppendFile {
 public:
  explicit AppendFile(const std::filesystem::path& path);
  ~AppendFile();
  AppendFile(const AppendFile&) = delete;
  AppendFile& operator=(const AppendFile&) = delete;

  void append(std::string_view text);

 private:
  std::filesystem::path path_;
  int fd_ = -1;
};

}  // namespace elastic
