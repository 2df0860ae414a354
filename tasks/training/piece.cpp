#include "tasks/training/piece.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/error.h"

namespace elastic::tasks {

namespace {
constexpr std::string_view kAnchor = "\n";
}  // namespace

PieceEncoder::PieceEncoder(const engine::Tokenizer& tokenizer)
    : tokenizer_(tokenizer), anchor_(tokenizer.encode(kAnchor, false)) {}

Piece PieceEncoder::first(std::string text) const {
  std::vector<std::int32_t> ids = tokenizer_.encode(text, true);
  return {.text = std::move(text), .ids = std::move(ids)};
}

Piece PieceEncoder::inside(std::string text) const {
  std::string anchored;
  anchored.reserve(text.size() + 1);
  anchored.append(kAnchor).append(text);
  std::vector<std::int32_t> ids = tokenizer_.encode(anchored, false);
  if (ids.size() < anchor_.size() || !std::equal(anchor_.begin(), anchor_.end(), ids.begin())) {
    throw Error(ErrorKind::kUnsupported,
                fmt::format("{}: merges a line end with what follows it; synthetic training text "
                            "needs a tokenizer made by `train tokenizer` (for others "
                            "there is \"kind\": \"instruct\")",
                            tokenizer_.source()));
  }
  ids.erase(ids.begin(), ids.begin() + static_cast<std::ptrdiff_t>(anchor_.size()));
  return {.text = std::move(text), .ids = std::move(ids)};
}

void MixDocument::add(const Piece& piece, bool answer) {
  document.ids.insert(document.ids.end(), piece.ids.begin(), piece.ids.end());
  document.is_answer.resize(document.ids.size(), answer ? 1 : 0);
  text += piece.text;
  if (piece.text.empty() && !piece.ids.empty()) has_text = false;
}

}  // namespace elastic::tasks
