#pragma once

// What is used of a checkpoint's tokenizer_config.json.
//
//   const TokenizerConfig config = read_tokenizer_config("models/x/tokenizer_config.json");

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "engine/tokenizer/added_tokens.h"
#include "engine/tokenizer/json_reader.h"

namespace elastic::engine {

struct TokenizerConfig {
  std::string source;           // file, for errors
  bool found = false;           // it is there
  std::string tokenizer_class;  // "Qwen2Tokenizer"; empty where it is not said
  bool add_bos = true;
  bool add_eos = false;
  bool add_prefix_space = false;
  bool legacy = false;  // of sentencepiece models
  bool clean_up_spaces = false;
  std::vector<AddedToken> added_tokens;  // `added_tokens_decoder`
};

/// The defaults where there is no such file. kCorrupt naming file and key.
TokenizerConfig read_tokenizer_config(const std::filesystem::path& path);

/// The same from memory; `source` names it in errors.
TokenizerConfig parse_tokenizer_config(std::string_view text, std::string_view source);

/// An added token as tokenizer.json and tokenizer_config.json describe it.
AddedToken read_added_token(const JsonNode& node, std::int32_t id);

}  // namespace elastic::engine
