#pragma once

// A sentencepiece `.model` through the sentencepiece library. Where the model allows it (BPE,
// identity normalizer, byte fallback: all Llama-type models) the text is cut between characters
// that are neighbours in no piece, which no merge can cross, and the words are remembered: the
// library's ids, many times faster. The library spells out a control token that is written in a
// text (`<s>`); transformers makes it its id, as it does with added tokens.
//
//   const SentencepieceModel model("models/demo/tokenizer.model", {.add_bos = true});

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/tokenizer/added_tokens.h"

namespace elastic::engine {

struct SentencepieceOptions {
  bool add_bos = true;
  bool add_eos = false;
  bool read_controls = false;  // control tokens written in a text are those tokens
  bool legacy = false;  // text after a control token gets a blank in front, as at the beginning
  std::vector<AddedToken> added_tokens;  // of tokenizer_config.json
};

class SentencepieceModel {
 public:
  /// `bytes`: the file's content, `source` its name in errors. kCorrupt where it is damaged.
  SentencepieceModel(std::string_view bytes, std::string_view source,
                     const SentencepieceOptions& options);
  ~SentencepieceModel();
  SentencepieceModel(SentencepieceModel&&) noexcept;

  std::vector<std::int32_t> encode(std::string_view text, bool add_special) const;
  std::int64_t count(std::string_view text) const;
  std::string decode(std::span<const std::int32_t> ids, bool skip_special) const;

  std::optional<std::int32_t> piece_id(std::string_view piece) const;
  std::optional<std::int32_t> bos_id() const;
  std::vector<std::int32_t> special_ids() const;
  std::int64_t vocab_size() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace elastic::engine
