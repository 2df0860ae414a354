#pragma once

// Text <-> token ids of a checkpoint folder or GGUF file. tokenizer.json (byte-level BPE: GPT-2,
// Llama 3.x, Qwen2/2.5/3) wins over tokenizer.model (sentencepiece). Unknown features of a
// tokenizer.json are an Error naming them.
//
//   const Tokenizer tokenizer = Tokenizer::load("models/demo");
//   std::vector<std::int32_t> ids = tokenizer.encode("some text");       // BOS in front where the
//   model adds one
//
// Thread-safe: all methods are const and may run concurrently. Torch-free.

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace elastic::engine {

struct DecodeOptions {
  bool skip_special = false;  // drop special tokens
  std::optional<bool>
      clean_up_spaces;  // unset: as tokenizer_config.json says for `generate`; else forced
};

class Tokenizer {
 public:
  /// Throws kNotFound where the folder or file holds no tokenizer,
  /// kCorrupt / kUnsupported naming file and feature.
  static Tokenizer load(const std::filesystem::path& model_folder);

  Tokenizer(Tokenizer&&) noexcept;
  Tokenizer& operator=(Tokenizer&&) noexcept;
  ~Tokenizer();

  /// Special-token text inside `text` becomes its token (a tokenizer.model without a
  /// tokenizer_config.json is sentencepiece's own, which spells it out). `add_special`: with the
  /// post-processor's additions (BOS).
  std::vector<std::int32_t> encode(std::string_view text, bool add_special = true) const;

  /// Invalid UTF-8 from byte pieces becomes U+FFFD.
  std::string decode(std::span<const std::int32_t> ids, const DecodeOptions& options = {}) const;

  /// Token count of the text without added specials:
  /// encode(text, false).size() without building the ids.
  std::int64_t count(std::string_view text) const;

  /// Id of one special or ordinary piece, if the vocabulary has it.
  std::optional<std::int32_t> piece_id(std::string_view piece) const;

  std::optional<std::int32_t> bos_id() const;     // the id that encode() puts in front, if any
  std::vector<std::int32_t> special_ids() const;  // dropped by skip_special
  std::int64_t vocab_size() const;
  // Of the file that defined it, or of a GGUF file's keys of it.
  const std::string& sha256() const;
  const std::string& source() const;  // that file's path

 private:
  struct Impl;
  explicit Tokenizer(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

/// Ids of a text that may begin with its own BOS, as chat templates print it: one BOS in front.
std::vector<std::int32_t> encode_single_bos(const Tokenizer& tokenizer, std::string_view text);

}  // namespace elastic::engine
