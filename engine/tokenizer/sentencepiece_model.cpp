#include "engine/tokenizer/sentencepiece_model.h"

#include <fmt/format.h>
#include <sentencepiece_processor.h>

#include <algorithm>

#include "base/error.h"
#include "base/text.h"
#include "base/utf8.h"
#include "engine/tokenizer/id_sink.h"
#include "engine/tokenizer/piece_boundaries.h"
#include "engine/tokenizer/sentencepiece_file.h"
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
  sentencepiece::SentencePieceProcessor word_processor;  // puts no blank in front
  std::optional<PieceBoundaries> boundaries;             // set where text may be cut
  SentencepieceOptions options;
  AddedTokens written_out;  // control pieces, <unk> and the added tokens of the configuration
  WorkspacePool<Workspace> pool;

  void load(std::string_view bytes, std::string_view source) {
    const SentencepieceFile file = read_sentencepiece_file(bytes, source);
    load_processor(processor, std::string(bytes), source);
    load_processor(word_processor, std::string(bytes).append(kNoDummyPrefix), source);
    find_written_out(source);
    if (!file.is_bpe || !file.byte_fallback || file.whitespace_as_suffix ||
        file.has_normalizer_map || !file.add_dummy_prefix || file.remove_extra_whitespaces ||
        !file.escape_whitespaces) {
      return;
    }
    boundaries.emplace();
    add_boundaries(" \xE2\x96\x81 ");  // no cut between blanks of the two spellings
    for (int id = 0; id < processor.GetPieceSize(); ++id) {
      if (!processor.IsControl(id)) add_boundaries(processor.IdToPiece(id));
    }
  }

  bool is_control(int id) const { return processor.IsControl(id) || processor.IsUnknown(id); }

  // An added token beyond the pieces; null for others.
  const AddedToken* added(std::int32_t id) const {
    if (id < processor.GetPieceSize()) return nullptr;
    const auto found = std::find_if(options.added_tokens.begin(), options.added_tokens.end(),
                                    [id](const AddedToken& token) { return token.id == id; });
    return found == options.added_tokens.end() ? nullptr : &*found;
  }

  void find_written_out(std::string_view source) {
    std::vector<AddedToken> tokens;
    for (int id = 0; options.read_controls && id < processor.GetPieceSize(); ++id) {
      if (!is_control(id)) continue;
      tokens.push_back({.content = processor.IdToPiece(id), .id = id, .special = true});
    }
    for (const AddedToken& token : options.added_tokens) {
      if (token.id >= processor.GetPieceSize()) {
        tokens.push_back(token);
      } else if (processor.IdToPiece(token.id) != token.content) {
        throw Error(ErrorKind::kCorrupt,
                    fmt::format("{}: piece {} is `{}`, and tokenizer_config.json calls it `{}`",
                                source, token.id, processor.IdToPiece(token.id), token.content));
      }
    }
    written_out = AddedTokens(std::move(tokens));
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
    written_out.for_each_part(text, [&](std::string_view part, const AddedToken* token) {
      if (token != nullptr) return sink.add(token->id);
      const bool blank = part.starts_with(' ') || part.starts_with(kBlank);
      encode_part(part, part.data() == text.data() || (options.legacy && !blank), workspace, sink);
    });
  }

  // `prefix`: with the blank that the library puts in front of a text.
  template <typename Sink>
  void encode_part(std::string_view text, bool prefix, Workspace& workspace, Sink& sink) const {
    if (!boundaries) {
      run(prefix ? processor : word_processor, text, workspace.word_ids);
      return sink.add(std::span<const std::int32_t>(workspace.word_ids));
    }
    if (!prefix) return encode_words(text, workspace, sink);
    // The first word gets the blank.
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
  std::string text;
  std::vector<int> run;
  const sentencepiece::SentencePieceProcessor* decoder = &impl_->processor;
  const auto decode_run = [&] {
    std::string part;
    const auto status = decoder->Decode(run, &part);
    if (!status.ok()) throw Error(ErrorKind::kInvalidArgument, status.ToString());
    text += part;
    run.clear();
  };
  for (const std::int32_t id : ids) {
    if (const AddedToken* token = impl_->added(id)) {
      decode_run();
      decoder = &impl_->word_processor;  // only the first run begins with a blank that was added
      if (!skip_special || !token->special) text += token->content;
    } else if (id >= 0 && id < impl_->processor.GetPieceSize() &&
               !(skip_special && impl_->is_control(id))) {
      run.push_back(id);
    }
  }
  decode_run();
  return text;
}

std::optional<std::int32_t> SentencepieceModel::piece_id(std::string_view piece) const {
  for (const AddedToken& token : impl_->options.added_tokens) {
    if (token.content == piece) return token.id;
  }
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
  for (std::int32_t id = 0; id < vocab_size(); ++id) {
    const AddedToken* token = impl_->added(id);
    const bool piece = id < impl_->processor.GetPieceSize();
    if (token != nullptr ? token->special : piece && impl_->is_control(id)) ids.push_back(id);
  }
  return ids;
}

std::int64_t SentencepieceModel::vocab_size() const {
  std::int64_t size = impl_->processor.GetPieceSize();
  for (const AddedToken& token : impl_->options.added_tokens) {
    size = std::max<std::int64_t>(size, token.id + 1);
  }
  return size;
}

}  // namespace elastic::engine
