#include "engine/tokenizer/gguf_tokenizer.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <optional>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/hash.h"
#include "base/registry.h"
#include "engine/tokenizer/bpe_tables.h"

namespace elastic::engine {
namespace {

constexpr const char* kModelKey = "tokenizer.ggml.model";
constexpr const char* kTokensKey = "tokenizer.ggml.tokens";
constexpr const char* kKindsKey = "tokenizer.ggml.token_type";
constexpr const char* kMergesKey = "tokenizer.ggml.merges";
constexpr const char* kScoresKey = "tokenizer.ggml.scores";
constexpr const char* kPreKey = "tokenizer.ggml.pre";
constexpr const char* kBosKey = "tokenizer.ggml.bos_token_id";
constexpr const char* kEosKey = "tokenizer.ggml.eos_token_id";
constexpr const char* kCharsMapKey = "tokenizer.ggml.precompiled_charsmap";

// Kinds of pieces: sentencepiece's numbers.
enum Kind : std::int64_t { kNormal = 1, kUnknown, kControl, kUserDefined, kUnused, kByte };

[[noreturn]] void corrupt(const GgufFile& file, const std::string& what) {
  throw Error(ErrorKind::kCorrupt, fmt::format("{}: {}", file.source(), what));
}

[[noreturn]] void unsupported(const GgufFile& file, const std::string& what) {
  throw Error(ErrorKind::kUnsupported, fmt::format("{}: {}", file.source(), what));
}

struct Pieces {  // by id
  std::vector<std::string_view> texts;
  std::vector<std::int64_t> kinds;
};

Pieces read_pieces(const GgufFile& file) {
  Pieces pieces{file.get<std::vector<std::string_view>>(kTokensKey), {}};
  if (pieces.texts.empty() || std::ssize(pieces.texts) > kMaxId) {
    corrupt(file, fmt::format("`{}` has {} entries, expected 1 .. {}", kTokensKey,
                              pieces.texts.size(), kMaxId));
  }
  pieces.kinds = file.find<std::vector<std::int64_t>>(kKindsKey).value_or(
      std::vector<std::int64_t>(pieces.texts.size(), kNormal));
  if (pieces.kinds.size() != pieces.texts.size()) {
    corrupt(file, fmt::format("`{}` has {} entries and `{}` {}", kKindsKey, pieces.kinds.size(),
                              kTokensKey, pieces.texts.size()));
  }
  for (const std::int64_t kind : pieces.kinds) {
    if (kind < kNormal || kind > kByte) {
      corrupt(file, fmt::format("`{}` holds {}, expected 1 .. 6", kKindsKey, kind));
    }
  }
  return pieces;
}

std::optional<std::int32_t> special_id(const GgufFile& file, const char* key,
                                       const Pieces& pieces) {
  const auto id = file.find<std::int64_t>(key);
  if (!id) return std::nullopt;
  if (*id < 0 || *id >= std::ssize(pieces.texts)) {
    corrupt(file,
            fmt::format("`{}` is {}, and there are {} tokens", key, *id, pieces.texts.size()));
  }
  return static_cast<std::int32_t>(*id);
}

bool flag(const GgufFile& file, const char* key, bool otherwise) {
  return file.find<bool>(key).value_or(otherwise);
}

// ---- byte-level BPE ----

// What `pre` stands for beside the pieces.
struct Cutting {
  const char* name;
  ScanKind pattern;
  bool single_digits = false;  // every digit is a word, before the pattern cuts
  bool nfc = false;
  bool whole_words = false;  // a word that is a piece is that piece, whatever the merges say
  bool add_bos = false;
};

constexpr Cutting kCuttings[] = {
    {.name = "gpt-2", .pattern = ScanKind::kGpt2},
    {.name = "smollm", .pattern = ScanKind::kGpt2, .single_digits = true},
    {.name = "llama-bpe", .pattern = ScanKind::kLlama3, .whole_words = true, .add_bos = true},
    {.name = "qwen2", .pattern = ScanKind::kQwen2, .nfc = true},
};

const Cutting& find_cutting(const GgufFile& file) {
  const auto name = file.get<std::string_view>(kPreKey);
  std::vector<std::string> known;
  for (const Cutting& cutting : kCuttings) {
    if (name == cutting.name) return cutting;
    known.emplace_back(cutting.name);
  }
  unsupported(file, unknown_name(fmt::format("`{}`", kPreKey), name, known));
}

// Control and user-defined pieces are found in a text before it is cut; unused ones stand for none.
void add_pieces(const GgufFile& file, const Pieces& pieces, TokenizerSpec& spec) {
  Vocabulary added;
  for (std::int32_t id = 0; id < std::ssize(pieces.texts); ++id) {
    const std::string_view text = pieces.texts[static_cast<std::size_t>(id)];
    const std::int64_t kind = pieces.kinds[static_cast<std::size_t>(id)];
    if (kind == kUnused) continue;
    if (text.empty()) corrupt(file, fmt::format("`{}`: token {} is empty", kTokensKey, id));
    const bool apart = kind == kUnknown || kind == kControl || kind == kUserDefined;
    Vocabulary& target = apart ? added : spec.pieces;
    if (!target.add(text, id) || !target.index(id)) {
      corrupt(file, fmt::format("`{}` lists `{}` twice", kTokensKey, text));
    }
    if (apart) {
      spec.added_tokens.push_back(
          {.content = std::string(text), .id = id, .special = kind != kUserDefined});
    }
  }
  if (spec.pieces.id_limit() == 0) corrupt(file, fmt::format("`{}` has no pieces", kTokensKey));
}

void add_merges(const GgufFile& file, TokenizerSpec& spec) {
  const auto merges = file.get<std::vector<std::string_view>>(kMergesKey);
  spec.merges.reserve(merges.size());
  for (const std::string_view merge : merges) {
    const std::size_t blank = merge.find(' ');
    if (blank == std::string_view::npos || merge.find(' ', blank + 1) != std::string_view::npos) {
      corrupt(file, fmt::format("`{}`: entry {} is `{}`, expected two pieces", kMergesKey,
                                spec.merges.size(), merge.substr(0, 80)));
    }
    add_merge(spec, merge.substr(0, blank), merge.substr(blank + 1),
              fmt::format("{}: `{}`", file.source(), kMergesKey));
  }
}

TokenizerSpec byte_level(const GgufFile& file) {
  const Pieces pieces = read_pieces(file);
  const Cutting& cutting = find_cutting(file);
  TokenizerSpec spec;
  spec.source = file.source();
  add_pieces(file, pieces, spec);
  add_merges(file, spec);
  spec.nfc = cutting.nfc;
  spec.ignore_merges = cutting.whole_words;
  if (flag(file, "tokenizer.ggml.add_space_prefix", false)) {
    spec.pre_tokenizer.emplace_back(PrefixStep{.text = " "});
  }
  if (cutting.single_digits) spec.pre_tokenizer.emplace_back(SplitStep{.pattern = "\\p{N}"});
  spec.pre_tokenizer.emplace_back(SplitStep{.pattern = std::string(pattern_of(cutting.pattern))});
  const auto bos = special_id(file, kBosKey, pieces), eos = special_id(file, kEosKey, pieces);
  if (bos && flag(file, "tokenizer.ggml.add_bos_token", cutting.add_bos)) {
    spec.prefix_ids.push_back(*bos);
  }
  if (eos && flag(file, "tokenizer.ggml.add_eos_token", false)) spec.suffix_ids.push_back(*eos);
  return spec;
}

// ---- sentencepiece ----

// Writes the fields of a protocol buffer message.
class Message {
 public:
  void integer(std::uint32_t field, std::uint64_t value) {
    number(std::uint64_t{field} << 3);
    number(value);
  }
  void text(std::uint32_t field, std::string_view value) {
    number(std::uint64_t{field} << 3 | 2);
    number(value.size());
    bytes_ += value;
  }
  void real(std::uint32_t field, float value) {
    number(std::uint64_t{field} << 3 | 5);
    const auto bits = std::bit_cast<std::uint32_t>(value);
    for (int shift = 0; shift < 32; shift += 8) bytes_ += static_cast<char>(bits >> shift & 0xFF);
  }
  const std::string& bytes() const { return bytes_; }

 private:
  void number(std::uint64_t value) {
    for (; value >= 0x80; value >>= 7) bytes_ += static_cast<char>(value | 0x80);
    bytes_ += static_cast<char>(value);
  }

  std::string bytes_;
};

// The file that sentencepiece would have of these pieces (its field numbers): BPE, text as it is.
std::string sentencepiece_bytes(const GgufFile& file, const Pieces& pieces) {
  const auto scores = file.get<std::vector<double>>(kScoresKey);
  if (scores.size() != pieces.texts.size()) {
    corrupt(file, fmt::format("`{}` has {} entries and `{}` {}", kScoresKey, scores.size(),
                              kTokensKey, pieces.texts.size()));
  }
  Message model, trainer, normalizer;
  for (std::size_t id = 0; id < pieces.texts.size(); ++id) {
    Message piece;
    piece.text(1, pieces.texts[id]);
    piece.real(2, static_cast<float>(scores[id]));
    piece.integer(3, static_cast<std::uint64_t>(pieces.kinds[id]));
    model.text(1, piece.bytes());
  }
  const bool bytes =
      std::find(pieces.kinds.begin(), pieces.kinds.end(), kByte) != pieces.kinds.end();
  trainer.integer(3, 2);  // model_type: BPE
  trainer.integer(35, bytes ? 1 : 0);
  for (const auto& [field, key] : {std::pair{46U, kBosKey}, std::pair{47U, kEosKey}}) {
    if (const auto id = special_id(file, key, pieces)) {
      trainer.text(field, pieces.texts[static_cast<std::size_t>(*id)]);
    }
  }
  normalizer.text(1, "identity");
  normalizer.integer(3, flag(file, "tokenizer.ggml.add_space_prefix", true) ? 1 : 0);
  normalizer.integer(4, flag(file, "tokenizer.ggml.remove_extra_whitespaces", false) ? 1 : 0);
  normalizer.integer(5, 1);  // blanks are written as U+2581
  model.text(2, trainer.bytes());
  model.text(3, normalizer.bytes());
  return model.bytes();
}

SentencepieceModel sentencepiece(const GgufFile& file) {
  if (file.metadata().contains(kCharsMapKey)) {
    unsupported(file,
                fmt::format("`{}`: a normalizer of characters is not supported", kCharsMapKey));
  }
  const Pieces pieces = read_pieces(file);
  return SentencepieceModel(sentencepiece_bytes(file, pieces), file.source(),
                            {.add_bos = flag(file, "tokenizer.ggml.add_bos_token", true),
                             .add_eos = flag(file, "tokenizer.ggml.add_eos_token", false),
                             .read_controls = true});
}

}  // namespace

std::variant<ByteBpe, SentencepieceModel> gguf_tokenizer(const GgufFile& file) {
  const auto model = file.find<std::string_view>(kModelKey).value_or("no_vocab");
  if (model == "gpt2") return ByteBpe(byte_level(file));
  if (model == "llama") return sentencepiece(file);
  if (model == "no_vocab") {
    throw Error(ErrorKind::kNotFound,
                fmt::format("{}: holds no tokenizer (`{}`)", file.source(), kModelKey));
  }
  unsupported(file, unknown_name(fmt::format("`{}`", kModelKey), model, {"gpt2", "llama"}));
}

std::string gguf_tokenizer_sha256(const GgufFile& file) {
  constexpr std::string_view kPrefix = "tokenizer.ggml.";
  Sha256 hash;
  const auto add = [&](std::string_view text) {
    hash.update(fmt::format("{} ", text.size())).update(text);
  };
  for (auto it = file.metadata().lower_bound(kPrefix);
       it != file.metadata().end() && it->first.starts_with(kPrefix); ++it) {
    const GgufValue& value = it->second;
    add(it->first);
    add(fmt::format("{} {}", to_string(value.type), value.count));
    add({reinterpret_cast<const char*>(value.bytes.data()), value.bytes.size()});
    for (const std::string_view text : value.texts) add(text);
  }
  return hash.hex();
}

}  // namespace elastic::engine
