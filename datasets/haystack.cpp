#include "datasets/haystack.h"

#include <algorithm>

#include "base/json.h"
#include "base/unicode.h"
#include "base/utf8.h"

namespace elastic::datasets {
namespace {

std::string fold_white_space(std::string_view text) {
  std::string folded;
  folded.reserve(text.size());
  bool in_space = false;
  for (std::size_t i = 0; i < text.size();) {
    const CodePoint c = code_point_at(text, i);
    const bool space = is_space(c.value);
    if (!space) folded.append(text.substr(i, c.bytes));
    if (space && !in_space) folded += ' ';
    in_space = space;
    i += c.bytes;
  }
  return folded;
}

}  // namespace

Haystack::Haystack(std::string_view text) : text_(fold_white_space(text)) {
  for (std::size_t i = 0; i < text_.size(); ++i) {
    if (text_[i] == ' ') word_ends_.push_back(i);
  }
  word_ends_.push_back(text_.size());
}

std::string_view Haystack::prefix(std::int64_t words) const {
  const std::int64_t count = std::clamp<std::int64_t>(words, 0, word_count());
  if (count == 0) return {};
  return strip_white_space(
      std::string_view(text_).substr(0, word_ends_[static_cast<std::size_t>(count - 1)]));
}

std::string Haystack::repeated(std::int64_t words) const {
  std::string joined;
  std::int64_t left = words;
  for (; left > word_count(); left -= word_count()) joined.append(text_) += ' ';
  if (left > 0) joined.append(text_, 0, word_ends_[static_cast<std::size_t>(left - 1)]);
  return std::string(strip_white_space(joined));
}

Haystack load_essays(const std::filesystem::path& file) {
  const Json object = read_json(file);
  return Haystack(json_get<std::string>({object, file.string()}, "text"));
}

}  // namespace elastic::datasets
