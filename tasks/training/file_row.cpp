#include "tasks/training/file_row.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/error.h"
#include "base/text.h"
#include "base/unicode.h"
#include "datasets/python_literals.h"
#include "tasks/ruler/prompt_pack.h"
#include "tasks/training/encode_document.h"

namespace elastic::tasks {
namespace {

constexpr std::size_t kRanges = 8;  // numbers per document in range_ids; the last two: the answer

[[noreturn]] void corrupt(const std::string& where, const std::string& why) {
  throw Error(ErrorKind::kCorrupt, where + ": " + why);
}

int task_index(const std::string& name, const std::string& where, const FileOptions& options) {
  std::string known;
  for (std::size_t i = 0; i < options.tasks.size(); ++i) {
    if (options.tasks[i].name == name) return static_cast<int>(i);
    known += (i == 0 ? "" : ", ") + options.tasks[i].name;
  }
  corrupt(where, fmt::format("task `{}` has no target sparsity; known: {}; add it to `targets` or "
                             "leave the row out",
                             name, known));
}

// `metadata` as an object: written so, or as the text of one (JSON or a Python dict), which is how
// the published sets carry it. Empty where there is none.
Json metadata_of(const Json& row, const std::string& where) {
  const auto it = row.find("metadata");
  if (it == row.end() || it->is_null()) return Json::object();
  if (it->is_object()) return *it;
  const std::string place = where + ", `metadata`";
  const auto text = json_get<std::string>({row, where}, "metadata");
  Json parsed;
  try {
    parsed = parse_json(text, place);
  } catch (const Error&) {
    parsed = datasets::python_constant("metadata = " + text, "metadata", place);
  }
  if (!parsed.is_object()) corrupt(place, "is the text of no object");
  return parsed;
}

std::string task_name(const Json& row, const Json& metadata, const std::string& where) {
  const Json& holder = row.contains("task") ? row : metadata;
  if (!holder.contains("task")) {
    corrupt(where, "no key `task`; name the task that the document belongs to, as \"Single QA\"");
  }
  return json_get<std::string>({holder, where}, "task");
}

std::string prompt_text(const Json& row, const Json& metadata, const std::string& where) {
  const JsonSource in{row, where};
  const auto plain = [&](const char* key) {
    return replace_all(json_get<std::string>(in, key), kByteOrderMark, "");
  };
  std::string context = plain("context"), question = plain("question");
  const std::string_view kept = strip_white_space(context);
  const std::size_t begin =
      kept.empty() ? 0 : static_cast<std::size_t>(kept.data() - context.data());
  context = "\n" + context.substr(0, kept.empty() ? 0 : begin + kept.size());
  const std::string_view asked = strip_white_space(question);
  question = asked.empty()
                 ? "\n"
                 : "\n" + question.substr(static_cast<std::size_t>(asked.data() - question.data()));
  const bool question_first =
      json_get_or(in, "is_prefix", json_get_or<bool>({metadata, where}, "is_prefix", true));
  return question_first ? question + "\n" + context : context + "\n" + question;
}

void check_length(std::size_t tokens, const std::string& where, const FileOptions& options) {
  if (static_cast<std::int64_t>(tokens) <= options.tokens_per_batch) return;
  corrupt(where,
          fmt::format("{} tokens, tokens_per_batch is {}; cut the row, leave it out or raise "
                      "`tokens_per_batch`",
                      tokens, options.tokens_per_batch));
}

std::vector<engine::TrainingDocument> read_document(const Json& row, const std::string& where,
                                                    const FileOptions& options,
                                                    const engine::Tokenizer& tokenizer) {
  const Json metadata = metadata_of(row, where);
  const std::string task = task_name(row, metadata, where);
  const int index = task_index(task, where, options);
  const std::string answer = json_get<std::string>({row, where}, "answer");
  if (strip_white_space(answer).empty()) corrupt(where, "`answer` is empty; leave the row out");
  std::string prompt = prompt_text(row, metadata, where);
  if (const auto it = options.wrappings.find(task); it != options.wrappings.end()) {
    prompt = it->second.before + prompt + it->second.behind;
  }
  const std::size_t cut = options.text.find("{answer}");
  const std::string head = fill_fields(options.text.substr(0, cut), {{"prompt", prompt}});
  std::vector<std::int32_t> ids =
      tokenizer.encode(head + fill_fields(options.text.substr(cut), {{"answer", answer}}), true);
  const auto end = tokenizer.piece_id(options.end);
  if (end && ids.back() != *end) ids.push_back(*end);
  check_length(ids.size(), where, options);
  engine::TrainingDocument document = split_document(tokenizer.encode(head, true), std::move(ids));
  document.task = index;
  return {std::move(document)};
}

// Whole numbers of `list`, each within [least, most].
std::vector<std::int64_t> whole_numbers(const Json& list, const char* key, std::int64_t least,
                                        std::int64_t most, const std::string& where) {
  if (!list.is_array()) corrupt(where, fmt::format("`{}` is not a list of numbers", key));
  std::vector<std::int64_t> numbers;
  numbers.reserve(list.size());
  for (const Json& item : list) {
    const bool whole = item.is_number_integer() &&
                       item.get<double>() >= static_cast<double>(least) &&
                       item.get<double>() <= static_cast<double>(most);
    if (!whole) {
      corrupt(where, fmt::format("`{}` holds {}, expected whole numbers from {} to {}", key,
                                 dump_line(item), least, most));
    }
    numbers.push_back(item.get<std::int64_t>());
  }
  return numbers;
}

const Json& list_at(const Json& row, const char* key, const std::string& where) {
  const auto it = row.find(key);
  if (it == row.end() || !it->is_array()) {
    corrupt(where, fmt::format("a packed row without the list `{}`", key));
  }
  return *it;
}

// [first token of the answer, one behind its last] within the document.
std::pair<std::int64_t, std::int64_t> answer_range(const Json& ranges, std::int64_t tokens,
                                                   const std::string& where) {
  const std::vector<std::int64_t> range = whole_numbers(ranges, "range_ids", 0, tokens - 1, where);
  if (range.size() != kRanges || range[6] > range[7] || range[6] < 1) {
    corrupt(where, fmt::format("`range_ids` must hold 8 numbers for each document, the last two "
                               "the answer's first and last token (1 to {})",
                               tokens - 1));
  }
  return {range[6], range[7] + 1};
}

std::vector<engine::TrainingDocument> read_pack(const Json& row, const std::string& where,
                                                const FileOptions& options,
                                                const engine::Tokenizer& tokenizer) {
  const Json& id_list = list_at(row, "input_ids", where);
  check_length(id_list.size(), where, options);
  const auto ids = whole_numbers(id_list, "input_ids", 0, tokenizer.vocab_size() - 1, where);
  const auto tokens = static_cast<std::int64_t>(ids.size());
  const auto bounds =
      whole_numbers(list_at(row, "seq_lengths", where), "seq_lengths", 0, tokens, where);
  if (bounds.size() < 2 || bounds.front() != 0 || bounds.back() != tokens ||
      std::adjacent_find(bounds.begin(), bounds.end(), std::greater_equal<>()) != bounds.end()) {
    corrupt(where, fmt::format("`seq_lengths` must ascend from 0 to the {} tokens of `input_ids`",
                               tokens));
  }
  const std::size_t count = bounds.size() - 1;
  if (!row.contains("task_ids")) {
    corrupt(where, "a packed row without `task_ids`; give one task id for each document");
  }
  const auto tasks = whole_numbers(row.at("task_ids"), "task_ids", 0,
                                   static_cast<std::int64_t>(options.tasks.size()) - 1, where);
  const Json& ranges = list_at(row, "range_ids", where);
  if (tasks.size() != count || ranges.size() != count) {
    corrupt(where,
            fmt::format("{} documents by `seq_lengths`, but {} `task_ids` and {} `range_ids`",
                        count, tasks.size(), ranges.size()));
  }
  std::vector<engine::TrainingDocument> documents;
  for (std::size_t i = 0; i < count; ++i) {
    engine::TrainingDocument& document = documents.emplace_back();
    const std::int64_t length = bounds[i + 1] - bounds[i];
    document.ids.assign(ids.begin() + bounds[i], ids.begin() + bounds[i + 1]);
    const auto [first, end] = answer_range(ranges[i], length, where);
    document.is_answer.assign(document.ids.size(), 0);
    std::fill(document.is_answer.begin() + first, document.is_answer.begin() + end,
              std::uint8_t{1});
    document.prompt_tokens = first;
    document.task = static_cast<int>(tasks[i]);
  }
  return documents;
}

}  // namespace

std::vector<engine::TrainingDocument> read_row(const Json& row, const std::string& where,
                                               const FileOptions& options,
                                               const engine::Tokenizer& tokenizer) {
  if (!row.is_object()) corrupt(where, "is not a JSON object");
  return row.contains("input_ids") ? read_pack(row, where, options, tokenizer)
                                   : read_document(row, where, options, tokenizer);
}

}  // namespace elastic::tasks
