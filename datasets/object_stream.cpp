#include "datasets/object_stream.h"

#include <fmt/format.h>

#include "base/error.h"
#include "base/file.h"
#include "base/interrupt.h"
#include "base/text.h"

namespace elastic::datasets {
ObjectStream::ObjectStream(const std::filesystem::path& path, std::size_t max_bytes)
    : name_(path.string()), max_bytes_(max_bytes), file_(open_binary(path)) {
  fill();
  if (buffer_.starts_with(kByteOrderMark)) at_ = kByteOrderMark.size();
}

std::string ObjectStream::where() const { return fmt::format("{}, row {}", name_, row_); }

void ObjectStream::fail(std::string_view what) const {
  throw Error(ErrorKind::kCorrupt,
              fmt::format("{}, byte {}: {}", name_, base_ + static_cast<std::int64_t>(at_), what));
}

// The next chunk; false at the end of the file.
bool ObjectStream::fill() {
  stop_if_interrupted();
  base_ += static_cast<std::int64_t>(buffer_.size());
  buffer_.resize(kReadChunk);
  file_.read(buffer_.data(), static_cast<std::streamsize>(kReadChunk));
  buffer_.resize(static_cast<std::size_t>(file_.gcount()));
  at_ = 0;
  if (file_.bad()) throw Error(ErrorKind::kIo, fmt::format("{}: cannot read", name_));
  return !buffer_.empty();
}

// The next character that is no white space, not taken; nothing at the end.
std::optional<char> ObjectStream::skip_space(bool* line_end) {
  while (true) {
    for (; at_ < buffer_.size(); ++at_) {
      const char c = buffer_[at_];
      if (c == '\n' && line_end != nullptr) *line_end = true;
      if (std::string_view(" \t\r\n").find(c) == std::string_view::npos) return c;
    }
    if (!fill()) return std::nullopt;
  }
}

// Goes to the opening brace of the next object; false where there is none.
bool ObjectStream::to_next() {
  if (done_) return false;
  const bool first = row_ < 0;
  bool line_end = false, closed = false;
  std::optional<char> c = skip_space(&line_end);
  if (first && c == '[') {
    array_ = true;
    ++at_;
    c = skip_space();
    closed = c == ']';
  } else if (!first && array_) {
    closed = c == ']';
    if (c && !closed && c != ',') fail("expected a comma between two objects");
    if (c == ',') {
      ++at_;
      c = skip_space();
    }
  } else if (!first && c && !line_end) {
    fail("expected a line end between two objects");
  }
  if (array_ && !c) fail("the file ends before the array is closed; its last rows are missing");
  if (closed) {
    ++at_;
    if (skip_space()) fail("expected nothing behind the array");
  }
  done_ = closed || !c;
  if (!done_ && c != '{') fail("expected an object, or an array of objects");
  return !done_;
}

// The buffer from `begin` to where reading stands.
void ObjectStream::append(ObjectText& object, std::size_t begin) const {
  object.text.append(buffer_, begin, at_ - begin);
  if (object.text.size() > max_bytes_) {
    fail(fmt::format("an object of more than {}",
                     format_bytes(static_cast<std::int64_t>(max_bytes_))));
  }
}

std::optional<ObjectText> ObjectStream::next() {
  if (!to_next()) return std::nullopt;
  ++row_;
  ObjectText object{.text = {}, .offset = base_ + static_cast<std::int64_t>(at_)};
  int depth = 0;
  bool in_string = false, escaped = false;
  std::size_t begin = at_;
  while (true) {
    for (; at_ < buffer_.size(); ++at_) {
      const char c = buffer_[at_];
      if (in_string) {
        if (escaped) {
          escaped = false;
        } else if (c == '\\') {
          escaped = true;
        } else if (c == '"') {
          in_string = false;
        }
      } else if (c == '"') {
        in_string = true;
      } else if (c == '{') {
        ++depth;
      } else if (c == '}' && --depth == 0) {
        ++at_;
        append(object, begin);
        return object;
      }
    }
    append(object, begin);
    if (!fill()) fail("the file ends within an object");
    begin = 0;
  }
}

std::string read_object(const std::filesystem::path& path, std::int64_t offset, std::size_t bytes) {
  std::ifstream file = open_binary(path);
  std::string text(bytes, '\0');
  file.seekg(offset);
  file.read(text.data(), static_cast<std::streamsize>(bytes));
  if (static_cast<std::size_t>(file.gcount()) != bytes) {
    throw Error(ErrorKind::kCorrupt,
                fmt::format("{}: ends before byte {}; the file changed while it was in use",
                            path.string(), offset + static_cast<std::int64_t>(bytes)));
  }
  return text;
}

}  // namespace elastic::datasets
