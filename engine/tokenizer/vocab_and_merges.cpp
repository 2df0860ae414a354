// vocab.json + merges.txt -> TokenizerSpec. The pair lacks what tokenizer.json says beside the
// model, so pattern and normalizer come with the class that tokenizer_config.json names.

#include <fmt/format.h>

#include <charconv>
#include <string>
#include <string_view>

#include "base/error.h"
#include "base/file.h"
#include "base/text.h"
#include "engine/tokenizer/bpe_tables.h"
#include "engine/tokenizer/json_reader.h"
#include "engine/tokenizer/tokenizer_spec.h"

namespace elastic::engine {
namespace {

void read_merge_lines(const std::filesystem::path& path, TokenizerSpec& spec) {
  const std::string text = read_file(path);
  std::size_t number = 0;
  for (std::string_view line : split(text, '\n')) {
    ++number;
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.empty() || (number == 1 && line.starts_with("#version"))) continue;
    const std::size_t space = line.find(' ');
    if (space == std::string_view::npos || line.find(' ', space + 1) != std::string_view::npos) {
      throw Error(ErrorKind::kCorrupt, fmt::format("{}: line {} is not `left right`: `{}`",
                                                   path.string(), number, line.substr(0, 80)));
    }
    add_merge(spec, line.substr(0, space), line.substr(space + 1), path.string());
  }
}

void read_added_decoder(const JsonNode& config, TokenizerSpec& spec) {
  const auto list = config.find("added_tokens_decoder");
  if (!list) return;
  for (const auto& entry : list->as_object()) {
    const JsonNode node = list->child(entry.value, entry.key);
    const std::string_view digits = entry.key;
    std::int32_t id = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), id);
    if (error != std::errc() || end != digits.data() + digits.size() || id < 0 || id > kMaxId) {
      node.fail(ErrorKind::kCorrupt, "has a key that is no token id");
    }
    AddedToken token{.content = std::string(node.text("content")),
                     .id = id,
                     .special = node.flag("special", false),
                     .normalized = node.flag("normalized", false),
                     .single_word = node.flag("single_word", false),
                     .lstrip = node.flag("lstrip", false),
                     .rstrip = node.flag("rstrip", false)};
    if (spec.pieces.has(id) && spec.pieces.piece(id) != token.content) {
      node.fail(ErrorKind::kCorrupt, "contradicts the vocabulary");
    }
    spec.added_tokens.push_back(std::move(token));
  }
}

}  // namespace

TokenizerSpec read_vocab_and_merges(const std::filesystem::path& folder) {
  const std::string config_path = (folder / "tokenizer_config.json").string();
  const std::string config_text = read_file(config_path);
  const JsonDocument config(config_text, config_path);
  TokenizerSpec spec;
  spec.source = (folder / "vocab.json").string();
  const std::string_view type = config.root().text("tokenizer_class");
  if (config.root().flag("add_prefix_space", false)) {
    spec.pre_tokenizer.push_back(PrefixStep{.text = " "});
  }
  if (type.starts_with("Qwen2Tokenizer")) {
    spec.nfc = true;
    spec.pre_tokenizer.push_back(SplitStep{.pattern = std::string(pattern_of(ScanKind::kQwen2))});
  } else if (type.starts_with("GPT2Tokenizer")) {
    spec.pre_tokenizer.push_back(SplitStep{.pattern = std::string(pattern_of(ScanKind::kGpt2))});
  } else {
    throw Error(ErrorKind::kUnsupported,
                fmt::format("{}: `tokenizer_class` {} with vocab.json and merges.txt only; known "
                            "without a tokenizer.json: Qwen2Tokenizer, GPT2Tokenizer",
                            config_path, type));
  }
  const std::string vocab_text = read_file(spec.source);
  const JsonDocument vocab(vocab_text, spec.source);
  read_vocabulary(vocab.root(), spec.pieces);
  read_merge_lines(folder / "merges.txt", spec);
  read_added_decoder(config.root(), spec);
  return spec;
}

}  // namespace elastic::engine
