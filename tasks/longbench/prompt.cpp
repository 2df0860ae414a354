#include "tasks/longbench/prompt.h"

#include <fmt/format.h>

#include "base/error.h"
#include "base/text.h"
#include "base/unicode.h"

namespace elastic::tasks {
namespace {

[[noreturn]] void fail(const std::string& what) {
  throw Error(ErrorKind::kCorrupt, fmt::format("prompt template: {}", what));
}

std::string field(const Json& row, std::string_view name) {
  if (name.empty()) fail("a field without a name");
  if (name.find_first_of(".[!:") != std::string_view::npos) {
    fail(fmt::format("field `{}` uses syntax that prompts do not have", name));
  }
  const auto it = row.find(name);
  if (it == row.end()) fail(fmt::format("the row has no field `{}`", name));
  if (it->is_string()) return it->get<std::string>();
  if (it->is_number_integer()) return std::to_string(it->get<std::int64_t>());
  fail(fmt::format("field `{}` is neither a text nor an integer", name));
}

std::string stripped_field(const Json& row, const char* key) {
  return std::string(strip_white_space(json_get<std::string>({row, "LongBench-V2 row"}, key)));
}

}  // namespace

std::string fill_template(std::string_view format, const Json& row) {
  std::string out;
  for (std::size_t i = 0; i < format.size(); ++i) {
    const char c = format[i];
    if (c != '{' && c != '}') {
      out += c;
    } else if (i + 1 < format.size() && format[i + 1] == c) {
      out += c;
      ++i;
    } else if (c == '}') {
      fail("a `}` without its `{`");
    } else {
      const std::size_t close = format.find('}', i);
      if (close == std::string_view::npos) fail("a `{` without its `}`");
      out += field(row, format.substr(i + 1, close - i - 1));
      i = close;
    }
  }
  return out;
}

TokenCoder coder_of(const engine::Tokenizer& tokenizer) {
  return {.encode = [&tokenizer](std::string_view text) { return tokenizer.encode(text); },
          .decode =
              [&tokenizer](std::span<const std::int32_t> ids) {
                return tokenizer.decode(ids, {.skip_special = true, .clean_up_spaces = {}});
              }};
}

bool split_middle(const Ids& ids, std::int64_t max_length, Ids& head, Ids& tail) {
  const auto n = static_cast<std::int64_t>(ids.size());
  if (n <= max_length) return false;
  const std::int64_t half = max_length / 2;
  head.assign(ids.begin(), ids.begin() + half);
  tail.assign(half == 0 ? ids.begin() : ids.end() - half, ids.end());
  return true;
}

Ids join_middle(const Ids& ids, std::int64_t max_length) {
  const auto n = static_cast<std::int64_t>(ids.size());
  if (n <= max_length || max_length == 0) return ids;
  const std::int64_t head = max_length / 2;
  Ids joined(ids.begin(), ids.begin() + head);
  joined.insert(joined.end(), ids.end() - (max_length - head), ids.end());
  return joined;
}

MiddleCut cut_middle(const TokenCoder& coder, std::string_view text, std::int64_t max_length) {
  const Ids ids = coder.encode(text);
  const auto n = static_cast<std::int64_t>(ids.size());
  Ids head, tail;
  if (!split_middle(ids, max_length, head, tail)) return {std::string(text), n, n};
  return {coder.decode(head) + coder.decode(tail), n,
          static_cast<std::int64_t>(head.size() + tail.size())};
}

MiddleCut cut_middle_v2(const TokenCoder& coder, std::string_view text, std::int64_t max_length) {
  const Ids ids = coder.encode(text);
  const auto n = static_cast<std::int64_t>(ids.size());
  if (n <= max_length) return {std::string(text), n, n};
  const Ids joined = join_middle(ids, max_length);
  return {coder.decode(joined), n, static_cast<std::int64_t>(joined.size())};
}

std::string fill_v2_template(std::string_view text, const Json& row, std::string_view context,
                             const std::string* cot) {
  std::string out = replace_all(text, "$DOC$", strip_white_space(context));
  out = replace_all(out, "$Q$", stripped_field(row, "question"));
  for (const char* letter : {"A", "B", "C", "D"}) {
    const std::string key = std::string("choice_") + letter;
    out = replace_all(out, fmt::format("$C_{}$", letter), stripped_field(row, key.c_str()));
  }
  return cot == nullptr ? out : replace_all(out, "$COT$", strip_white_space(*cot));
}

}  // namespace elastic::tasks
