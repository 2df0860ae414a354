#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <vector>

#include "base/file.h"
#include "base/text.h"
#include "tests/testing/folders.h"
#include "tests/tokenizer/golden_line.h"

namespace elastic::testing {

void expect_golden_line(const engine::Tokenizer& tokenizer, const Json& line) {
  using Ids = std::vector<std::int32_t>;
  const Ids ids = line.at("ids");
  if (line.at("kind") == "encode") {
    const std::string text = line.at("text");
    EXPECT_EQ(tokenizer.encode(text), ids);
    const Ids plain = line.at("ids_without_special");
    EXPECT_EQ(tokenizer.encode(text, false), plain);
    EXPECT_EQ(tokenizer.count(text), static_cast<std::int64_t>(plain.size()));
  }
  const auto decoded = [&](bool skip_special, bool clean_up) {
    return tokenizer.decode(ids, {.skip_special = skip_special, .clean_up_spaces = clean_up});
  };
  EXPECT_EQ(decoded(false, false), line.at("decoded").get<std::string>());
  if (line.contains("decoded_skip_special")) {
    EXPECT_EQ(decoded(true, false), line.at("decoded_skip_special").get<std::string>());
  }
  if (line.contains("decoded_cleaned")) {
    EXPECT_EQ(decoded(false, true), line.at("decoded_cleaned").get<std::string>());
  }
}

namespace {

// tests/data/tokenizers/<name>/{tokenizer file, cases.jsonl},
// made by scripts/make_tokenizer_goldens.py.
TEST(SmallTokenizers, EveryLine) {
  int folders = 0;
  for (const auto& entry : std::filesystem::directory_iterator(fixture("tokenizers"))) {
    const engine::Tokenizer tokenizer = engine::Tokenizer::load(entry.path());
    const std::string text = read_file(entry.path() / "cases.jsonl");
    int number = 0;
    for (const std::string_view line : split(text, '\n')) {
      const std::string where =
          entry.path().filename().string() + " line " + std::to_string(++number);
      SCOPED_TRACE(where);
      if (!line.empty()) expect_golden_line(tokenizer, parse_json(line, where));
    }
    EXPECT_GE(number, 80);
    ++folders;
  }
  EXPECT_GE(folders, 4);
}

}  // namespace
}  // namespace elastic::testing
