// Stored renderings of chat templates, text and ids: every <model>.jsonl of the golden folder whose
// template and tokenizer are among the data.

#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>
#include <iostream>

#include "base/error.h"
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

std::string squeezed(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (std::isalnum(static_cast<unsigned char>(c)) != 0) {
      out += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    }
  }
  return out;
}

// The template of a golden file: the first .jinja whose name holds the model's,
// else the one in its tokenizer's folder.
std::optional<ChatTemplate> template_of(const std::string& model, const fs::path& tokenizers) {
  std::vector<fs::path> files;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(tokenizers / "chat_templates", ignored)) {
    files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  const Json tokens = {{"bos_token", "<|begin_of_text|>"}, {"eos_token", "<|eot_id|>"}};
  for (const fs::path& file : files) {
    if (squeezed(file.stem().string()).find(squeezed(model)) != std::string::npos) {
      return ChatTemplate(read_file(file), file.filename().string(), tokens);
    }
  }
  return ChatTemplate::load(tokenizers / model);
}

std::optional<Tokenizer> tokenizer_of(const std::string& model, const fs::path& tokenizers) {
  for (const std::string& name : {model, std::string("qwen3")}) {
    std::error_code ignored;
    const bool same = name == model || model.starts_with("qwen");
    if (same && fs::exists(tokenizers / name / "tokenizer.json", ignored)) {
      return Tokenizer::load(tokenizers / name);
    }
  }
  return std::nullopt;
}

void check_row(const Json& row, const ChatTemplate& chat, const Tokenizer* tokenizer) {
  ChatOptions options{.add_generation_prompt = row.at("add_generation_prompt").get<bool>()};
  if (row.contains("enable_thinking") && row.at("enable_thinking").is_boolean()) {
    options.enable_thinking = row.at("enable_thinking").get<bool>();
  }
  if (!row.at("error").is_null()) {
    EXPECT_THROW(chat.render(row.at("messages"), options), Error);
    return;
  }
  const std::string text = chat.render(row.at("messages"), options);
  EXPECT_EQ(text, row.at("rendered").get<std::string>());
  if (tokenizer == nullptr || !row.contains("ids") || !row.at("ids").is_array()) return;
  EXPECT_EQ(tokenizer->encode(text, false), row.at("ids").get<std::vector<std::int32_t>>());
}

TEST(Golden_chat_templates, EveryRow) {
  const fs::path golden = testing::golden_folder("chat_templates");
  const fs::path tokenizers = testing::data_path("tokenizers");
  if (golden.empty() || tokenizers.empty()) GTEST_SKIP() << "golden folder absent: chat_templates";
  std::size_t cases = 0, stored = 0, passed_over = 0;
  for (const auto& entry : fs::directory_iterator(golden)) {
    if (entry.path().extension() != ".jsonl") continue;
    const std::size_t rows = testing::stored_lines(entry.path());
    stored += rows;
    const std::string model = entry.path().stem().string();
    const auto chat = template_of(model, tokenizers);
    const auto tokenizer = tokenizer_of(model, tokenizers);
    if (!chat) {
      std::cout << model << ": no template of that name, passed over\n";
      passed_over += rows;
      continue;
    }
    const std::string lines = read_file(entry.path());
    for (const std::string_view line : split(lines, '\n')) {
      if (line.empty()) continue;
      SCOPED_TRACE(model + " " + std::to_string(cases));
      check_row(parse_json(line, model), *chat, tokenizer ? &*tokenizer : nullptr);
      ++cases;
    }
  }
  testing::expect_all_ran(cases, stored, passed_over);
}

}  // namespace
}  // namespace elastic::engine
