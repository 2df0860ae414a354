#pragma once

// A tokenizer's files rewritten as a GGUF file's metadata.

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "base/file.h"
#include "engine/tokenizer/tokenizer_config.h"
#include "engine/tokenizer/tokenizer_spec.h"
#include "tests/testing/gguf_writer.h"

namespace elastic::testing {

inline void add_pieces(GgufWriter& gguf, const std::vector<std::string>& texts,
                       const std::vector<std::int32_t>& kinds) {
  gguf.texts("tokenizer.ggml.tokens", texts);
  gguf.numbers<std::int32_t>("tokenizer.ggml.token_type", GgufWriter::kI32, kinds);
}

/// tokenizer.json, or vocab.json with merges.txt; `pre` is what a GGUF file calls its cutting.
inline std::string byte_level_as_gguf(const std::filesystem::path& folder, const char* pre) {
  const bool json = std::filesystem::exists(folder / "tokenizer.json");
  const engine::TokenizerSpec spec =
      json ? engine::read_tokenizer_json(folder / "tokenizer.json")
           : engine::read_vocab_and_merges(
                 folder, engine::read_tokenizer_config(folder / "tokenizer_config.json"));
  constexpr std::int32_t kNormal = 1, kControl = 3, kUserDefined = 4, kUnused = 5;
  std::vector<std::string> texts;
  std::vector<std::int32_t> kinds;
  const auto put = [&](std::int32_t id, std::string_view text, std::int32_t kind) {
    for (std::int32_t next = static_cast<std::int32_t>(texts.size()); next <= id; ++next) {
      texts.push_back("[PAD" + std::to_string(next) + "]");
      kinds.push_back(kUnused);
    }
    texts[static_cast<std::size_t>(id)] = text;
    kinds[static_cast<std::size_t>(id)] = kind;
  };
  for (std::int32_t id = 0; id < spec.pieces.id_limit(); ++id) {
    if (spec.pieces.has(id)) put(id, spec.pieces.piece(id), kNormal);
  }
  for (const engine::AddedToken& token : spec.added_tokens) {
    put(token.id, token.content, token.special ? kControl : kUserDefined);
  }
  std::vector<std::string> merges;
  for (const engine::MergeRule& rule : spec.merges) {
    merges.push_back(std::string(spec.pieces.piece(rule.left)) + " " +
                     std::string(spec.pieces.piece(rule.right)));
  }
  GgufWriter gguf;
  gguf.text("tokenizer.ggml.model", "gpt2");
  gguf.text("tokenizer.ggml.pre", pre);
  add_pieces(gguf, texts, kinds);
  gguf.texts("tokenizer.ggml.merges", merges);
  for (const std::int32_t id : spec.prefix_ids) {
    gguf.u32("tokenizer.ggml.bos_token_id", static_cast<std::uint32_t>(id));
  }
  return gguf.bytes();
}

/// tokenizer.model: its pieces with scores and kinds.
inline std::string sentencepiece_as_gguf(const std::filesystem::path& model) {
  const std::string bytes = read_file(model);
  std::vector<std::string> texts;
  std::vector<std::int32_t> kinds;
  std::vector<float> scores;
  const auto number = [](std::string_view& in) {
    std::uint64_t value = 0;
    for (int shift = 0;; shift += 7) {
      const auto byte = static_cast<unsigned char>(in.front());
      in.remove_prefix(1);
      value |= std::uint64_t{byte & 0x7FU} << shift;
      if (byte < 0x80) return value;
    }
  };
  for (std::string_view in = bytes; !in.empty() && in.front() == '\x0A';) {  // field 1: a piece
    in.remove_prefix(1);
    const std::uint64_t length = number(in);
    std::string_view piece = in.substr(0, length);
    in.remove_prefix(length);
    kinds.push_back(1);
    scores.push_back(0);
    while (!piece.empty()) {
      const std::uint64_t field = number(piece);
      if (field >> 3 == 1) {
        const std::uint64_t size = number(piece);
        texts.emplace_back(piece.substr(0, size));
        piece.remove_prefix(size);
      } else if (field >> 3 == 2) {
        std::memcpy(&scores.back(), piece.data(), sizeof(float));
        piece.remove_prefix(sizeof(float));
      } else {
        kinds.back() = static_cast<std::int32_t>(number(piece));
      }
    }
  }
  GgufWriter gguf;
  gguf.text("tokenizer.ggml.model", "llama");
  add_pieces(gguf, texts, kinds);
  gguf.numbers<float>("tokenizer.ggml.scores", GgufWriter::kF32, scores);
  for (const auto& [key, text] : {std::pair{"bos", "<s>"}, std::pair{"eos", "</s>"}}) {
    const auto at = std::find(texts.begin(), texts.end(), text);
    if (at == texts.end()) continue;
    gguf.u32(std::string("tokenizer.ggml.") + key + "_token_id",
             static_cast<std::uint32_t>(at - texts.begin()));
  }
  return gguf.bytes();
}

}  // namespace elastic::testing
