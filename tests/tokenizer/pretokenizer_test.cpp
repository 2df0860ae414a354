// Every pre-tokenizer against what the `tokenizers` library makes of it: a line of
// tests/data/pre_tokenizers/cases.jsonl is a chain of steps, put into the tokenizer.json beside it,
// whose merges cross all word boundaries, with texts and their ids.
// Made by scripts/make_tokenizer_goldens.py.

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "base/file.h"
#include "base/json.h"
#include "base/text.h"
#include "engine/tokenizer/byte_bpe.h"
#include "engine/tokenizer/tokenizer_spec.h"
#include "tests/testing/folders.h"

namespace elastic::engine {
namespace {

TEST(PreTokenizers, EveryChain) {
  Json tokenizer = read_json(elastic::testing::fixture("pre_tokenizers/tokenizer.json"));
  const std::string cases = read_file(elastic::testing::fixture("pre_tokenizers/cases.jsonl"));
  int chains = 0;
  for (const std::string_view line : split(cases, '\n')) {
    if (line.empty()) continue;
    const Json chain = parse_json(line, "cases.jsonl");
    tokenizer["pre_tokenizer"] = chain.at("pre_tokenizer");
    const ByteBpe bpe(parse_tokenizer_json(dump_line(tokenizer), "tokenizer.json"));
    for (std::size_t i = 0; i < chain.at("texts").size(); ++i) {
      const std::string text = chain.at("texts")[i];
      EXPECT_EQ(bpe.encode(text, false), chain.at("ids")[i].get<std::vector<std::int32_t>>())
          << dump_line(chain.at("pre_tokenizer")) << " of " << dump_line(text);
    }
    ++chains;
  }
  EXPECT_EQ(chains, 98);
}

}  // namespace
}  // namespace elastic::engine
