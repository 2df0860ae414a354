#pragma once

// JSON objects out of a file of any size, one at a time: an array of objects, or objects one a
// line. The memory of one object is held, however large the file is.
//
//   ObjectStream rows("longbench_v2/data.json");
//   while (auto row = rows.next()) use(row->text, row->offset);
//   std::string again = read_object("longbench_v2/data.json", row.offset, row.text.size());

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>

namespace elastic::datasets {

struct ObjectText {
  std::string text;         // from its opening to its closing brace
  std::int64_t offset = 0;  // of the brace in the file
};

class ObjectStream {
 public:
  /// Throws kNotFound, kIo. Objects beyond `max_bytes` are kCorrupt.
  explicit ObjectStream(const std::filesystem::path& path,
                        std::size_t max_bytes = std::size_t{256} << 20);
  ObjectStream(const ObjectStream&) = delete;
  ObjectStream& operator=(const ObjectStream&) = delete;

  /// Throws kCorrupt naming file and byte where anything but objects stands there, where a comma
  /// (of an array) or a line end (of lines) between two is missing, and where the file ends within
  /// an object or before the array is closed.
  std::optional<ObjectText> next();

  /// "FILE, row N", counted from 0, of the object last returned.
  std::string where() const;

 private:
  bool fill();
  std::optional<char> skip_space(bool* line_end = nullptr);
  bool to_next();
  void append(ObjectText& object, std::size_t begin) const;
  [[noreturn]] void fail(std::string_view what) const;

  std::string name_;
  std::size_t max_bytes_;
  std::ifstream file_;
  std::string buffer_;
  std::size_t at_ = 0;
  std::int64_t base_ = 0;  // offset of the buffer in the file
  std::int64_t row_ = -1;
  bool array_ = false, done_ = false;
};

/// The bytes of one object. Throws kIo, kCorrupt where the file has become shorter.
std::string read_object(const std::filesystem::path& path, std::int64_t offset, std::size_t bytes);

}  // namespace elastic::datasets
