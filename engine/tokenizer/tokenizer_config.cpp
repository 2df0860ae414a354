#include "engine/tokenizer/tokenizer_config.h"

#include "base/file.h"
#include "base/text.h"

namespace elastic::engine {
namespace {

void read_added_decoder(const JsonNode& list, TokenizerConfig& config) {
  for (const auto& entry : list.as_object()) {
    const JsonNode node = list.child(entry.value, entry.key);
    const auto id = parse_int(entry.key);
    if (!id || *id < 0 || *id > kMaxId)
      node.fail(ErrorKind::kCorrupt, "has a key that is no token id");
    config.added_tokens.push_back(read_added_token(node, static_cast<std::int32_t>(*id)));
  }
}

}  // namespace

AddedToken read_added_token(const JsonNode& node, std::int32_t id) {
  return {.content = std::string(node.text("content")),
          .id = id,
          .special = node.flag("special", false),
          .normalized = node.flag("normalized", false),
          .single_word = node.flag("single_word", false),
          .lstrip = node.flag("lstrip", false),
          .rstrip = node.flag("rstrip", false)};
}

TokenizerConfig parse_tokenizer_config(std::string_view text, std::string_view source) {
  const JsonDocument document(text, source);
  const JsonNode root = document.root();
  TokenizerConfig config;
  config.source = source;
  config.found = true;
  if (const auto type = root.find("tokenizer_class")) config.tokenizer_class = type->as_text();
  config.add_bos = root.flag("add_bos_token", config.add_bos);
  config.add_eos = root.flag("add_eos_token", config.add_eos);
  config.add_prefix_space = root.flag("add_prefix_space", config.add_prefix_space);
  config.legacy = root.flag("legacy", config.legacy);
  // GPT-2's files carry `true` as a left-over default of the library that saved them; its published
  // decodings keep every space.
  config.clean_up_spaces = root.flag("clean_up_tokenization_spaces", false) &&
                           !config.tokenizer_class.starts_with("GPT2Tokenizer");
  if (const auto list = root.find("added_tokens_decoder")) read_added_decoder(*list, config);
  return config;
}

TokenizerConfig read_tokenizer_config(const std::filesystem::path& path) {
  if (std::filesystem::exists(path)) return parse_tokenizer_config(read_file(path), path.string());
  TokenizerConfig config;
  config.source = path.string();
  return config;
}

}  // namespace elastic::engine
