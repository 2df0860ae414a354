#pragma once

// Files: whole reads, atomic writes, durable appends, read-only maps. Every failure is an Error
// naming the path and the system's reason.
//
// Inputs are files: a folder, a pipe or a device under an input's name is refused before a byte is
// read, since a pipe may never come and a device may never end.

#include <cstdint>
#include <filesystem>
#include <iosfwd>
#include <span>
#include <string>
#include <string_view>

namespace elastic {

/// Throws kNotFound where nothing is there, kInvalidArgument where it is no file, kIo. For readers
/// that open by name themselves (zip, gzip); those below do it by themselves.
void require_file(const std::filesystem::path& path);

/// Whole file as bytes. Throws as require_file(). `-` is standard input.
std::string read_file(const std::filesystem::path& path);

/// What readers of long files take at a time, bytes.
inline constexpr std::size_t kReadChunk = std::size_t{1} << 20;

/// A stream to read a file in parts. Throws as require_file().
std::ifstream open_binary(const std::filesystem::path& path);

/// A file that is written beside its target and takes the target's place when it is whole: a reader
/// sees the old file or the new one, never a part. The temporary file is always a new one; neither
/// a link nor another's file under its name is written to. Throws kInvalidArgument where no file
/// can be at that place (no such folder, a folder itself), kIo where the system refuses.
///
///   AtomicFile file(path);
///   file.write(bytes);
///   file.commit();       // synced, renamed; without it nothing is left
class AtomicFile {
 public:
  explicit AtomicFile(const std::filesystem::path& target);
  ~AtomicFile();
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  void write(std::string_view bytes);
  void commit();

 private:
  std::filesystem::path target_, temporary_;
  int fd_ = -1;
};

/// The whole content at once.
void write_file_atomic(const std::filesystem::path& path, std::string_view bytes);

/// Copies the bytes of a file to an AtomicFile. Throws as require_file(), and Interrupted.
void copy_file_atomic(const std::filesystem::path& from, const std::filesystem::path& to);

/// Creates a folder and its parents. Throws as AtomicFile.
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
