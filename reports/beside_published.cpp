// The paper's own numbers beside those of a run, wherever a run has samples of a column of its main
// tables: a line of the paper's and a line of ours for each method. `reproduce` asks for such
// runs; this shows them of any.

#include <fmt/format.h>

#include <algorithm>
#include <cctype>

#include "base/text.h"
#include "engine/api/mode_list.h"
#include "reports/cells.h"
#include "reports/paper_rows.h"
#include "reports/reproduced_run.h"

namespace elastic::reports {
namespace {

struct Shown {
  const char* experiment;
  const char* title;
};
constexpr Shown kTables[] = {{"table1", "LongBench-E by category (table 1)"},
                             {"table7", "LongBench-E by set (table 7)"},
                             {"table2", "RULER and LongBench-v2 (table 2)"}};

// "qwen34b" of "Qwen3-4B+routers": what names of one model have in common.
std::string plain_name(std::string_view model) {
  std::string plain;
  for (const char c : model.substr(0, model.find('+'))) {
    const auto letter = static_cast<unsigned char>(c);
    if (std::isalnum(letter) != 0) plain += static_cast<char>(std::tolower(letter));
  }
  return plain.starts_with("metallama") ? plain.substr(4) : plain;
}

// Rows of the paper whose mode the run has: with the same options, else of the same name.
std::vector<PaperRow> rows_in(const runs::Summary& summary, const std::string& experiment,
                              const std::string& paper_model) {
  std::vector<std::string> modes = summary.modes;
  std::vector<PaperRow> rows;
  for (const std::string& name : paper_rows(experiment, paper_model)) {
    const std::string wanted = paper_mode(name);
    auto found = std::find(modes.begin(), modes.end(), wanted);
    if (found == modes.end()) {
      found = std::find_if(modes.begin(), modes.end(), [&](const std::string& mode) {
        return engine::mode_name(mode) == engine::mode_name(wanted);
      });
    }
    if (found == modes.end()) continue;
    rows.push_back({name, *found, ""});
    modes.erase(found);
  }
  return rows;
}

struct Beside {
  std::string model, paper_model;
  std::vector<ReproducedNumber> numbers;  // measured ones that the paper prints
};

Beside beside(const ReportInput& input, const Subject& subject, const std::string& experiment) {
  const ReportInput::Run& run = input.runs[subject.run];
  Beside out{subject.model, "", {}};
  const std::vector<std::string> models = paper_models_of(experiment);
  const auto same = std::find_if(models.begin(), models.end(), [&](const std::string& model) {
    return plain_name(model) == plain_name(subject.model);
  });
  out.paper_model = same == models.end() ? models.front() : *same;
  PaperTable table{experiment, out.paper_model, {}, paper_columns(experiment), {}};
  table.rows = rows_in(run.summary, experiment, out.paper_model);
  if (table.rows.empty() || run.summary.models.size() > 1) return out;
  if (same == models.end()) table.obstacles.emplace_back("another model than the paper's");
  for (ReproducedNumber& number : reproduced_run(table, run.data)) {
    if (number.measured && number.published && !number.between_rows) {
      out.numbers.push_back(std::move(number));
    }
  }
  return out;
}

// In the order in which they come up.
std::vector<std::string> distinct(const std::vector<ReproducedNumber>& numbers,
                                  std::string ReproducedNumber::*field) {
  std::vector<std::string> all;
  for (const ReproducedNumber& number : numbers) {
    if (std::find(all.begin(), all.end(), number.*field) == all.end()) all.push_back(number.*field);
  }
  return all;
}

Cell paper_cell(const ReproducedNumber& number) { return cell(reports::number(number.published)); }

Cell run_cell(const ReproducedNumber& number) {
  Cell out = cell(reports::number(number.measured->value));
  out.interval = number.measured->interval;
  out.n = number.measured->n;
  out.planned = number.samples > number.measured->n ? number.samples : 0;
  return out;
}

void add_both_lines(const Beside& pair, const std::string& quantity, Table& table) {
  std::vector<ReproducedNumber> numbers;
  std::copy_if(pair.numbers.begin(), pair.numbers.end(), std::back_inserter(numbers),
               [&](const ReproducedNumber& number) { return number.quantity == quantity; });
  for (const std::string& row : distinct(numbers, &ReproducedNumber::row)) {
    if (!table.rows.empty()) table.rules.push_back(table.rows.size());
    for (const bool printed : {true, false}) {
      std::vector<Cell> line{cell(row),
                             cell(printed ? "paper, " + pair.paper_model : "here, " + pair.model)};
      for (std::size_t i = line.size(); i < table.columns.size(); ++i) {
        const auto at = std::find_if(numbers.begin(), numbers.end(), [&](const auto& number) {
          return number.row == row && number.column == table.columns[i].key;
        });
        line.push_back(at == numbers.end() ? Cell() : printed ? paper_cell(*at) : run_cell(*at));
      }
      table.rows.push_back(std::move(line));
    }
  }
}

void add_pairs(const Beside& pair, const std::string& run, const std::string& experiment,
               Sheet& sheet) {
  for (const ReproducedNumber& number : pair.numbers) {
    const auto end = [&](double runs::Interval::*field) {
      const auto& interval = number.measured->interval;
      return interval ? reports::number((*interval).*field) : Value();
    };
    sheet.rows.push_back(
        {run, pair.model, pair.paper_model, experiment, number.row, number.column, number.quantity,
         reports::number(number.published), reports::number(number.measured->value),
         end(&runs::Interval::low), end(&runs::Interval::high), count(number.measured->n),
         number.samples > 0 ? count(number.samples) : Value(), verdict(number),
         text_or_null(join(number.obstacles, "; ")), text_or_null(join(number.slips, "; "))});
  }
}

// What stands between a number and the paper's, of all numbers.
std::string all_obstacles(const std::vector<Beside>& pairs) {
  std::vector<std::string> all;
  for (const Beside& pair : pairs) {
    for (const ReproducedNumber& number : pair.numbers) {
      for (const std::string& obstacle : number.obstacles) {
        if (std::find(all.begin(), all.end(), obstacle) == all.end()) all.push_back(obstacle);
      }
    }
  }
  return all.empty() ? "" : " Not of the same thing: " + join(all, "; ") + ".";
}

Table beside_table(const Shown& shown, const std::string& quantity,
                   const std::vector<Beside>& pairs) {
  const bool score = quantity == "score";
  Table table{fmt::format("published_{}_{}", shown.experiment, quantity),
              fmt::format("{}, {}", shown.title, score ? "score" : "MSR"),
              "",
              {{"row", "Method"}, {"whose", "Whose"}},
              {},
              {}};
  for (const Beside& pair : pairs) {
    for (const ReproducedNumber& number : pair.numbers) {
      const bool known = std::any_of(table.columns.begin(), table.columns.end(),
                                     [&](const Column& c) { return c.key == number.column; });
      if (number.quantity == quantity && !known) {
        table.columns.push_back({number.column, "", score ? 2 : 3});
      }
    }
  }
  for (const Beside& pair : pairs) add_both_lines(pair, quantity, table);
  table.caption =
      "The paper's numbers (arXiv 2601.17367) over those of the run, with 95 % "
      "intervals and n of the paper's samples where there are fewer." +
      all_obstacles(pairs) + " Each pair's verdict is in published.csv.";
  const bool comparable = std::any_of(pairs.begin(), pairs.end(), [](const Beside& pair) {
    return std::any_of(pair.numbers.begin(), pair.numbers.end(),
                       [](const ReproducedNumber& number) { return number.obstacles.empty(); });
  });
  table.folded = !score || !comparable;
  return table;
}

}  // namespace

Document published_document(const ReportInput& input) {
  Document document{"published", "The paper's numbers", "", {}, {}, {}};
  Sheet sheet{"published", {}, {}, {}};
  for (const char* key : {"run", "model", "paper_model", "experiment", "row", "column", "quantity",
                          "published", "measured", "ci_low", "ci_high", "n", "samples_of_paper",
                          "verdict", "obstacles", "slips"}) {
    sheet.columns.push_back({key});
  }
  for (const Shown& shown : kTables) {
    std::vector<Beside> pairs;
    for (const Subject& subject : subjects(input)) {
      Beside pair = beside(input, subject, shown.experiment);
      if (pair.numbers.empty()) continue;
      add_pairs(pair, input.runs[subject.run].name, shown.experiment, sheet);
      pairs.push_back(std::move(pair));
    }
    for (const char* quantity : {"score", "msr"}) {
      Table table = beside_table(shown, quantity, pairs);
      if (!table.rows.empty()) document.tables.push_back(std::move(table));
    }
  }
  if (!sheet.rows.empty()) document.sheets.push_back(std::move(sheet));
  return document;
}

}  // namespace elastic::reports
