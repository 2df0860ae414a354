#include "datasets/jsonl.h"

#include <fmt/format.h>

#include <iostream>

#include "base/error.h"
#include "base/file.h"
#include "base/interrupt.h"
#include "base/text.h"

namespace elastic::datasets {
JsonlReader::JsonlReader(const std::filesystem::path& path, std::size_t max_line_bytes,
                         LoneSurrogates surrogates)
    : name_(path == "-" ? "standard input" : path.string()),
      max_line_bytes_(max_line_bytes),
      surrogates_(surrogates),
      in_(&std::cin) {
  if (path == "-") return;
  file_ = open_binary(path);
  in_ = &file_;
}

std::string JsonlReader::where() const { return fmt::format("{}, line {}", name_, line_); }

bool JsonlReader::read_line(std::string& text, bool& complete) {
  text.clear();
  complete = false;
  while (true) {
    const std::size_t end = buffer_.find('\n', position_);
    const bool found = end != std::string::npos;
    text.append(buffer_, position_, (found ? end : buffer_.size()) - position_);
    if (text.size() > max_line_bytes_) {
      throw Error(ErrorKind::kCorrupt,
                  fmt::format("{}, line {}: longer than {}", name_, line_ + 1,
                              format_bytes(static_cast<std::int64_t>(max_line_bytes_))));
    }
    if (found) {
      position_ = end + 1;
      complete = true;
      return true;
    }
    stop_if_interrupted();
    buffer_.resize(kReadChunk);
    in_->read(buffer_.data(), static_cast<std::streamsize>(kReadChunk));
    buffer_.resize(static_cast<std::size_t>(in_->gcount()));
    position_ = 0;
    if (in_->bad()) throw Error(ErrorKind::kIo, fmt::format("{}: cannot read", name_));
    if (buffer_.empty()) return !text.empty();
  }
}

std::optional<Json> JsonlReader::next() {
  std::string text;
  bool complete = false;
  while (read_line(text, complete)) {
    ++line_;
    if (surrogates_ == LoneSurrogates::kReplace) replace_lone_surrogates(text);
    std::string_view body = text;
    if (line_ == 1 && body.starts_with(kByteOrderMark)) body.remove_prefix(kByteOrderMark.size());
    if (strip(body).empty()) continue;
    try {
      Json row = parse_json(body, where());
      if (!row.is_object()) {
        throw Error(ErrorKind::kCorrupt, fmt::format("{}: expected a JSON object", where()));
      }
      return row;
    } catch (const Error& error) {
      if (complete) throw;
      throw Error(ErrorKind::kCorrupt,
                  fmt::format("{}: the last line is cut off after {} bytes (the file was not "
                              "written to its end): {}",
                              where(), body.size(), error.what()));
    }
  }
  return std::nullopt;
}

}  // namespace elastic::datasets
