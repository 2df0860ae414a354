#pragma once

// Learns a sentencepiece BPE tokenizer from lines of text. Torch-free.
//
//   const std::string model = train_tokenizer({.vocab_size = 6144, .user_symbols = {"\n", "."}},
//                                             lines);

#include <string>
#include <vector>

namespace elastic::engine {

/// Every digit is a piece of its own, bytes stand in for unknown characters, the text is taken as
/// it is (no normalisation, every blank kept). Ids: 0 <unk>, 1 <s>,
/// 2 </s>, the user's symbols, 256 bytes, merges.
struct TokenizerTraining {
  int vocab_size = 6144;
  /// Never merged with what stands beside them; a leading blank is written as such.
  std::vector<std::string> user_symbols;
};

/// The bytes of a `tokenizer.model`; a function of its arguments. Throws kInvalidArgument where the
/// vocabulary is too small for symbols and characters or larger than the lines can fill.
std::string train_tokenizer(const TokenizerTraining& options,
                            const std::vector<std::string>& lines);

}  // namespace elastic::engine
