// The files of jieba 0.42.1: dict.txt, and the Python tables of its hidden Markov model.

#include <fmt/format.h>

#include <charconv>

#include "base/error.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/text.h"
#include "base/utf8.h"
#include "datasets/catalog.h"
#include "datasets/chinese_words.h"
#include "datasets/folders.h"

namespace elastic::datasets {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kSource = "jieba";

// Reader of the one form the tables have: P={'B': {'\u4e00': -3.65, ...}, ...}.
class TableReader {
 public:
  TableReader(std::string_view text, std::string_view file) : text_(text), file_(file) {
    const std::size_t at = text.find("P=");
    if (at == std::string_view::npos) fail("no table `P=`");
    at_ = at + 2;
  }

  bool accept(char c) {
    skip_space();
    if (at_ >= text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }

  void expect(char c) {
    if (!accept(c)) fail(fmt::format("expected `{}`", c));
  }

  // A quoted key: a state's letter or one escaped character.
  char32_t key() {
    expect('\'');
    const std::size_t end = text_.find('\'', at_);
    if (end == std::string_view::npos) fail("a key that never ends");
    std::string_view body = text_.substr(at_, end - at_);
    at_ = end + 1;
    expect(':');
    if (body.size() == 1) return static_cast<unsigned char>(body.front());
    std::uint32_t value = 0;
    if (!body.starts_with("\\u")) fail("a key that is no character");
    body.remove_prefix(2);
    const auto [stop, code] = std::from_chars(body.data(), body.data() + body.size(), value, 16);
    if (code != std::errc() || stop != body.data() + body.size()) fail("a bad escape");
    return value;
  }

  double number() {
    skip_space();
    double value = 0;
    const auto [stop, code] =
        std::from_chars(text_.data() + at_, text_.data() + text_.size(), value);
    if (code != std::errc()) fail("expected a number");
    at_ = static_cast<std::size_t>(stop - text_.data());
    return value;
  }

  std::size_t state(char32_t key) const {
    const std::size_t state =
        key < 0x80 ? ChineseHmm::kNames.find(static_cast<char>(key)) : std::string_view::npos;
    if (state == std::string_view::npos) fail("a state other than B, M, E, S");
    return state;
  }

  // One {key: value, ...}; `entry` reads the value.
  template <typename Entry>
  void map(Entry entry) {
    expect('{');
    while (!accept('}')) {
      entry(key());
      if (!accept(',')) {
        expect('}');
        return;
      }
    }
  }

 private:
  void skip_space() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\n' || text_[at_] == '\r')) {
      ++at_;
    }
  }

  [[noreturn]] void fail(std::string_view what) const {
    throw Error(ErrorKind::kCorrupt, fmt::format("{}, byte {}: {}", file_, at_, what));
  }

  std::string_view text_, file_;
  std::size_t at_ = 0;
};

ChineseHmm parse_hmm(const ChineseSources& sources) {
  ChineseHmm hmm;
  for (auto& row : hmm.transition) row.fill(ChineseHmm::kImpossible);
  for (auto& row : hmm.emission) {
    row.assign(ChineseHmm::kLast - ChineseHmm::kFirst + 1, ChineseHmm::kImpossible);
  }
  TableReader start(sources.start, "finalseg/prob_start.py");
  start.map([&](char32_t from) { hmm.start[start.state(from)] = start.number(); });
  TableReader moves(sources.transition, "finalseg/prob_trans.py");
  moves.map([&](char32_t from) {
    auto& row = hmm.transition[moves.state(from)];
    moves.map([&](char32_t to) { row[moves.state(to)] = moves.number(); });
  });
  TableReader emission(sources.emission, "finalseg/prob_emit.py");
  emission.map([&](char32_t from) {
    auto& row = hmm.emission[emission.state(from)];
    emission.map([&](char32_t c) {
      const double value = emission.number();
      if (c >= ChineseHmm::kFirst && c <= ChineseHmm::kLast) row[c - ChineseHmm::kFirst] = value;
    });
  });
  return hmm;
}

ChineseWords parse_words(std::string_view dictionary) {
  ChineseWords words;
  std::int64_t number = 0;
  std::u32string word;
  for (const std::string_view line : split(dictionary, '\n')) {
    ++number;
    if (line.empty()) continue;
    const std::size_t first = line.find(' ');
    const std::size_t second = line.find(' ', std::min(first, line.size() - 1) + 1);
    const auto count = first == std::string_view::npos
                           ? std::nullopt
                           : parse_int(line.substr(first + 1, second - first - 1));
    if (!count || *count < 0 || first == 0) {
      throw Error(ErrorKind::kCorrupt,
                  fmt::format("dict.txt, line {}: expected `word count tag`", number));
    }
    word = code_points(line.substr(0, first));
    words.add(word, *count);
  }
  if (words.total() == 0) throw Error(ErrorKind::kCorrupt, "dict.txt: holds no words");
  words.finish();
  return words;
}

std::string read_verified(const fs::path& folder, const DataFile& file) {
  const fs::path path = folder / fs::path(file.path).lexically_relative(kSource);
  std::string bytes = read_file(path);
  const std::string sha256 = sha256_hex(bytes);
  if (sha256 != file.identities.front().sha256) {
    throw Error(ErrorKind::kCorrupt,
                fmt::format("{}: sha256 {} is not that of jieba 0.42.1 ({}); remove it and run "
                            "`elastic-bench data fetch jieba`",
                            path.string(), sha256, file.identities.front().sha256));
  }
  return bytes;
}

}  // namespace

ChineseModel parse_chinese_model(const ChineseSources& sources) {
  return {parse_words(sources.dictionary), parse_hmm(sources)};
}

fs::path find_chinese_model(const fs::path& data_dir) {
  std::error_code ignored;
  for (const fs::path& base : {data_dir, program_data_folder()}) {
    if (!base.empty() && fs::exists(base / kSource / "dict.txt", ignored)) return base / kSource;
  }
  throw Error(ErrorKind::kNotFound,
              fmt::format("{}: {}; the Chinese sets multifieldqa_zh, "
                          "dureader and vcsum are not scored without it",
                          (data_dir / kSource).string(), missing_data(kSource)));
}

ChineseModel load_chinese_model(const fs::path& folder) {
  const DataSource& source = *find_sources(kSource).front();
  const std::string dictionary = read_verified(folder, source.files[0]);
  const std::string start = read_verified(folder, source.files[1]);
  const std::string transition = read_verified(folder, source.files[2]);
  const std::string emission = read_verified(folder, source.files[3]);
  return parse_chinese_model({dictionary, start, transition, emission});
}

}  // namespace elastic::datasets
