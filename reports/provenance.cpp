// Where the numbers come from: data sets with their ids, sources with hashes and licences, settings
// and environment of every run.

#include <map>
#include <set>

#include "base/text.h"
#include "reports/cells.h"

namespace elastic::reports {
namespace {

using Strings = std::map<std::string, std::string>;

std::string profile_of(const runs::RunSpec& spec, std::string_view task) {
  return value_of(spec.settings, std::string(runs::kProfileSetting).append(runs::suite_of(task)));
}

Table data_table(const ReportInput& input) {
  Table table{"data", "Data sets", "", {}, {}, {}};
  const bool several = input.runs.size() > 1;
  if (several) table.columns.push_back({"run", "Run"});
  for (Column column : std::vector<Column>{{"task", "Task"},
                                           {"length", "Length"},
                                           {"profile", "Profile"},
                                           {"data_id", "data_id"}}) {
    table.columns.push_back(std::move(column));
  }
  for (const auto& run : input.runs) {
    for (const auto& [data, id] : run.data.spec.data_ids) {
      std::vector<Cell> row;
      if (several) row.push_back(cell(run.name));
      row.push_back(cell(data.task));
      row.push_back(cell(data.length > 0 ? Value(format_length(data.length)) : Value()));
      row.push_back(cell(text_or_null(profile_of(run.data.spec, data.task))));
      row.push_back(cell(id));
      table.rows.push_back(std::move(row));
    }
  }
  table.caption =
      "A data_id hashes everything that determines the samples of a task and length: generator "
      "vintage, count, seed, tokenizer, template and the samples themselves. Equal ids mean equal "
      "data.";
  return table;
}

Table source_table(const ReportInput& input) {
  Table table{"sources", "Source files and licences",
              "",        {{"file", "File"}, {"licence", "Licence"}, {"sha256", "SHA-256"}},
              {},        {}};
  std::set<std::pair<std::string, std::string>> seen;
  for (const auto& run : input.runs) {
    for (const auto& [file, hash] : run.data.spec.source_ids) {
      if (!seen.insert({file, hash}).second) continue;
      const std::string licence = value_of(run.data.spec.licences, file);
      table.rows.push_back(
          {cell(file), cell(licence.empty() ? "none declared" : licence), cell(hash)});
    }
  }
  table.caption =
      "The bytes the prompts were made from, as they lay on the machine of the run. None declared: "
      "the publisher states no licence.";
  return table;
}

// What prompts were made with, each text once for all the runs that have it.
Table template_table(const ReportInput& input) {
  Table table{"templates", "Templates of the prompts", "", {{"name", "Of"}, {"text", "Text"}}, {},
              {}};
  const bool several = input.runs.size() > 1;
  if (several) table.columns.insert(table.columns.begin(), {"runs", "Runs"});
  std::map<std::pair<std::string, std::string>, std::vector<std::string>> runs_by_text;
  for (const auto& run : input.runs) {
    for (const auto& template_text : run.data.spec.templates) {
      runs_by_text[template_text].push_back(run.name);
    }
  }
  for (const auto& [named, runs] : runs_by_text) {
    std::vector<Cell> row;
    if (several) row.push_back(cell(join(runs, ", ")));
    const bool chat = named.first == "chat_template";
    row.push_back(cell(chat ? std::string("chat template") : named.first));
    row.push_back(cell(named.second));
    table.rows.push_back(std::move(row));
  }
  table.caption =
      "The checkpoint's chat template (Jinja) and what each task fills its fields into, as its "
      "profile has it. RULER words the singular where one value is asked for; preview shows a "
      "prompt as the model gets it.";
  table.folded = true;
  return table;
}

// One row per key, one column per run; rows that differ between runs stand out.
Table key_table(const ReportInput& input, std::string id, std::string title,
                Strings runs::RunSpec::*field) {
  Table table{std::move(id), std::move(title), "", {{"key", "Key"}}, {}, {}};
  std::set<std::string> keys;
  for (const auto& run : input.runs) {
    table.columns.push_back({run.name, input.runs.size() > 1 ? run.name : "Value"});
    for (const auto& [key, value] : run.data.spec.*field) keys.insert(key);
  }
  for (const std::string& key : keys) {
    std::vector<Cell> row{cell(key)};
    std::set<std::string> values;
    for (const auto& run : input.runs) {
      const std::string value = value_of(run.data.spec.*field, key);
      values.insert(value);
      row.push_back(cell(text_or_null(value)));
    }
    if (values.size() > 1) {
      for (Cell& entry : row) entry.strong = true;
    }
    table.rows.push_back(std::move(row));
  }
  return table;
}

}  // namespace

Document provenance_document(const ReportInput& input) {
  Document document{"provenance", "Data and environment", "", {}, {}, {}};
  Table settings =
      key_table(input, "settings", "Settings that determine results", &runs::RunSpec::settings);
  settings.caption = "A run resumes, and two runs compare, only where these agree.";
  Table environment = key_table(input, "environment", "Environment", &runs::RunSpec::environment);
  environment.caption = "What the run ran on; it affects times, not answers.";
  settings.folded = environment.folded = input.runs.size() == 1;
  if (input.runs.size() > 1) settings.caption += " Bold: the runs differ.";
  for (Table& table :
       std::vector<Table>{data_table(input), source_table(input), template_table(input),
                          std::move(settings), std::move(environment)}) {
    if (!table.rows.empty()) document.tables.push_back(std::move(table));
  }
  return document;
}

}  // namespace elastic::reports
