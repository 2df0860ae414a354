#include "tasks/ruler/record.h"

#include <fmt/format.h>

#include "base/error.h"
#include "base/json.h"
#include "base/unicode.h"
#include "base/utf8.h"

namespace elastic::tasks {
namespace {

void append_escape(std::string& out, std::uint32_t unit) { out += fmt::format("\\u{:04x}", unit); }

std::string python_string(std::string_view text) {
  const bool double_quoted =
      text.find('\'') != std::string_view::npos && text.find('"') == std::string_view::npos;
  const char quote = double_quoted ? '"' : '\'';
  std::string out(1, quote);
  for (std::size_t i = 0; i < text.size();) {
    const CodePoint c = code_point_at(text, i);
    if (c.value == static_cast<char32_t>(quote) || c.value == '\\') {
      out += '\\';
      out += static_cast<char>(c.value);
    } else if (c.value == '\n') {
      out += "\\n";
    } else if (c.value == '\r') {
      out += "\\r";
    } else if (c.value == '\t') {
      out += "\\t";
    } else if (is_printable(c.value)) {
      out.append(text.substr(i, c.bytes));
    } else if (c.value <= 0xff) {
      out += fmt::format("\\x{:02x}", static_cast<std::uint32_t>(c.value));
    } else if (c.value <= 0xffff) {
      append_escape(out, c.value);
    } else {
      out += fmt::format("\\U{:08x}", static_cast<std::uint32_t>(c.value));
    }
    i += c.bytes;
  }
  return out += quote;
}

}  // namespace

std::string ascii_json(std::string_view text) {
  std::string out;
  out.reserve(text.size() + text.size() / 16 + 2);
  out += '"';
  for (std::size_t i = 0; i < text.size();) {
    const CodePoint c = code_point_at(text, i);
    i += c.bytes;
    switch (c.value) {
      case '"':
        out += "\\\"";
        break;
      case '\\':
        out += "\\\\";
        break;
      case '\n':
        out += "\\n";
        break;
      case '\r':
        out += "\\r";
        break;
      case '\t':
        out += "\\t";
        break;
      case '\f':
        out += "\\f";
        break;
      case '\b':
        out += "\\b";
        break;
      default:
        if (c.value >= 0x20 && c.value < 0x7f) {
          out += static_cast<char>(c.value);
        } else if (c.value <= 0xffff) {
          append_escape(out, c.value);
        } else {
          const std::uint32_t offset = c.value - 0x10000;
          append_escape(out, 0xd800 + (offset >> 10));
          append_escape(out, 0xdc00 + (offset & 0x3ff));
        }
    }
  }
  return out += '"';
}

std::string python_list(const std::vector<std::string>& items) {
  std::string out = "[";
  for (std::size_t i = 0; i < items.size(); ++i) {
    if (i > 0) out += ", ";
    out += python_string(items[i]);
  }
  return out += ']';
}

std::string one_line(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (const std::string_view word : split_white_space(text)) {
    if (!out.empty()) out += ' ';
    out += word;
  }
  return out;
}

std::string record_line(const RulerRecord& record, Vintage vintage) {
  std::string line = fmt::format("{{\"index\": {}, \"input\": ", record.index);
  line += ascii_json(record.input);
  line += ", \"outputs\": [";
  for (std::size_t i = 0; i < record.outputs.size(); ++i) {
    if (i > 0) line += ", ";
    line += ascii_json(record.outputs[i]);
  }
  line += fmt::format("], \"length\": {}", record.length);
  if (vintage == Vintage::kGenB) {
    line += fmt::format(", \"length_w_model_temp\": {}, \"answer_prefix\": ", record.length);
    line += ascii_json(record.answer_prefix);
    if (record.token_position_answer) {
      line += fmt::format(", \"token_position_answer\": {}", *record.token_position_answer);
    }
  }
  return line += '}';
}

RulerRecord parse_record(std::string_view line, std::string_view source) {
  const std::string name(source);
  const Json object = parse_json(line, name);
  const JsonSource in{object, name};
  RulerRecord record;
  record.index = json_get<std::int64_t>(in, "index");
  record.input = json_get<std::string>(in, "input");
  record.length = json_get<std::int64_t>(in, "length");
  record.answer_prefix = json_get_or<std::string>(in, "answer_prefix", "");
  const auto outputs = object.find("outputs");
  if (outputs == object.end() || !outputs->is_array()) {
    throw Error(ErrorKind::kCorrupt, fmt::format("{}: key `outputs` is not a list", name));
  }
  for (const Json& output : *outputs) {
    if (!output.is_string()) {
      throw Error(ErrorKind::kCorrupt,
                  fmt::format("{}: `outputs` holds {}, expected strings", name, output.dump()));
    }
    record.outputs.push_back(output.get<std::string>());
  }
  if (const auto it = object.find("token_position_answer"); it != object.end()) {
    record.token_position_answer = json_get<std::int64_t>(in, "token_position_answer");
  }
  return record;
}

}  // namespace elastic::tasks
