#pragma once

// The few facts of a sentencepiece file (a protocol buffer) that the library does not tell, and a
// check of its outer structure before the library reads it.

#include <string_view>

namespace elastic::engine {

struct SentencepieceFile {
  bool byte_fallback = false;         // trainer_spec: characters without a piece become bytes
  bool is_bpe = false;                // trainer_spec.model_type
  bool whitespace_as_suffix = false;  // trainer_spec.treat_whitespace_as_suffix
  bool has_normalizer_map = false;    // normalizer_spec.precompiled_charsmap is not empty
  bool add_dummy_prefix = true;       // normalizer_spec
  bool remove_extra_whitespaces = true;
  bool escape_whitespaces = true;
};

/// kCorrupt naming `source` where the bytes end early or are no such file.
SentencepieceFile read_sentencepiece_file(std::string_view bytes, std::string_view source);

}  // namespace elastic::engine
