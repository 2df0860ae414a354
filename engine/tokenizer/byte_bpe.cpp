#include "engine/tokenizer/byte_bpe.h"

#include <algorithm>

#include "base/utf8.h"
#include "engine/tokenizer/char_class.h"
#include "engine/tokenizer/id_sink.h"
#include "engine/tokenizer/word_cache.h"

namespace elastic::engine {
namespace {

// The printable stand-ins of bytes in vocabulary files: printable Latin-1 bytes stand for
// themselves, the other 68 for U+0100 on, in order.
std::array<std::uint32_t, 256> byte_characters() {
  std::array<std::uint32_t, 256> characters{};
  std::uint32_t next = 0x100;
  for (std::uint32_t byte = 0; byte < 256; ++byte) {
    const bool printable =
        (byte >= 0x21 && byte <= 0x7E) || (byte >= 0xA1 && byte <= 0xAC) || byte >= 0xAE;
    characters[byte] = printable ? byte : next++;
  }
  return characters;
}

// Bytes of a piece in printable form; false where some character stands for no byte.
bool piece_bytes(std::string_view piece, std::string& bytes) {
  static const auto to_byte = [] {
    std::array<std::int16_t, 0x200> table;
    table.fill(-1);
    const auto characters = byte_characters();
    for (int byte = 0; byte < 256; ++byte) {
      table[characters[static_cast<std::size_t>(byte)]] = static_cast<std::int16_t>(byte);
    }
    return table;
  }();
  bytes.clear();
  for (std::size_t at = 0; at < piece.size();) {
    const CodePoint c = decode_utf8(piece, at);
    if (c.value >= to_byte.size() || to_byte[c.value] < 0) return false;
    bytes.push_back(static_cast<char>(to_byte[c.value]));
    at += c.bytes;
  }
  return true;
}

}  // namespace

struct ByteBpe::Workspace {
  WordCache words;
  MergeWorkspace merging;
  std::vector<std::int32_t> ids, word_ids;
  std::string repaired, normalized;
  PreTokenizer::Buffer cutting;
};

ByteBpe::ByteBpe(TokenizerSpec spec)
    : spec_(std::move(spec)),
      pre_tokenizer_(spec_.pre_tokenizer, spec_.source),
      pool_(std::make_unique<WorkspacePool<Workspace>>()) {
  build_pieces();
  build_merges();
  build_added_tokens();
}

ByteBpe::~ByteBpe() = default;
ByteBpe::ByteBpe(ByteBpe&&) noexcept = default;

void ByteBpe::build_pieces() {
  std::string bytes;
  bytes_.reserve(static_cast<std::size_t>(spec_.pieces.id_limit()), 0);
  for (std::int32_t id = 0; id < spec_.pieces.id_limit(); ++id) {
    if (!spec_.pieces.has(id)) continue;
    const std::string_view piece = spec_.pieces.piece(id);
    const bool byte_level = piece_bytes(piece, bytes);
    bytes_.add(byte_level ? std::string_view(bytes) : piece, id);
    if (!byte_level) continue;
    bytes_.index(id);
    boundaries_.add_piece(bytes);
  }
  for (std::size_t byte = 0; byte < 256; ++byte) {
    const char value = static_cast<char>(byte);
    byte_ids_[byte] = bytes_.find(std::string_view(&value, 1));
    if (byte_ids_[byte] == kNoId) all_bytes_known_ = false;
  }
}

void ByteBpe::build_merges() {
  merges_ = MergeTable(spec_.merges.size());
  for (std::size_t rank = 0; rank < spec_.merges.size(); ++rank) {
    const MergeRule& rule = spec_.merges[rank];
    merges_.add(rule.left, rule.right, {static_cast<std::uint32_t>(rank), rule.merged});
  }
  spec_.merges = {};
  byte_pairs_.resize(std::size_t{256} * 256);
  for (std::size_t pair = 0; pair < byte_pairs_.size(); ++pair) {
    byte_pairs_[pair] = merges_.find(byte_ids_[pair >> 8], byte_ids_[pair & 255]);
  }
}

void ByteBpe::build_added_tokens() {
  std::vector<AddedToken> before, after;
  std::string storage, bytes;
  for (const AddedToken& token : spec_.added_tokens) {
    // The `tokenizers` library decodes these through the byte table too,
    // where all characters are in it.
    bytes_.add(piece_bytes(token.content, bytes) ? bytes : token.content, token.id);
    if (token.special) {
      special_.resize(std::max(special_.size(), static_cast<std::size_t>(token.id) + 1));
      special_[static_cast<std::size_t>(token.id)] = true;
    }
    (token.normalized ? after : before).push_back(token);
    if (token.normalized && spec_.nfc) after.back().content = to_nfc(token.content, storage);
  }
  before_normalizer_ = AddedTokens(std::move(before));
  after_normalizer_ = AddedTokens(std::move(after));
}

std::vector<std::int32_t> ByteBpe::encode(std::string_view text, bool add_special) const {
  const auto workspace = pool_->take();
  CollectSink sink(workspace->ids);
  if (add_special) sink.add(spec_.prefix_ids);
  encode_text(text, *workspace, sink);
  if (add_special) sink.add(spec_.suffix_ids);
  const auto ids = sink.ids();
  return {ids.begin(), ids.end()};
}

std::int64_t ByteBpe::count(std::string_view text) const {
  const auto workspace = pool_->take();
  CountSink sink;
  encode_text(text, *workspace, sink);
  return sink.count();
}

template <typename Sink>
void ByteBpe::encode_text(std::string_view text, Workspace& workspace, Sink& sink) const {
  text = valid_utf8(text, workspace.repaired);
  before_normalizer_.for_each_part(text, [&](std::string_view part, const AddedToken* token) {
    if (token != nullptr) return sink.add(token->id);
    const bool first = part.data() == text.data();
    if (spec_.nfc) part = to_nfc(part, workspace.normalized);
    after_normalizer_.for_each_part(part, [&](std::string_view segment, const AddedToken* inner) {
      if (inner != nullptr) return sink.add(inner->id);
      encode_segment(segment, first && segment.data() == part.data(), workspace, sink);
    });
  });
}

template <typename Sink>
void ByteBpe::encode_segment(std::string_view text, bool first, Workspace& workspace,
                             Sink& sink) const {
  pre_tokenizer_.for_each_word(text, first, workspace.cutting, [&](std::string_view word) {
    if (word.size() > WordCache::kMaxBytes) return sink.add(word_ids(word, workspace));
    WordCache::Entry& entry = workspace.words.place(word);
    if (WordCache::holds(entry, word)) return sink.add(entry);
    const auto ids = word_ids(word, workspace);
    WordCache::store(entry, word, ids);
    sink.add(ids);
  });
}

// Ids of a word that is not in the cache; valid until the next call.
std::span<const std::int32_t> ByteBpe::word_ids(std::string_view word, Workspace& workspace) const {
  if (spec_.ignore_merges) {
    if (const std::int32_t id = bytes_.find(word); id != kNoId) {
      workspace.word_ids.assign(1, id);
      return workspace.word_ids;
    }
  }
  const std::size_t end = all_bytes_known_ ? boundaries_.word_end(word, 0) : word.size();
  if (end == word.size()) return merge_bytes(word, workspace);
  // Scripts without blanks make words that hardly recur, but their fragments do.
  std::vector<std::int32_t>& ids = workspace.word_ids;
  ids.clear();
  for (std::size_t begin = 0, stop = end; begin < word.size();) {
    const auto fragment = fragment_ids(word.substr(begin, stop - begin), workspace);
    ids.insert(ids.end(), fragment.begin(), fragment.end());
    begin = stop;
    if (begin < word.size()) stop = boundaries_.word_end(word, begin);
  }
  return ids;
}

std::span<const std::int32_t> ByteBpe::fragment_ids(std::string_view word,
                                                    Workspace& workspace) const {
  if (word.size() > WordCache::kMaxBytes) return merge_bytes(word, workspace);
  WordCache::Entry& entry = workspace.words.place(word);
  if (!WordCache::holds(entry, word, WordCache::Kind::kFragment)) {
    const auto ids = merge_bytes(word, workspace);
    WordCache::store(entry, word, ids, WordCache::Kind::kFragment);
    return ids;
  }
  return {entry.ids.data(), entry.count};
}

std::span<const std::int32_t> ByteBpe::merge_bytes(std::string_view word,
                                                   Workspace& workspace) const {
  MergeWorkspace& w = workspace.merging;
  const auto byte = [&](std::size_t i) -> std::size_t {
    return static_cast<unsigned char>(word[i]);
  };
  w.symbols.clear();
  w.merges.clear();
  if (all_bytes_known_) {
    w.symbols.resize(word.size());
    w.merges.resize(word.size() - 1);
    for (std::size_t i = 0; i < word.size(); ++i) w.symbols[i] = byte_ids_[byte(i)];
    for (std::size_t i = 0; i + 1 < word.size(); ++i) {
      w.merges[i] = byte_pairs_[byte(i) << 8 | byte(i + 1)];
    }
  } else {
    bool after_unknown = false;
    for (std::size_t i = 0; i < word.size(); ++i) {
      const std::int32_t id = byte_ids_[byte(i)];
      const bool unknown = id == kNoId;
      if (!unknown) {
        w.symbols.push_back(id);
      } else if (spec_.unknown_id != kNoId && !(spec_.fuse_unknown && after_unknown)) {
        w.symbols.push_back(spec_.unknown_id);
      }
      after_unknown = unknown;
    }
    for (std::size_t i = 0; i + 1 < w.symbols.size(); ++i) {
      w.merges.push_back(merges_.find(w.symbols[i], w.symbols[i + 1]));
    }
  }
  merge_symbols(merges_, w);
  return w.symbols;
}

std::string ByteBpe::decode(std::span<const std::int32_t> ids, bool skip_special) const {
  std::string bytes;
  for (const std::int32_t id : ids) {
    if (!bytes_.has(id)) continue;
    if (skip_special && static_cast<std::size_t>(id) < special_.size() &&
        special_[static_cast<std::size_t>(id)]) {
      continue;
    }
    bytes.append(bytes_.piece(id));
  }
  std::string storage;
  const std::string_view text = valid_utf8(bytes, storage);
  return text.data() == bytes.data() ? bytes : storage;
}

std::optional<std::int32_t> ByteBpe::piece_id(std::string_view piece) const {
  for (const AddedToken& token : spec_.added_tokens) {
    if (token.content == piece) return token.id;
  }
  const std::int32_t id = spec_.pieces.find(piece);
  return id == kNoId ? std::nullopt : std::optional(id);
}

std::optional<std::int32_t> ByteBpe::bos_id() const {
  return spec_.prefix_ids.empty() ? std::nullopt : std::optional(spec_.prefix_ids.front());
}

std::vector<std::int32_t> ByteBpe::special_ids() const {
  std::vector<std::int32_t> ids;
  for (std::size_t id = 0; id < special_.size(); ++id) {
    if (special_[id]) ids.push_back(static_cast<std::int32_t>(id));
  }
  return ids;
}

std::int64_t ByteBpe::vocab_size() const { return bytes_.id_limit(); }

}  // namespace elastic::engine
