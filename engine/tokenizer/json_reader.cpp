#include "engine/tokenizer/json_reader.h"

#include <fmt/format.h>

namespace elastic::engine {

void JsonNode::fail(ErrorKind kind, std::string_view what) const {
  throw Error(kind, fmt::format("{}: `{}` {}", source_, path_, what));
}

std::optional<JsonNode> JsonNode::find(std::string_view key) const {
  simdjson::dom::element value;
  if (as_object()[key].get(value) != simdjson::SUCCESS || value.is_null()) return std::nullopt;
  return child(value, key);
}

JsonNode JsonNode::get(std::string_view key) const {
  auto found = find(key);
  if (!found) fail(ErrorKind::kCorrupt, fmt::format("lacks the key `{}`", key));
  return *std::move(found);
}

simdjson::dom::object JsonNode::as_object() const {
  simdjson::dom::object object;
  if (element_.get(object) != simdjson::SUCCESS) fail(ErrorKind::kCorrupt, "is not an object");
  return object;
}

simdjson::dom::array JsonNode::as_array() const {
  simdjson::dom::array array;
  if (element_.get(array) != simdjson::SUCCESS) fail(ErrorKind::kCorrupt, "is not a list");
  return array;
}

std::string_view JsonNode::as_text() const {
  std::string_view text;
  if (element_.get(text) != simdjson::SUCCESS) fail(ErrorKind::kCorrupt, "is not a string");
  return text;
}

std::int32_t JsonNode::as_id() const {
  std::int64_t id = 0;
  if (element_.get(id) != simdjson::SUCCESS) fail(ErrorKind::kCorrupt, "is not a whole number");
  if (id < 0 || id > kMaxId) {
    fail(ErrorKind::kCorrupt, fmt::format("is {}, outside the ids 0 to {}", id, kMaxId));
  }
  return static_cast<std::int32_t>(id);
}

bool JsonNode::as_flag() const {
  bool value = false;
  if (element_.get(value) != simdjson::SUCCESS) fail(ErrorKind::kCorrupt, "is not true or false");
  return value;
}

bool JsonNode::flag(std::string_view key, bool otherwise) const {
  const auto node = find(key);
  return node ? node->as_flag() : otherwise;
}

JsonDocument::JsonDocument(std::string_view text, std::string_view source)
    : parser_(std::make_unique<simdjson::dom::parser>()), source_(source) {
  const auto error = parser_->parse(text.data(), text.size()).get(root_);
  if (error != simdjson::SUCCESS) {
    throw Error(ErrorKind::kCorrupt,
                fmt::format("{}: not valid JSON: {}", source, simdjson::error_message(error)));
  }
}

JsonNode JsonDocument::root() const { return JsonNode(root_, source_, "$"); }

}  // namespace elastic::engine
