#pragma once

// A tokenizer.json as data: what its sections mean, checked and with ids resolved, before any table
// for speed is built from it. Two readers make one: of tokenizer.json, and of GPT-2's older pair,
// vocab.json and merges.txt.
//
//   const TokenizerSpec spec = read_tokenizer_json("models/x/tokenizer.json");

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/tokenizer/added_tokens.h"
#include "engine/tokenizer/bpe_merge.h"
#include "engine/tokenizer/pretokenizer.h"
#include "engine/tokenizer/tokenizer_config.h"
#include "engine/tokenizer/vocabulary.h"

namespace elastic::engine {

struct MergeRule {  // rank = position in the list
  std::int32_t left = 0;
  std::int32_t right = 0;
  std::int32_t merged = 0;
};

struct TokenizerSpec {
  std::string source;  // file, for errors
  Vocabulary pieces;   // of the model, indexed; byte-level pieces in their printable form
  std::vector<MergeRule> merges;
  std::int32_t unknown_id = kNoId;  // kNoId: what has no piece is left out
  bool fuse_unknown = false;        // a run of unknown symbols gives one id
  bool ignore_merges = false;       // a word that is a piece is that piece, whatever the merges say
  bool nfc = false;
  std::vector<PreTokenizerStep> pre_tokenizer;
  std::vector<AddedToken> added_tokens;
  std::vector<std::int32_t> prefix_ids;  // what the post-processor puts in front
  std::vector<std::int32_t> suffix_ids;
};

/// kNotFound, kCorrupt or kUnsupported, naming file, section and feature.
TokenizerSpec read_tokenizer_json(const std::filesystem::path& path);

/// The same from memory; `source` names it in errors.
TokenizerSpec parse_tokenizer_json(std::string_view text, std::string_view source);

/// A folder with vocab.json and merges.txt; `config` lists added tokens, and its `tokenizer_class`,
/// Qwen2Tokenizer or GPT2Tokenizer, chooses pattern and normalizer.
TokenizerSpec read_vocab_and_merges(const std::filesystem::path& folder,
                                    const TokenizerConfig& config);

/// The same from memory; `source` stands for the vocabulary in errors,
/// `merges_source` for the merges.
TokenizerSpec parse_vocab_and_merges(std::string_view vocab, std::string_view source,
                                     std::string_view merges, std::string_view merges_source,
                                     const TokenizerConfig& config);

}  // namespace elastic::engine
