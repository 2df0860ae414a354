#include "engine/tokenizer/sentencepiece_model.h"

#include <fmt/format.h>
#include <sentencepiece_processor.h>

#include "base/error.h"
#include "base/text.h"
#include "engine/tokenizer/id_sink.h"
#include "engine/tokenizer/piece_boundaries.h"
#include "engine/tokenizer/sentencepiece_file.h"
#include "engine/tokenizer/utf8.h"
#include "engine/tokenizer/word_cache.h"
#include "engine/tokenizer/workspace_pool.h"

namespace elastic::engine {
namespace {

struct Workspace {
  WordCache words;
  std::vector<std::int32_t> ids;
  std::vector<int> word_ids;
  std::string repaired, prefixed;
};

constexpr std::string_view kBlank = "\xE2\x96\x81";  // U+2581, a space inside pieces

// Appended to a model file, this second normalizer_spec {add_dummy_prefix: false} overrides that
// field of the first: fields of a repeated message are merged, the last value counts.
constexpr std::string_view kNoDummyPrefix("\x1A\x02\x18\x00", 4);

}  // namespace

struct SentencepieceModel::Impl {
  sentencepiece::SentencePieceProcessor processor;
  sentencepiece::SentencePieceProcessor word_processor;  // puts no blank in front; cut text only
  std::optional<PieceBoundaries> boundaries;             // set where text may be cut
  SentencepieceOptions options;
  WorkspacePool<Workspace> pool;

  void load(std::string_view bytes, std::string_view source) {
    const SentencepieceFile file = read_sentencepiece_file(bytes, source);
    load_processor(processor, std::string(bytes), source);
    if (!file.is_bpe || !file.byte_fallback || file.whitespace_as_suffix ||
        file.has_normalizer_map || !file.add_dummy_prefix || file.remove_extra_whitespaces ||
        !file.escape_whitespaces) {
      return;
    }
    load_processor(word_processor, std::string(bytes).append(kNoDummyPrefix), source);
    boundaries.emplace();
    add_boundaries(" \xE2\x96\x81 ");  // no cut between blanks of the two spellings
    for (int id = 0; id < processor.GetPieceSize(); ++id) {
      if (!processor.IsControl(id)) add_boundaries(processor.IdToPiece(id));
    }
  }

  // In a text the blank of a piece is a space, or U+2581 itself.
  void add_boundaries(const std::string& piece) {
    boundaries->add_piece(piece);
    boundaries->add_piece(replace_all(piece, kBlank, " "));
  }

  static void load_processor(sentencepiece::SentencePieceProcessor& target,
                             const std::string& bytes, std::string_view source) {
    const auto status = target.LoadFromSerializedProto({bytes.data(), bytes.size()});
    if (!status.ok()) {
      throw Error(ErrorKind::kCorrupt, fmt::format("{}: {}", source, status.ToString()));
    }
  }

  static void run(const sentencepiece::SentencePieceProcessor& encoder, std::string_view text,
                  std::vector<int>& ids) {
    const auto status = encoder.Encode({text.data(), text.size()}, &ids);
    if (!status.ok()) throw Error(ErrorKind::kInvalidArgument, status.ToString());
  }

  template <typename Sink>
  void encode_words(std::string_view text, Workspace& workspace, Sink& sink) const {
    std::vector<int>& ids = workspace.word_ids;
    for (std::size_t begin = 0; begin < text.size();) {
      const std::size_t end = boundaries->word_end(text, begin);
      const std::string_view word = text.substr(begin, end - begin);
      begin = end;
      if (word.size() > WordCache::kMaxBytes) {
        run(word_processor, word, ids);
        sink.add(std::span<const std::int32_t>(ids));
        continue;
      }
      WordCache::Entry& entry = workspace.words.place(word);
      if (WordCache::holds(entry, word)) {
        sink.add(entry);
        continue;
      }
      run(word_processor, word, ids);
      WordCache::store(entry, word, ids);
      sink.add(std::span<const std::int32_t>(ids));
    }
  }

  template <typename Sink>
  void encode(std::string_view text, Workspace& workspace, Sink& sink) const {
    text = valid_utf8(text, workspace.repaired);
    if (text.empty()) return;
    if (!boundaries) {
      run(processor, text, workspace.word_ids);
      return sink.add(std::span<const std::int32_t>(workspace.word_ids));
    }
    // The first word gets the blank that the library would put in front of the text.
    workspace.prefixed.assign(" ").append(text.substr(0, boundaries->word_end(text, 0)));
    const std::size_t taken = workspace.prefixed.size() - 1;
    encode_words(workspace.prefixed, workspace, sink);
    encode_words(text.substr(taken), workspace, sink);
  }
};

SentencepieceModel::SentencepieceModel(std::string_view bytes, std::string_view source,
                                       const SentencepieceOptions& options)
    : impl_(std::make_unique<Impl>()) {
  impl_->options = options;
  impl_->load(bytes, source);
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
