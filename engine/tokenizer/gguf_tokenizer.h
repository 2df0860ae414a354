#pragma once

// The tokenizer in a GGUF file's metadata (`tokenizer.ggml.*`): byte-level BPE ("gpt2", cut as
// `pre` says) or sentencepiece's BPE ("llama"), with pieces, kinds of pieces, and merges or scores.
//
//   auto model = gguf_tokenizer(GgufFile("model.gguf"));

#include <string>
#include <variant>

#include "engine/io/gguf.h"
#include "engine/tokenizer/byte_bpe.h"
#include "engine/tokenizer/sentencepiece_model.h"

namespace elastic::engine {

/// kNotFound where the file has none, kUnsupported naming another kind of tokenizer or of cutting,
/// kCorrupt naming the key.
std::variant<ByteBpe, SentencepieceModel> gguf_tokenizer(const GgufFile& file);

/// Of its keys and values, so that files of one model share it whatever their weights' types.
std::string gguf_tokenizer_sha256(const GgufFile& file);

}  // namespace elastic::engine
