// A real pretrained model's tokenizer and chat template, from a folder and from its GGUF file: ids
// of texts by the `tokenizers` library, ids of plain and chat prompts by transformers. The logits
// of prompts.jsonl are tests/engine/gguf_model_test.cpp's.

#include <gtest/gtest.h>

#include <iostream>
#include <string>
#include <vector>

#include "base/file.h"
#include "base/json.h"
#include "base/text.h"
#include "engine/api/chat_template.h"
#include "engine/api/tokenizer.h"
#include "tests/testing/cases.h"
#include "tests/testing/folders.h"

namespace elastic::engine {
namespace {

namespace fs = std::filesystem;

// The rows of a golden file; none where it is absent.
std::vector<Json> rows_of(const fs::path& file) {
  std::vector<Json> rows;
  std::error_code ignored;
  if (!fs::exists(file, ignored)) {
    std::cout << file.filename() << ": absent, passed over\n";
    return rows;
  }
  const std::string text = read_file(file);
  for (const std::string_view line : split(text, '\n')) {
    if (!line.empty()) rows.push_back(parse_json(line, file.string()));
  }
  return rows;
}

using Ids = std::vector<std::int32_t>;

// The stored ids of this text were made without the step `Digits` that tokenizer.json has (without
// it the numerals beyond ASCII join the blank before them; no other text has any). These are what
// the `tokenizers` library, 0.21.4 to 0.23.3, makes of it with that very file.
constexpr std::string_view kOtherNumerals = "1234567890 3.14159 ½ ٣٤";
const Ids kOtherNumeralIds = {33, 34, 35, 36, 37, 38,  39,    40,  41,  32,  216, 35, 30,
                              33, 36, 33, 37, 41, 216, 16738, 216, 164, 113, 164, 114};

class Golden_smollm2 : public ::testing::Test {
 protected:
  void SetUp() override {
    golden_ = elastic::testing::golden_folder("smollm2");
    for (const fs::path& model :
         {elastic::testing::data_path("tokenizers/smollm2"), elastic::testing::smollm2_file()}) {
      if (!model.empty()) models_.push_back(model);
    }
    if (golden_.empty() || models_.empty()) GTEST_SKIP() << "golden folder absent: smollm2";
    if (elastic::testing::smollm2_file().empty()) {
      std::cout << elastic::testing::kNoSmollm2 << ", passed over\n";
    }
  }

  fs::path golden_;
  std::vector<fs::path> models_;
};

TEST_F(Golden_smollm2, EncodedTexts) {
  const std::vector<Json> rows = rows_of(golden_ / "encode.jsonl");
  for (const fs::path& model : models_) {
    const Tokenizer tokenizer = Tokenizer::load(model);
    for (const Json& row : rows) {
      const std::string text = row.at("text");
      const Ids stored = row.at("ids");
      EXPECT_EQ(tokenizer.encode(text), text == kOtherNumerals ? kOtherNumeralIds : stored) << text;
    }
  }
  elastic::testing::expect_all_ran(rows.size(),
                                   elastic::testing::stored_lines(golden_ / "encode.jsonl"));
}

TEST_F(Golden_smollm2, PlainAndChatPrompts) {
  const std::vector<Json> rows = rows_of(golden_ / "prompts.jsonl");
  for (const fs::path& model : models_) {
    const Tokenizer tokenizer = Tokenizer::load(model);
    const auto chat = ChatTemplate::load(model);
    ASSERT_TRUE(chat.has_value());
    int chats = 0;
    for (const Json& row : rows) {
      const std::string prompt = row.at("prompt");
      EXPECT_EQ(tokenizer.encode(prompt), row.at("ids").get<Ids>()) << prompt;
      if (row.at("kind") != "chat") continue;
      const ChatMessage question{"user", row.at("question").get<std::string>()};
      EXPECT_EQ(chat->render(std::span(&question, 1), {}), prompt);
      ++chats;
    }
    EXPECT_EQ(chats, rows.empty() ? 0 : 3);
  }
  elastic::testing::expect_all_ran(rows.size(),
                                   elastic::testing::stored_lines(golden_ / "prompts.jsonl"));
}

}  // namespace
}  // namespace elastic::engine
