#include "engine/tokenizer/sentencepiece_model.h"

#include <fmt/format.h>
#include <sentencepiece_processor.h>

#include "base/error.h"
#include "engine/tokenizer/id_sink.h"
#include "engine/tokenizer/sentencepiece_file.h"
#include "engine/tokenizer/utf8.h"
#include "engine/tokenizer/word_cache.h"
#include "engine/tokenizer/workspace_pool.h"

namespace elastic::engine {
namespace {

constexpr std::string_view kBlank = "\xE2\x96\x81";  // U+2581, a space inside pieces

struct Workspace {
  WordCache words;
  std::vector<std::int32_t> ids;
  std::vector<int> word_ids;
  std::string repaired;
};

bool goes_on_after_blank(std::string_view piece) {
  for (std::size_t at = piece.find(kBlank); at != std::string_view::npos;
       at = piece.find(kBlank, at + kBlank.size())) {
    if (at > 0 && !piece.substr(0, at).ends_with(kBlank)) return true;
  }
  return false;
}

}  // namespace

struct SentencepieceModel::Impl {
  sentencepiece::SentencePieceProcessor processor;
  SentencepieceOptions options;
  bool cut_at_blanks = false;
  std::int32_t blank_id = -1;
  WorkspacePool<Workspace> pool;

  void encode_all(std::string_view text, std::vector<int>& ids) const {
    const auto status = processor.Encode({text.data(), text.size()}, &ids);
    if (!status.ok()) throw Error(ErrorKind::kInvalidArgument, status.ToString());
  }

  bool may_cut(const SentencepieceFile& file) const {
    if (!file.is_bpe || file.whitespace_as_suffix || file.has_normalizer_map ||
        !file.add_dummy_prefix || file.remove_extra_whitespaces || !file.escape_whitespaces) {
      return false;
    }
    for (int id = 0; id < processor.GetPieceSize(); ++id) {
      if (goes_on_after_blank(processor.IdToPiece(id))) return false;
    }
    return !processor.IsUnknown(blank_id);
  }

  // The library puts a blank in front of every text, so a word is given to it without its first
  // one.
  void encode_word(std::string_view word, bool first, std::vector<int>& ids) const {
    if (!first) word.remove_prefix(1);
    if (word.empty()) {
      ids.assign(1, blank_id);
    } else {
      encode_all(word, ids);
    }
  }

  template <typename Sink>
  void encode_words(std::string_view text, Workspace& workspace, Sink& sink) const {
    for (std::size_t begin = 0; begin < text.size();) {
      const std::size_t end = word_end(text, begin);
      const std::string_view word = text.substr(begin, end - begin);
      const bool first = begin == 0;
      begin = end;
      if (first || word.size() > WordCache::kMaxBytes) {
        encode_word(word, first, workspace.word_ids);
        sink.add(std::span<const std::int32_t>(workspace.word_ids));
        continue;
      }
      WordCache::Entry& entry = workspace.words.place(word);
      if (!WordCache::holds(entry, word)) {
        encode_word(word, first, workspace.word_ids);
        WordCache::store(entry, word, workspace.word_ids);
        sink.add(std::span<const std::int32_t>(workspace.word_ids));
      } else {
        sink.add(entry);
      }
    }
  }

  // A word is its leading spaces and all up to the next space that follows something else; a
  // written-out U+2581 counts as a space.
  static std::size_t word_end(std::string_view text, std::size_t at) {
    for (++at; at < text.size(); ++at) {
      if (text[at] == ' ' && text[at - 1] != ' ' && !text.substr(0, at).ends_with(kBlank)) break;
    }
    return at;
  }

  template <typename Sink>
  void encode(std::string_view text, Workspace& workspace, Sink& sink) const {
    text = valid_utf8(text, workspace.repaired);
    if (cut_at_blanks) return encode_words(text, workspace, sink);
    encode_all(text, workspace.word_ids);
    sink.add(std::span<const std::int32_t>(workspace.word_ids));
  }
};

SentencepieceModel::SentencepieceModel(std::string_view bytes, std::string_view source,
                                       const SentencepieceOptions& options)
    : impl_(std::make_unique<Impl>()) {
  const SentencepieceFile file = read_sentencepiece_file(bytes, source);
  const auto status = impl_->processor.LoadFromSerializedProto({bytes.data(), bytes.size()});
  if (!status.ok()) {
    throw Error(ErrorKind::kCorrupt, fmt::format("{}: {}", source, status.ToString()));
  }
  impl_->options = options;
  impl_->blank_id = impl_->processor.PieceToId({kBlank.data(), kBlank.size()});
  impl_->cut_at_blanks = impl_->may_cut(file);
}

SentencepieceModel::~SentencepieceModel() = default;
SentencepieceModel::SentencepieceModel(SentencepieceModel&&) noexcept = default;

std::vector<std::int32_t> SentencepieceModel::encode(std::string_view text,
                                                     bool add_special) const {
  const auto workspace = impl_->pool.take();
  CollectSink sink(workspace->ids);
  if (add_special && bos_id()) sink.add(*bos_id());
  impl_->encode(text, *workspace, sink);
  const std::int32_t eos = impl_->processor.eos_id();
  if (add_special && impl_->options.add_eos && eos >= 0) sink.add(eos);
  const auto ids = sink.ids();
  return {ids.begin(), ids.end()};
}

std::int64_t SentencepieceModel::count(std::string_view text) const {
  const auto workspace = impl_->pool.take();
  CountSink sink;
  impl_->encode(text, *workspace, sink);
  return sink.count();
}

std::string SentencepieceModel::decode(std::span<const std::int32_t> ids, bool skip_special) const {
  std::vector<int> known;
  for (const std::int32_t id : ids) {
    if (id < 0 || id >= impl_->processor.GetPieceSize()) continue;
    const bool special = impl_->processor.IsControl(id) || impl_->processor.IsUnknown(id);
    if (!skip_special || !special) known.push_back(id);
  }
  std::string text;
  const auto status = impl_->processor.Decode(known, &text);
  if (!status.ok()) throw Error(ErrorKind::kInvalidArgument, status.ToString());
  return text;
}

std::optional<std::int32_t> SentencepieceModel::piece_id(std::string_view piece) const {
  const std::int32_t id = impl_->processor.PieceToId({piece.data(), piece.size()});
  if (impl_->processor.IsUnknown(id) && impl_->processor.IdToPiece(id) != piece) {
    return std::nullopt;
  }
  return id;
}

std::optional<std::int32_t> SentencepieceModel::bos_id() const {
  const std::int32_t id = impl_->processor.bos_id();
  return impl_->options.add_bos && id >= 0 ? std::optional(id) : std::nullopt;
}

std::vector<std::int32_t> SentencepieceModel::special_ids() const {
  std::vector<std::int32_t> ids;
  for (std::int32_t id = 0; id < impl_->processor.GetPieceSize(); ++id) {
    if (impl_->processor.IsControl(id) || impl_->processor.IsUnknown(id)) ids.push_back(id);
  }
  return ids;
}

std::int64_t SentencepieceModel::vocab_size() const { return impl_->processor.GetPieceSize(); }

}  // namespace elastic::engine
