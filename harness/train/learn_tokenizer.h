#pragma once

// The sentencepiece tokenizer of a demo model, learned from the wordings of the synthetic mixture
// and the word lists. A function of its options.
//
//   const LearnedTokenizer learned = learn_tokenizer({.output = "models/demo"});

#include <cstdint>
#include <filesystem>
#include <string>

namespace elastic::harness {

struct LearnOptions {
  std::filesystem::path output;    // folder for tokenizer.model and tokenizer_config.json
  std::filesystem::path data_dir;  // of the word lists; empty: see find_word_lists()
  int vocab_size = 6144;           // pieces
  std::uint64_t seed = 1;          // of the text
  std::int64_t max_length = 8192;  // tokens; written to tokenizer_config.json
};

struct LearnedTokenizer {
  std::filesystem::path model;  // tokenizer.model
  std::int64_t pieces = 0;
  std::string sha256;  // of the model
};

/// Throws kInvalidArgument where no output is named, kNotFound without word lists, kIo.
LearnedTokenizer learn_tokenizer(const LearnOptions& options);

}  // namespace elastic::harness
