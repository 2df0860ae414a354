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
#include "tests/tokenizer/as_gguf.h"
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

// Of a golden file; returns how many lines there were.
std::size_t check_lines(const Tokenizer& tokenizer, const fs::path& file) {
  const std::string text = elastic::read_file(file);
  std::size_t number = 0, cases = 0;
  for (const std::string_view line : elastic::split(text, '\n')) {
    ++number;
    if (line.empty()) continue;
    const std::string where = file.stem().string() + " line " + std::to_string(number);
    SCOPED_TRACE(where);
    elastic::testing::expect_golden_line(tokenizer, elastic::parse_json(line, where));
    ++cases;
  }
  return cases;
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
    cases += check_lines(Tokenizer::load(folder), entry.path());
  }
  elastic::testing::expect_all_ran(cases, stored, passed_over);
}

std::vector<Ids> expected_ids(const fs::path& file) {
  std::vector<Ids> all;
  const std::string text = elastic::read_file(file);
  for (const std::string_view line : elastic::split(text, '\n')) {
    all.emplace_back();
    for (const std::string_view word : elastic::split(line, ' ')) {
      if (const auto id = elastic::parse_int(word)) {
        all.back().push_back(static_cast<std::int32_t>(*id));
      }
    }
  }
  return all;
}

// Texts of `inputs`, which a line divides, against their ids; returns how many hold some.
std::size_t check_vectors(const Tokenizer& tokenizer, const fs::path& inputs,
                          const std::vector<Ids>& expected) {
  constexpr std::string_view kSeparator = "\n__ggml_vocab_test__\n";
  std::string text = elastic::read_file(inputs);
  std::size_t cases = 0;
  for (const Ids& ids : expected) {
    if (text.empty()) break;
    const std::size_t end = std::min(text.find(kSeparator), text.size());
    EXPECT_EQ(tokenizer.encode(text.substr(0, end), false), ids) << inputs << ": " << cases;
    text.erase(0, end + kSeparator.size());
    cases += ids.empty() ? 0 : 1;
  }
  return cases;
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
    cases += check_vectors(Tokenizer::load(model), inputs, expected_ids(outputs));
    // The same tokenizer as the file that these vectors are called by.
    const elastic::testing::TemporaryFolder made;
    elastic::write_file_atomic(
        made / "m.gguf", name == "llama-spm"
                             ? elastic::testing::sentencepiece_as_gguf(model / "tokenizer.model")
                             : elastic::testing::byte_level_as_gguf(model, name.c_str()));
    EXPECT_EQ(check_vectors(Tokenizer::load(made / "m.gguf"), inputs, expected_ids(outputs)),
              lines);
  }
  elastic::testing::expect_all_ran(cases, stored, passed_over);
}

// Larger vocabularies as a GGUF file holds them: what tokenizer.json says is what they say.
TEST(Golden_tokenizers, EveryLineFromGguf) {
  const fs::path golden = elastic::testing::golden_folder("tokenizers");
  std::size_t cases = 0, stored = 0, passed_over = 0;
  for (const auto& [name, pre] : {std::pair{"gpt2", "gpt-2"}, std::pair{"llama-3.1", "llama-bpe"},
                                  std::pair{"qwen3", "qwen2"}}) {
    const fs::path file = golden / (std::string(name) + ".jsonl");
    const fs::path folder = elastic::testing::data_path(std::string("tokenizers/") + name);
    const std::size_t lines = elastic::testing::stored_lines(file);
    stored += lines;
    if (lines == 0 || folder.empty()) {
      passed_over += lines;
      continue;
    }
    const elastic::testing::TemporaryFolder made;
    elastic::write_file_atomic(made / "m.gguf", elastic::testing::byte_level_as_gguf(folder, pre));
    cases += check_lines(Tokenizer::load(made / "m.gguf"), file);
  }
  elastic::testing::expect_all_ran(cases, stored, passed_over);
}

}  // namespace
