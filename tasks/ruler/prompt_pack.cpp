#include "tasks/ruler/prompt_pack.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "base/error.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/json.h"

namespace elastic::tasks {
namespace {

constexpr std::int64_t kSchema = 1;
constexpr std::array<const char*, 5> kBaseTasks = {
    "niah", "variable_tracking", "common_words_extraction", "freq_words_extraction", "qa"};

const Json& object_at(const JsonSource& in, const char* key) {
  const auto it = in.object.is_object() ? in.object.find(key) : in.object.end();
  if (!in.object.is_object() || it == in.object.end() || !it->is_object()) {
    throw Error(ErrorKind::kCorrupt, fmt::format("{}: key `{}` is not an object", in.source, key));
  }
  return *it;
}

TaskTexts read_task(const JsonSource& in) {
  TaskTexts texts{.prompt = json_get<std::string>(in, "template"),
                  .answer_prefix = json_get<std::string>(in, "answer_prefix"),
                  .prompt_one = json_get_or<std::string>(in, "template_one", ""),
                  .answer_prefix_one = json_get_or<std::string>(in, "answer_prefix_one", ""),
                  .tokens_to_generate = json_get<std::int64_t>(in, "tokens_to_generate")};
  if (texts.answer_prefix.empty() || texts.tokens_to_generate <= 0) {
    throw Error(
        ErrorKind::kCorrupt,
        fmt::format("{}: answer_prefix is empty or tokens_to_generate is not positive", in.source));
  }
  return texts;
}

void read_steps(const JsonSource& in, PromptPack& pack) {
  if (!in.object.contains("steps")) return;
  const JsonSource steps{object_at(in, "steps"), in.source + ", steps"};
  pack.prose_step = json_get_or<std::int64_t>(steps, "prose", 0);
  pack.line_step = json_get_or<std::int64_t>(steps, "lines", 0);
  pack.document_step = json_get_or<std::int64_t>(steps, "documents", 0);
  if (pack.prose_step < 0 || pack.line_step < 0 || pack.document_step < 0) {
    throw Error(ErrorKind::kCorrupt, fmt::format("{}: a negative step", steps.source));
  }
}

}  // namespace

PromptPack parse_prompt_pack(std::string_view json, std::string_view source) {
  const std::string name(source);
  const Json root = parse_json(json, name);
  const JsonSource in{root, name};
  if (const auto schema = json_get<std::int64_t>(in, "schema_version"); schema != kSchema) {
    throw Error(ErrorKind::kUnsupported,
                fmt::format("{}: schema_version {}, expected {}", name, schema, kSchema));
  }
  const Json& texts_object = object_at(in, "texts");
  const JsonSource texts{texts_object, name + ", texts"};
  PromptPack pack;
  pack.profile = json_get<std::string>(in, "profile");
  pack.needle = json_get<std::string>(texts, "needle");
  pack.noise = json_get<std::string>(texts, "noise");
  pack.qa_document = json_get<std::string>(texts, "qa_document");
  const auto optional = [&texts](const char* key, std::string& text) {
    text = json_get_or<std::string>(texts, key, text);
  };
  optional("query_separator", pack.query_separator);
  optional("query_last_separator", pack.query_last_separator);
  optional("noise_separator", pack.noise_separator);
  optional("needle_separator", pack.needle_separator);
  optional("first_link", pack.first_link);
  optional("link", pack.link);
  pack.stop = json_get_or<std::string>(in, "stop", "");
  pack.examples_from = json_get_or<std::int64_t>(in, "examples_from", 0);
  read_steps(in, pack);
  const Json& tasks = object_at(in, "tasks");
  for (const char* task : kBaseTasks) {
    const std::string place = fmt::format("{}, tasks.{}", name, task);
    pack.tasks[task] = read_task({object_at({tasks, name + ", tasks"}, task), place});
  }
  for (const auto& [template_name, value] : object_at(in, "model_templates").items()) {
    if (!value.is_string() ||
        value.get<std::string>().find("{task_template}") == std::string::npos) {
      throw Error(
          ErrorKind::kCorrupt,
          fmt::format("{}: model_templates.{} has no {{task_template}}", name, template_name));
    }
    pack.model_templates[template_name] = value.get<std::string>();
  }
  pack.sha256 = sha256_hex(json);
  return pack;
}

PromptPack load_prompt_pack(const std::filesystem::path& file) {
  return parse_prompt_pack(read_file(file), file.string());
}

std::string fill_fields(std::string_view text, const Fields& fields) {
  std::string filled;
  std::size_t size = text.size();
  for (const auto& [name, value] : fields) size += value.size();
  filled.reserve(size);
  while (true) {
    const std::size_t open = text.find('{');
    const std::size_t close = open == std::string_view::npos ? open : text.find('}', open);
    if (close == std::string_view::npos) break;
    const std::string_view name = text.substr(open + 1, close - open - 1);
    const auto field = std::find_if(fields.begin(), fields.end(),
                                    [&](const auto& candidate) { return candidate.first == name; });
    if (field == fields.end()) {
      throw Error(ErrorKind::kCorrupt,
                  fmt::format("prompt pack: unknown field `{{{}}}` in a template", name));
    }
    filled.append(text.substr(0, open)).append(field->second);
    text.remove_prefix(close + 1);
  }
  return filled.append(text);
}

}  // namespace elastic::tasks
