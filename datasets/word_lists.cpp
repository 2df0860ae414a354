#include "datasets/word_lists.h"

#include <algorithm>

#include <fmt/format.h>
#include <simdjson.h>

#include "base/error.h"
#include "base/file.h"
#include "base/text.h"
#include "base/unicode.h"

namespace elastic::datasets {
namespace {

namespace fs = std::filesystem;

// Lines without their trailing white space; a last line end starts no further line.
std::vector<std::string> read_words(const fs::path& path) {
  const std::string text = read_file(path);
  std::vector<std::string> words;
  for (const std::string_view line : split(text, '\n')) {
    const std::string_view stripped = strip_white_space(line);
    const std::size_t begin =
        stripped.empty() ? 0 : static_cast<std::size_t>(stripped.data() - line.data());
    words.emplace_back(line.substr(0, stripped.empty() ? 0 : begin + stripped.size()));
  }
  if (!text.empty() && text.back() == '\n') words.pop_back();
  return words;
}

std::vector<std::string> sorted_set(std::vector<std::string> words) {
  std::sort(words.begin(), words.end());
  words.erase(std::unique(words.begin(), words.end()), words.end());
  return words;
}

}  // namespace

WordLists load_word_lists(const fs::path& folder) {
  return {.nouns = read_words(folder / "nounlist.txt"),
          .adjectives = read_words(folder / "adjectivelist.txt"),
          .verbs = read_words(folder / "verblist.txt")};
}

std::vector<std::string> all_words(const WordLists& lists) {
  std::vector<std::string> words = lists.nouns;
  words.insert(words.end(), lists.adjectives.begin(), lists.adjectives.end());
  words.insert(words.end(), lists.verbs.begin(), lists.verbs.end());
  return sorted_set(std::move(words));
}

std::vector<std::string> load_english_words(const fs::path& file) {
  const simdjson::padded_string text(read_file(file));
  std::vector<std::string> words;
  try {
    simdjson::dom::parser parser;
    for (const auto field : simdjson::dom::object(parser.parse(text))) {
      words.emplace_back(std::string_view(field.value));
    }
  } catch (const simdjson::simdjson_error& error) {
    throw Error(ErrorKind::kCorrupt, fmt::format("{}: expected one JSON object of strings: {}",
                                                 file.string(), error.what()));
  }
  return words;
}

KeyPool::KeyPool(const std::vector<std::string>& adjectives, const std::vector<std::string>& nouns)
    : nouns_(sorted_set(nouns)) {
  std::vector<std::string> prefixes;
  for (const std::string& adjective : sorted_set(adjectives)) prefixes.push_back(adjective + "-");
  std::sort(prefixes.begin(), prefixes.end());
  // Entries of two prefixes interleave only where one begins the other; sorting brings all that a
  // prefix begins right behind it.
  for (std::size_t i = 0; i < prefixes.size();) {
    std::size_t end = i + 1;
    while (end < prefixes.size() && prefixes[end].starts_with(prefixes[i])) ++end;
    Block block{.first = size_, .prefix = {}, .explicit_entries = {}};
    if (end == i + 1) {
      block.prefix = prefixes[i];
      size_ += nouns_.size();
    } else {
      for (std::size_t k = i; k < end; ++k) {
        for (const std::string& noun : nouns_) block.explicit_entries.push_back(prefixes[k] + noun);
      }
      block.explicit_entries = sorted_set(std::move(block.explicit_entries));
      size_ += block.explicit_entries.size();
    }
    blocks_.push_back(std::move(block));
    i = end;
  }
}

std::string KeyPool::operator[](std::uint64_t index) const {
  check(index < size_, "key index within the pool");
  const auto after =
      std::upper_bound(blocks_.begin(), blocks_.end(), index,
                       [](std::uint64_t i, const Block& block) { return i < block.first; });
  const Block& block = *std::prev(after);
  const std::size_t offset = index - block.first;
  return block.explicit_entries.empty() ? block.prefix + nouns_[offset]
                                        : block.explicit_entries[offset];
}

}  // namespace elastic::datasets
