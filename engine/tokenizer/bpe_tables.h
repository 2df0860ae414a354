#pragma once

// The two tables of a BPE model, read the same way from tokenizer.json
// and from vocab.json + merges.txt.

#include <string_view>

#include "engine/tokenizer/json_reader.h"
#include "engine/tokenizer/tokenizer_spec.h"

namespace elastic::engine {

/// {"piece": id, ...}. kCorrupt for ids out of range,
/// ids or pieces that occur twice, an empty table.
void read_vocabulary(const JsonNode& vocab, Vocabulary& pieces);

/// Appends one rule; kCorrupt, with `where` in front, where the vocabulary lacks one of its pieces.
void add_merge(TokenizerSpec& spec, std::string_view left, std::string_view right,
               std::string_view where);

}  // namespace elastic::engine
