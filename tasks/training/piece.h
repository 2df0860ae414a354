#pragma once

// Synthetic text in pieces that are turned into ids one by one: a tokenizer whose pieces never
// cross a blank or a line end makes of the whole text what it makes of the parts, so that parts may
// be cached, counted and moved.
//
//   const PieceEncoder encoder(tokenizer);
//   const Piece line = encoder.inside(" The lake lies still.");

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "engine/api/batch_source.h"
#include "engine/api/tokenizer.h"

namespace elastic::tasks {

struct Piece {
  std::string text;               // empty where the ids stand for no text
  std::vector<std::int32_t> ids;  // [tokens]
  std::int64_t tokens() const { return static_cast<std::int64_t>(ids.size()); }
};

class PieceEncoder {
 public:
  /// `tokenizer` must outlive the object.
  explicit PieceEncoder(const engine::Tokenizer& tokenizer);

  /// The beginning of a text, BOS in front where the model adds one.
  Piece first(std::string text) const;
  /// A part within a text, beginning with a blank or behind a line end. Throws kUnsupported where
  /// the tokenizer merges it with the line end.
  Piece inside(std::string text) const;

 private:
  const engine::Tokenizer& tokenizer_;
  std::vector<std::int32_t> anchor_;  // ids of a line end alone
};

/// A document as it grows, with the text that it stands for.
struct MixDocument {
  engine::TrainingDocument document;
  std::string text;
  bool has_text = true;  // false once a part stands for no text: random token ids

  void add(const Piece& piece, bool answer = false);
  std::int64_t tokens() const { return static_cast<std::int64_t>(document.ids.size()); }
};

}  // namespace elastic::tasks
