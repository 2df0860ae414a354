// Stored encodings and decodings of other libraries: every <tokenizer>.jsonl of the golden folder
// whose name begins with a folder of data/tokenizers, and the llama.cpp vectors where they are.

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <iostream>
#include <map>
#include <string>
#include <vector>

#include "base/file.h"
#include "base/json.h"
#include "base/text.h"
#include "engine/api/tokenizer.h"
#include "tests/testing/cases.h"
#include "tests/testing/folders.h"
#include "tests/tokenizer/golden_line.h"

namespace {

namespace fs = std::filesystem;
using elastic::engine::Tokenizer;
using Ids = std::vector<std::int32_t>;

// The tokenizer folder with the longest name that `stem` begins with; empty where there is none.
fs::path tokenizer_folder(const std::string& stem, const fs::path& tokenizers) {
  fs::path best;
  for (const auto& entry : fs::directory_iterator(tokenizers)) {
    const std::string name = entry.path().filename().string();
    if (entry.is_directory() && stem.starts_with(name) &&
        name.size() > best.filename().string().size()) {
      best = entry.path();
    }
  }
  return best;
}

TEST(Golden_tokenizers, EveryLine) {
  const fs::path golden = elastic::testing::golden_folder("tokenizers");
  const fs::path tokenizers = elastic::testing::data_path("tokenizers");
  if (golden.empty() || tokenizers.empty()) GTEST_SKIP() << "golden folder absent: tokenizers";
  std::size_t cases = 0, stored = 0, passed_over = 0;
  for (const auto& entry : fs::directory_iterator(golden)) {
    if (entry.path().extension() != ".jsonl") continue;
    const std::size_t lines = elastic::testing::stored_lines(entry.path());
    stored += lines;
    const std::string stem = entry.path().stem().string();
    const fs::path folder = tokenizer_folder(stem, tokenizers);
    if (folder.empty()) {
      std::cout << stem << ": no tokenizer of that name, passed over\n";
      passed_over += lines;
      continue;
    }
    const Tokenizer tokenizer = Tokenizer::load(folder);
    const std::string text = elastic::read_file(entry.path());
    int number = 0;
    for (const std::string_view line : elastic::split(text, '\n')) {
      ++number;
      if (line.empty()) continue;
      const std::string where = stem + " line " + std::to_string(number);
      SCOPED_TRACE(where);
      elastic::testing::expect_golden_line(tokenizer, elastic::parse_json(line, where));
      ++cases;
    }
  }
  elastic::testing::expect_all_ran(cases, stored, passed_over);
}

TEST(Golden_tokenizers, LlamaCppVectors) {
  const fs::path vectors = elastic::testing::data_path("tokenizers/llamacpp-vectors");
  if (vectors.empty()) GTEST_SKIP() << "golden folder absent: llamacpp-vectors";
  const std::map<std::string, std::string> folders = {{"gpt-2", "gpt2"},
                                                      {"llama-bpe", "llama-3.1"},
                                                      {"llama-spm", "llama-2"},
                                                      {"qwen2", "qwen2.5"}};
  std::size_t cases = 0, stored = 0, passed_over = 0;
  for (const auto& [name, folder] : folders) {
    const fs::path inputs = vectors / ("ggml-vocab-" + name + ".gguf.inp");
    const fs::path outputs = vectors / ("ggml-vocab-" + name + ".gguf.out");
    const fs::path model = elastic::testing::data_path("tokenizers/" + folder);
    const std::size_t lines = elastic::testing::stored_lines(outputs);
    stored += lines;
    if (lines == 0 || model.empty()) {
      std::cout << folder << ": no vectors or no tokenizer of that name, passed over\n";
      passed_over += lines;
      continue;
    }
    const Tokenizer tokenizer = Tokenizer::load(model);
    constexpr std::string_view kSeparator = "\n__ggml_vocab_test__\n";
    std::string text = elastic::read_file(inputs);
    const std::string expected = elastic::read_file(outputs);
    for (const std::string_view line : elastic::split(expected, '\n')) {
      if (text.empty()) break;
      const std::size_t end = std::min(text.find(kSeparator), text.size());
      Ids ids;
      for (const std::string_view word : elastic::split(line, ' ')) {
        if (const auto id = elastic::parse_int(word)) ids.push_back(static_cast<std::int32_t>(*id));
      }
      EXPECT_EQ(tokenizer.encode(text.substr(0, end), false), ids) << name << ": " << cases;
      text.erase(0, end + kSeparator.size());
      cases += line.empty() ? 0 : 1;
    }
  }
  elastic::testing::expect_all_ran(cases, stored, passed_over);
}

}  // namespace
