#pragma once

// Byte-level byte-pair encoding (GPT-2, Llama 3.x, Qwen2/2.5/3): added tokens out of the text, NFC
// where asked, cut into words, merge the bytes of every word. Words are remembered, so ordinary
// text costs one table look-up a word.
//
//   const ByteBpe bpe(read_tokenizer_json(path));
//   std::vector<std::int32_t> ids = bpe.encode("some text", true);

#include <array>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/tokenizer/added_tokens.h"
#include "engine/tokenizer/bpe_merge.h"
#include "engine/tokenizer/piece_boundaries.h"
#include "engine/tokenizer/pretokenizer.h"
#include "engine/tokenizer/tokenizer_spec.h"
#include "engine/tokenizer/vocabulary.h"
#include "engine/tokenizer/workspace_pool.h"

namespace elastic::engine {

class ByteBpe {
 public:
  explicit ByteBpe(TokenizerSpec spec);
  ~ByteBpe();
  ByteBpe(ByteBpe&&) noexcept;

  std::vector<std::int32_t> encode(std::string_view text, bool add_special) const;
  std::int64_t count(std::string_view text) const;

  /// Bytes of the pieces, ill-formed UTF-8 replaced; ids without a piece are left out.
  std::string decode(std::span<const std::int32_t> ids, bool skip_special) const;

  std::optional<std::int32_t> piece_id(std::string_view piece) const;
  std::optional<std::int32_t> bos_id() const;
  std::vector<std::int32_t> special_ids() const;
  std::int64_t vocab_size() const;

 private:
  struct Workspace;

  template <typename Sink>
  void encode_text(std::string_view text, Workspace& workspace, Sink& sink) const;
  template <typename Sink>
  void encode_segment(std::string_view text, bool first, Workspace& workspace, Sink& sink) const;
  std::span<const std::int32_t> word_ids(std::string_view word, Workspace& workspace) const;
  std::span<const std::int32_t> fragment_ids(std::string_view word, Workspace& workspace) const;
  std::span<const std::int32_t> merge_bytes(std::string_view word, Workspace& workspace) const;

  void build_pieces();
  void build_merges();
  void build_added_tokens();

  TokenizerSpec spec_;
  Vocabulary bytes_;  // what a piece stands for, indexed by those bytes
  std::array<std::int32_t, 256> byte_ids_{};
  MergeTable merges_;
  std::vector<Merge> byte_pairs_;  // [256 * left + right], merges of single bytes
  bool all_bytes_known_ = true;
  PieceBoundaries boundaries_;  // where words may be cut before merging
  PreTokenizer pre_tokenizer_;
  AddedTokens before_normalizer_, after_normalizer_;
  std::vector<bool> special_;  // by id
  std::unique_ptr<WorkspacePool<Workspace>> pool_;
};

}  // namespace elastic::engine
