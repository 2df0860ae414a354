#include "tasks/training/mix_sources.h"

#include <algorithm>

#include "base/error.h"
#include "base/text.h"
#include "datasets/folders.h"
#include "datasets/haystack.h"
#include "datasets/word_lists.h"
#include "tasks/ruler/sources.h"
#include "tasks/training/wordings.h"

namespace elastic::tasks {
namespace {

constexpr std::int64_t kProseWords = 200000;
constexpr std::size_t kWordsPerPart = 8;
constexpr std::size_t kIdsPerPart = 16;

std::vector<std::string> sorted_set(std::vector<std::string> words) {
  std::erase_if(words, [](const std::string& word) { return word.empty(); });
  std::sort(words.begin(), words.end());
  words.erase(std::unique(words.begin(), words.end()), words.end());
  return words;
}

// Ids of pieces that stand for printable ASCII other than digits: what random text is made of.
std::vector<std::int32_t> find_plain_ids(const engine::Tokenizer& tokenizer) {
  std::vector<std::int32_t> plain;
  for (std::int32_t id = 0; id < tokenizer.vocab_size(); ++id) {
    const std::string text =
        tokenizer.decode(std::span(&id, 1), {.skip_special = true, .clean_up_spaces = {}});
    const bool printable = std::all_of(text.begin(), text.end(), [](char c) {
      return c >= ' ' && c <= '~' && !(c >= '0' && c <= '9');
    });
    if (!text.empty() && printable) plain.push_back(id);
  }
  return plain;
}

}  // namespace

std::filesystem::path find_word_lists(const std::string& data_dir) {
  const std::filesystem::path ruler = datasets::data_folder(data_dir) / "ruler";
  constexpr const char* kFolder = "wonderwords-3.0.1";
  std::error_code ignored;
  for (const char* list : {"nounlist.txt", "adjectivelist.txt", "verblist.txt"}) {
    const std::filesystem::path name = std::filesystem::path(kFolder) / list;
    if (!std::filesystem::exists(ruler / name, ignored)) throw_missing_ruler(ruler, name.string());
  }
  return ruler / kFolder;
}

MixSources::MixSources(const engine::Tokenizer& tokenizer, const std::filesystem::path& word_lists,
                       std::uint64_t seed)
    : encoder_(tokenizer), plain_ids_(find_plain_ids(tokenizer)) {
  const datasets::WordLists lists = datasets::load_word_lists(word_lists);
  adjectives_ = sorted_set(lists.adjectives);
  nouns_ = sorted_set(lists.nouns);
  words_ = sorted_set(datasets::all_words(lists));
  if (adjectives_.empty() || nouns_.empty() || plain_ids_.empty()) {
    throw Error(ErrorKind::kCorrupt, word_lists.string() +
                                         ": word lists without words; fetch them again with `data "
                                         "fetch ruler/wonderwords-3.0.1`");
  }
  for (const std::string& word : words_) {
    word_pieces_.push_back(encoder_.inside(" " + word));
    if (word.find('-') != std::string::npos) compounds_.push_back(word);
  }
  const std::string prose = datasets::synthetic_prose(lists, seed, kProseWords);
  for (const std::string_view sentence : split(prose, '.')) {
    if (sentence.empty()) continue;
    const bool inner = sentence.front() == ' ';
    prose_.push_back(encoder_.inside((inner ? "" : " ") + std::string(sentence) + "."));
  }
  for (const std::string& sentence : stock_sentences()) stock_.push_back(encoder_.inside(sentence));
  noise_ = encoder_.inside(builtin_wordings().noise);
}

std::string MixSources::draw_key(MixRandom& random) const {
  return random.pick(adjectives_) + "-" + random.pick(nouns_);
}

bool MixSources::stands_in_a_word(std::string_view key) const {
  return std::any_of(compounds_.begin(), compounds_.end(),
                     [&](const std::string& word) { return word.find(key) != std::string::npos; });
}

const Piece& MixSources::fill(Filler filler, const std::vector<std::size_t>& stock,
                              MixRandom& random, Piece& scratch) const {
  switch (filler) {
    case Filler::kNoise:
      return noise_;
    case Filler::kStock:
      return stock_[random.pick(stock)];
    case Filler::kProse:
      return random.pick(prose_);
    case Filler::kWords:
      scratch = {};
      for (std::size_t i = 0; i < kWordsPerPart; ++i) {
        const Piece& word = random.pick(word_pieces_);
        scratch.text += word.text;
        scratch.ids.insert(scratch.ids.end(), word.ids.begin(), word.ids.end());
      }
      return scratch;
    case Filler::kIds:
      break;
  }
  scratch = {};
  for (std::size_t i = 0; i < kIdsPerPart; ++i) scratch.ids.push_back(random.pick(plain_ids_));
  return scratch;
}

std::string draw_uuid(MixRandom& random) {
  constexpr std::string_view kHex = "0123456789abcdef";
  std::string uuid = "xxxxxxxx-xxxx-4xxx-yxxx-xxxxxxxxxxxx";
  std::uint64_t bits = random.next();
  int left = 16;
  for (char& c : uuid) {
    if (c != 'x' && c != 'y') continue;
    if (left == 0) {
      bits = random.next();
      left = 16;
    }
    const std::uint64_t nibble = bits & 15;
    c = kHex[c == 'y' ? 8 + nibble % 4 : nibble];
    bits >>= 4;
    --left;
  }
  return uuid;
}

std::string draw_number(MixRandom& random) {
  return std::to_string(random.between(1000000, 9999999));
}

}  // namespace elastic::tasks
