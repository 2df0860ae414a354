#include "engine/tokenizer/bpe_tables.h"

#include <fmt/format.h>

namespace elastic::engine {

void read_vocabulary(const JsonNode& vocab, Vocabulary& pieces) {
  const simdjson::dom::object entries = vocab.as_object();
  pieces.reserve(entries.size(), entries.size() * 8);
  for (const auto& entry : entries) {
    std::int64_t id = 0;
    if (entry.value.get(id) != simdjson::SUCCESS || id < 0 || id > kMaxId) {
      vocab.child(entry.value, entry.key).as_id();  // throws with the reason
    }
    if (!pieces.add(entry.key, static_cast<std::int32_t>(id))) {
      vocab.fail(ErrorKind::kCorrupt,
                 fmt::format("gives id {} to two pieces, one is `{}`", id, entry.key));
    }
    if (!pieces.index(static_cast<std::int32_t>(id))) {
      vocab.fail(ErrorKind::kCorrupt, fmt::format("lists the piece `{}` twice", entry.key));
    }
  }
  if (pieces.id_limit() == 0) vocab.fail(ErrorKind::kCorrupt, "is empty");
}

void add_merge(TokenizerSpec& spec, std::string_view left, std::string_view right,
               std::string_view where) {
  const std::string merged = std::string(left).append(right);
  const auto id_of = [&](std::string_view piece) {
    const std::int32_t id = spec.pieces.find(piece);
    if (id == kNoId) {
      throw Error(ErrorKind::kCorrupt,
                  fmt::format("{}: merge {} needs the piece `{}`, which the vocabulary lacks",
                              where, spec.merges.size(), piece));
    }
    return id;
  };
  spec.merges.push_back({id_of(left), id_of(right), id_of(merged)});
}

}  // namespace elastic::engine
