#include "base/json.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <set>
#include <stdexcept>

#include "base/error.h"
#include "base/file.h"
#include "base/registry.h"

namespace elastic {
namespace {

constexpr int kMaxDepth = 512;  // deeper nesting is an attack on the stack, not a document

// nlohmann's parser and destructor recurse with nesting, so depth is bounded before parsing.
// Returns how many keys the text has.
std::size_t scan(std::string_view text, std::string_view source) {
  int depth = 0;
  std::size_t keys = 0;
  bool in_string = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string) {
      if (c == '\\') {
        ++i;
      } else if (c == '"') {
        in_string = false;
      }
    } else if (c == '"') {
      in_string = true;
    } else if (c == '[' || c == '{') {
      if (++depth > kMaxDepth) {
        throw Error(ErrorKind::kCorrupt,
                    fmt::format("{}: JSON nested deeper than {} levels", source, kMaxDepth));
      }
    } else if (c == ']' || c == '}') {
      --depth;
    } else if (c == ':') {
      ++keys;
    } else if (c == '\0') {  // nlohmann takes it for the end of the text
      throw Error(ErrorKind::kCorrupt,
                  fmt::format("{}: not valid JSON: byte {} is zero", source, i));
    }
  }
  return keys;
}

std::size_t count_keys(const Json& value) {
  std::size_t keys = value.is_object() ? value.size() : 0;
  if (value.is_structured()) {
    for (const Json& child : value) keys += count_keys(child);
  }
  return keys;
}

// Of two equal keys the parser keeps the last, silently. Names the first that comes again.
[[noreturn]] void refuse_repeated_key(std::string_view text, std::string_view source) {
  std::vector<std::set<std::string>> seen;
  const auto watch = [&](int, Json::parse_event_t event, Json& value) {
    if (event == Json::parse_event_t::object_start) seen.emplace_back();
    if (event == Json::parse_event_t::object_end) seen.pop_back();
    if (event == Json::parse_event_t::key && !seen.back().insert(value).second) {
      throw Error(ErrorKind::kCorrupt, fmt::format("{}: key `{}` stands twice in one object",
                                                   source, value.get_ref<const std::string&>()));
    }
    return true;
  };
  const Json ignored = Json::parse(text, watch);
  throw std::logic_error("no key stands twice");
}

template <typename T>
bool convert(const Json& value, T& out);

template <>
bool convert(const Json& value, bool& out) {
  if (!value.is_boolean()) return false;
  out = value.get<bool>();
  return true;
}

template <>
bool convert(const Json& value, std::int64_t& out) {
  if (value.is_number_unsigned()) {
    const auto v = value.get<std::uint64_t>();
    if (v > static_cast<std::uint64_t>(INT64_MAX)) return false;
    out = static_cast<std::int64_t>(v);
    return true;
  }
  if (value.is_number_integer()) {
    out = value.get<std::int64_t>();
    return true;
  }
  if (value.is_number_float()) {  // 1e4 or 128.0, as some writers put it
    const double v = value.get<double>();
    if (!(std::abs(v) < 9.0e15) || v != std::floor(v)) return false;
    out = static_cast<std::int64_t>(v);
    return true;
  }
  return false;
}

template <>
bool convert(const Json& value, double& out) {
  if (!value.is_number()) return false;
  out = value.get<double>();
  return true;
}

template <>
bool convert(const Json& value, std::string& out) {
  if (!value.is_string()) return false;
  out = value.get<std::string>();
  return true;
}

template <typename T>
constexpr std::string_view kExpected = "";
template <>
constexpr std::string_view kExpected<bool> = "true or false";
template <>
constexpr std::string_view kExpected<std::int64_t> = "an integer";
template <>
constexpr std::string_view kExpected<double> = "a number";
template <>
constexpr std::string_view kExpected<std::string> = "a string";

std::string shorten(const Json& value) {
  std::string text = dump_line(value);
  if (text.size() > 60) text = text.substr(0, 57) + "...";
  return text;
}

}  // namespace

Json read_json(const std::filesystem::path& path) {
  return parse_json(read_file(path), path.string());
}

Json parse_json(std::string_view text, std::string_view source) {
  const std::size_t keys = scan(text, source);
  try {
    Json value = Json::parse(text);
    if (count_keys(value) != keys) refuse_repeated_key(text, source);
    return value;
  } catch (const nlohmann::json::exception& e) {
    throw Error(ErrorKind::kCorrupt, fmt::format("{}: not valid JSON: {}", source, e.what()));
  }
}

bool replace_lone_surrogates(std::string& text) {
  constexpr std::size_t kEscape = 6;  // \uXXXX
  const auto code = [&text](std::size_t at) -> unsigned {
    unsigned value = 0;
    if (at + kEscape > text.size() || text[at] != '\\' || text[at + 1] != 'u') return 0;
    const char* first = text.data() + at + 2;
    const auto [end, fault] = std::from_chars(first, first + 4, value, 16);
    return fault == std::errc() && end == first + 4 ? value : 0;
  };
  const auto high = [](unsigned c) { return c >= 0xd800 && c < 0xdc00; };
  const auto low = [](unsigned c) { return c >= 0xdc00 && c < 0xe000; };
  bool any = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\\') continue;
    const unsigned c = code(i);
    if (high(c) && low(code(i + kEscape))) {
      i += 2 * kEscape - 1;
    } else if (high(c) || low(c)) {
      text.replace(i + 2, 4, "fffd");
      any = true;
      i += kEscape - 1;
    } else {
      ++i;  // an escape of one character, or a \u whose digits are no backslash
    }
  }
  return any;
}

template <typename T>
T json_get(const JsonSource& in, std::string_view key) {
  if (!in.object.is_object()) {
    throw Error(ErrorKind::kCorrupt, fmt::format("{}: expected a JSON object", in.source));
  }
  const auto it = in.object.find(key);
  if (it == in.object.end()) {
    throw Error(ErrorKind::kCorrupt, fmt::format("{}: key `{}` is missing", in.source, key));
  }
  T out{};
  if (!convert(*it, out)) {
    throw Error(ErrorKind::kCorrupt, fmt::format("{}: key `{}` is {}, expected {}", in.source, key,
                                                 shorten(*it), kExpected<T>));
  }
  return out;
}

template <typename T>
T json_get_or(const JsonSource& in, std::string_view key, T fallback) {
  if (in.object.is_object()) {
    const auto it = in.object.find(key);
    if (it == in.object.end() || it->is_null()) return fallback;
  }
  return json_get<T>(in, key);
}

template bool json_get(const JsonSource&, std::string_view);
template std::int64_t json_get(const JsonSource&, std::string_view);
template double json_get(const JsonSource&, std::string_view);
template std::string json_get(const JsonSource&, std::string_view);
template bool json_get_or(const JsonSource&, std::string_view, bool);
template std::int64_t json_get_or(const JsonSource&, std::string_view, std::int64_t);
template double json_get_or(const JsonSource&, std::string_view, double);
template std::string json_get_or(const JsonSource&, std::string_view, std::string);

void refuse_unknown_keys(const JsonSource& in, const std::vector<std::string>& known) {
  for (const auto& [key, ignored] : in.object.items()) {
    if (std::find(known.begin(), known.end(), key) != known.end()) continue;
    throw Error(ErrorKind::kInvalidArgument,
                fmt::format("{}: {}", in.source, unknown_name("key", key, known)));
  }
}

std::string dump_line(const Json& value) {
  return value.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::string dump_pretty(const Json& value) {
  return value.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace elastic
