#pragma once

// The texts of a RULER profile, read at run time: task templates, answer prefixes, chat wrappers,
// needle and noise. One JSON format for upstream's texts (fetched by the user) and for our own.
//
//   {"schema_version": 1, "profile": "ruler@gen-b", "source": {...},
//    "texts": {"needle": ..., "noise": ..., "qa_document": ...},
//    "tasks": {"niah": {"template": ..., "answer_prefix": ..., "tokens_to_generate": 128}, ...},
//    "model_templates": {"base": "{task_template}", ...}}
//
// Fields in braces are filled in verbatim: niah `type_needle_v, context, query`; variable_tracking
// `context, query, num_v`; common_words_extraction and freq_words_extraction `context, query`
// (query is empty); qa `context, query`; needle
// `type_needle_v, key, value`; qa_document `i, document`.
//
// Optional, for packs whose wording is not upstream's (defaults are upstream's): a task's
// `template_one` and `answer_prefix_one`, used where one value is asked instead of upstream's edit
// of plural words; texts `query_separator`, `query_last_separator` between several keys,
// `noise_separator`, `needle_separator` between the lines of a context, `first_link` (fields `name,
// value`) and `link` (fields `name, previous`) of variable tracking; `examples_from`, the length in
// tokens below which the worked examples of variable tracking and common words are left out;
// `stop`, a text that ends every answer (upstream has none); `steps`, by how many words of prose,
// lines and documents (`prose`, `lines`, `documents`) a prompt that is too long is cut, where
// upstream's 500 words, 5 to 25 lines and 10 documents are too coarse to fill short lengths.

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace elastic::tasks {

struct TaskTexts {
  std::string prompt;  // the task's text without the answer prefix
  std::string answer_prefix;
  std::string prompt_one, answer_prefix_one;  // where one value is asked; empty = edit the others
  std::int64_t tokens_to_generate = 0;
};

struct PromptPack {
  std::string profile;
  std::string needle, noise, qa_document;
  std::string query_separator = ", ", query_last_separator = ", and ";
  std::string noise_separator = "\n", needle_separator = "\n";
  std::string first_link = "VAR {name} = {value}", link = "VAR {name} = VAR {previous} ";
  std::int64_t prose_step = 0, line_step = 0, document_step = 0;  // 0 = upstream's
  std::string stop;                                    // ends an answer; empty = nothing does
  std::int64_t examples_from = 0;                      // tokens
  std::map<std::string, TaskTexts> tasks;              // by base task
  std::map<std::string, std::string> model_templates;  // each holds {task_template}
  std::string sha256;                                  // of the pack's bytes
};

/// Parses a pack; `source` names it in errors. Throws kCorrupt naming the key.
PromptPack parse_prompt_pack(std::string_view json, std::string_view source);

/// kNotFound / kCorrupt.
PromptPack load_prompt_pack(const std::filesystem::path& file);

using Fields = std::vector<std::pair<std::string_view, std::string_view>>;

/// `text` with each {name} replaced by its value, values taken verbatim. Throws kCorrupt where a
/// field is unknown.
std::string fill_fields(std::string_view text, const Fields& fields);

}  // namespace elastic::tasks
