// What data files look like, where no hash tells.

#include <fmt/format.h>

#include <algorithm>
#include <initializer_list>

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "datasets/build_prompt_pack.h"
#include "datasets/import.h"
#include "datasets/jsonl.h"

namespace elastic::datasets {
namespace {

bool is_squad(const Json& data) {
  return data.is_object() && data.contains("data") && data["data"].is_array() &&
         !data["data"].empty() && data["data"][0].is_object() &&
         data["data"][0].contains("paragraphs");
}

bool is_hotpot(const Json& data) {
  return data.is_array() && !data.empty() && data[0].is_object() && data[0].contains("question") &&
         data[0].contains("answer") && data[0].contains("context") && data[0]["context"].is_array();
}

bool is_essays(const Json& data) {
  return data.is_object() && data.contains("text") && data["text"].is_string() &&
         !data.contains("profile");
}

bool is_word_table(const Json& data) {
  return data.is_object() && data.size() > 1000 && data.begin()->is_string() &&
         data.contains("0") && data.contains("1");
}

// The first line is a row with these texts, whatever else it holds.
bool is_rows(const std::filesystem::path& file, std::initializer_list<const char*> keys) {
  const auto row = JsonlReader(file, kMaxJsonlLine, LoneSurrogates::kReplace).next();
  return row && std::all_of(keys.begin(), keys.end(), [&](const char* key) {
           return row->contains(key) && row->at(key).is_string();
         });
}

bool fail(std::string& reason, std::string what) {
  reason = std::move(what);
  return false;
}

}  // namespace

bool has_shape(const std::filesystem::path& file, Shape shape, std::string& reason) {
  if (shape == Shape::kAny) return true;
  try {
    if (shape == Shape::kLines) {
      const std::string text = read_file(file);
      const bool fine = !text.empty() && text.find('\0') == std::string::npos;
      return fine || fail(reason, "it is not a list of lines");
    }
    if (shape == Shape::kRows) {
      return is_rows(file, {"input", "context"}) || fail(reason, "its lines are no LongBench rows");
    }
    if (shape == Shape::kChoiceRows) {
      return is_rows(file, {"question", "choice_A", "choice_D", "context", "answer"}) ||
             fail(reason, "its lines are no LongBench-V2 rows");
    }
    const Json data = read_json(file);
    switch (shape) {
      case Shape::kEssays:
        return is_essays(data) || fail(reason, "it has no string `text`");
      case Shape::kSquad:
        return is_squad(data) || fail(reason, "it has no list `data` with `paragraphs`");
      case Shape::kHotpot:
        return is_hotpot(data) || fail(reason, "it is no list of question, answer, context");
      case Shape::kWordTable:
        return is_word_table(data) || fail(reason, "it is no table of words by number");
      case Shape::kPromptPack:
        check_prompt_pack(data, file.string());
        return true;
      default:
        return fail(reason, "it has no known form");
    }
  } catch (const Error& error) {
    return fail(reason, error.what());
  }
}

}  // namespace elastic::datasets
