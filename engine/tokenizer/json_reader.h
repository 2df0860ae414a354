#pragma once

// Reading tokenizer files, which have 100,000s of keys, through simdjson with errors that name
// file, key path and cure.
//
//   const JsonDocument document(text, "x/tokenizer.json");
//   const JsonNode model = document.root().object("model");
//   const bool fuse = model.flag("fuse_unk", false);

#include <simdjson.h>

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"

namespace elastic::engine {

class JsonNode {
 public:
  JsonNode(simdjson::dom::element element, std::string_view source, std::string path)
      : element_(element), source_(source), path_(std::move(path)) {}

  simdjson::dom::element element() const { return element_; }
  const std::string& path() const { return path_; }

  /// Throws `kind` with "SOURCE: `path` what".
  [[noreturn]] void fail(ErrorKind kind, std::string_view what) const;

  /// Absent and null are the same: nothing.
  std::optional<JsonNode> find(std::string_view key) const;
  JsonNode get(std::string_view key) const;  // kCorrupt where absent

  simdjson::dom::object as_object() const;
  simdjson::dom::array as_array() const;
  std::string_view as_text() const;
  std::int32_t as_id() const;  // 0 .. kMaxId
  bool as_flag() const;

  std::string_view text(std::string_view key) const { return get(key).as_text(); }
  bool flag(std::string_view key, bool otherwise) const;

  JsonNode child(simdjson::dom::element element, std::string_view name) const {
    return JsonNode(element, source_, path_ + "." + std::string(name));
  }

 private:
  simdjson::dom::element element_;
  std::string_view source_;
  std::string path_;
};

/// Ids above this are taken for damage, not for a vocabulary.
inline constexpr std::int64_t kMaxId = (1 << 24) - 1;

class JsonDocument {
 public:
  /// kCorrupt where the text is not JSON. `source` must outlive the nodes.
  JsonDocument(std::string_view text, std::string_view source);
  JsonNode root() const;

 private:
  std::unique_ptr<simdjson::dom::parser> parser_;
  simdjson::dom::element root_;
  std::string_view source_;
};

}  // namespace elastic::engine
