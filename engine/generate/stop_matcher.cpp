#include "engine/generate/stop_matcher.h"

#include <algorithm>

#include "base/error.h"

namespace elastic::engine {
namespace {

// Position of the earliest stop string, npos without any.
std::size_t earliest(const std::string& text, const std::vector<std::string>& stop) {
  std::size_t position = std::string::npos;
  for (const std::string& candidate : stop) position = std::min(position, text.find(candidate));
  return position;
}

}  // namespace

StopMatcher::StopMatcher(const Tokenizer* tokenizer, std::vector<std::string> stop)
    : tokenizer_(tokenizer), stop_(std::move(stop)) {
  std::erase_if(stop_, [](const std::string& candidate) { return candidate.empty(); });
  if (!stop_.empty() && tokenizer_ == nullptr) {
    throw Error(ErrorKind::kInvalidArgument,
                "stop strings need a tokenizer, and the model folder has none");
  }
  constexpr std::size_t kSlack =
      16;  // tokens without text of their own: specials, parts of characters
  for (const std::string& candidate : stop_)
    tail_tokens_ = std::max(tail_tokens_, candidate.size() + kSlack);
}

std::optional<std::string> StopMatcher::find(std::span<const std::int32_t> ids) const {
  if (stop_.empty()) return std::nullopt;
  const DecodeOptions options{.skip_special = true, .clean_up_spaces = std::nullopt};
  const auto tail = ids.last(std::min(ids.size(), tail_tokens_));
  if (earliest(tokenizer_->decode(tail, options), stop_) == std::string::npos) return std::nullopt;
  const std::string text = tokenizer_->decode(ids, options);
  const std::size_t position = earliest(text, stop_);
  if (position == std::string::npos) return std::nullopt;
  return text.substr(0, position);
}

}  // namespace elastic::engine
