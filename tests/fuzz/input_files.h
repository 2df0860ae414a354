#pragma once

// The input of a fuzz target as the files that a parser opens by name, without a disk.

#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <filesystem>
#include <initializer_list>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace elastic::testing {

inline std::string_view input_text(const std::uint8_t* data, std::size_t size) {
  return {reinterpret_cast<const char*>(data), size};
}

/// A file in memory that holds one content after the other.
class InputFile {
 public:
  InputFile() : fd_(::memfd_create("input", 0)) {}
  ~InputFile() { ::close(fd_); }
  InputFile(const InputFile&) = delete;
  InputFile& operator=(const InputFile&) = delete;

  std::filesystem::path path() const { return "/proc/self/fd/" + std::to_string(fd_); }

  void set(std::string_view bytes) const {
    if (::ftruncate(fd_, 0) != 0 ||
        ::pwrite(fd_, bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size())) {
      throw std::runtime_error("a memory file cannot be written");
    }
  }

 private:
  int fd_;
};

/// A folder of such files under given names. An input is cut at its first zero bytes, one part a
/// file; the last one takes the rest, missing ones are empty.
class InputFolder {
 public:
  InputFolder(std::initializer_list<const char*> names) : files_(names.size()) {
    std::string pattern = (std::filesystem::temp_directory_path() / "fuzz-XXXXXX").string();
    if (::mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("mkdtemp failed");
    path_ = pattern;
    auto file = files_.begin();
    for (const char* name : names) std::filesystem::create_symlink((file++)->path(), path_ / name);
  }
  ~InputFolder() { std::filesystem::remove_all(path_); }
  InputFolder(const InputFolder&) = delete;
  InputFolder& operator=(const InputFolder&) = delete;

  const std::filesystem::path& path() const { return path_; }

  void set(std::string_view input) const {
    for (const InputFile& file : files_) {
      const std::size_t end = &file == &files_.back() ? std::string_view::npos : input.find('\0');
      file.set(input.substr(0, end));
      input.remove_prefix(end == std::string_view::npos ? input.size() : end + 1);
    }
  }

 private:
  std::vector<InputFile> files_;
  std::filesystem::path path_;
};

}  // namespace elastic::testing
