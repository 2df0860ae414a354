#include "engine/tokenizer/sentencepiece_file.h"

#include <fmt/format.h>

#include <cstdint>
#include <optional>

#include "base/error.h"

namespace elastic::engine {
namespace {

// Field numbers of sentencepiece's model description.
constexpr std::uint32_t kPieces = 1, kTrainer = 2, kNormalizer = 3;
constexpr std::uint32_t kModelType = 3, kWhitespaceAsSuffix = 24, kByteFallback = 35;
constexpr std::uint32_t kCharsMap = 2, kDummyPrefix = 3, kExtraWhitespaces = 4, kEscape = 5;
constexpr std::uint64_t kBpe = 2;

struct Field {
  std::uint32_t number = 0;
  std::uint64_t value = 0;   // of a variable-length integer
  std::string_view payload;  // of a length-delimited field
};

// Walks the fields of one protocol buffer message.
class Fields {
 public:
  Fields(std::string_view bytes, std::string_view source) : bytes_(bytes), source_(source) {}

  std::optional<Field> next() {
    if (bytes_.empty()) return std::nullopt;
    const std::uint64_t tag = integer();
    Field field{.number = static_cast<std::uint32_t>(tag >> 3)};
    switch (tag & 7) {
      case 0:
        field.value = integer();
        break;
      case 1:
        take(8);
        break;
      case 2:
        field.payload = take(integer());
        break;
      case 5:
        take(4);
        break;
      default:
        damaged("has a field of an unknown kind");
    }
    return field;
  }

 private:
  [[noreturn]] void damaged(std::string_view what) const {
    throw Error(
        ErrorKind::kCorrupt,
        fmt::format("{}: not a sentencepiece model: {}; fetch the file again", source_, what));
  }

  std::uint64_t integer() {
    std::uint64_t value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      const auto byte = static_cast<unsigned char>(take(1).front());
      value |= std::uint64_t{byte & 0x7Fu} << shift;
      if (byte < 0x80) return value;
    }
    damaged("has a number of more than ten bytes");
  }

  std::string_view take(std::uint64_t count) {
    if (count > bytes_.size()) damaged("it ends in the middle of a field");
    const std::string_view taken = bytes_.substr(0, count);
    bytes_.remove_prefix(count);
    return taken;
  }

  std::string_view bytes_;
  std::string_view source_;
};

}  // namespace

SentencepieceFile read_sentencepiece_file(std::string_view bytes, std::string_view source) {
  SentencepieceFile file;
  bool any_piece = false, trainer = false, normalizer = false;
  Fields fields(bytes, source);
  while (const auto field = fields.next()) {
    if (field->number == kPieces && !field->payload.empty()) any_piece = true;
    Fields inner(field->payload, source);
    if (field->number == kTrainer) {
      trainer = true;
      while (const auto entry = inner.next()) {
        if (entry->number == kModelType) file.is_bpe = entry->value == kBpe;
        if (entry->number == kByteFallback) file.byte_fallback = entry->value != 0;
        if (entry->number == kWhitespaceAsSuffix) file.whitespace_as_suffix = entry->value != 0;
      }
    } else if (field->number == kNormalizer) {
      normalizer = true;
      while (const auto entry = inner.next()) {
        if (entry->number == kCharsMap) file.has_normalizer_map = !entry->payload.empty();
        if (entry->number == kDummyPrefix) file.add_dummy_prefix = entry->value != 0;
        if (entry->number == kExtraWhitespaces) file.remove_extra_whitespaces = entry->value != 0;
        if (entry->number == kEscape) file.escape_whitespaces = entry->value != 0;
      }
    }
  }
  if (!any_piece || !trainer || !normalizer) {
    throw Error(
        ErrorKind::kCorrupt,
        fmt::format("{}: not a whole sentencepiece model: it lacks {}; fetch the file again",
                    source, any_piece ? "its settings" : "pieces"));
  }
  return file;
}

}  // namespace elastic::engine
