// Tables of scores and sparsity: a run of the modes that the table's rows name over the tasks of
// its columns, in a run folder like any other, and the paper's numbers beside those of the run.

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/log.h"
#include "base/text.h"
#include "engine/api/hub_cache.h"
#include "engine/api/make_generator.h"
#include "engine/api/mode_list.h"
#include "engine/config/model_config.h"
#include "harness/reproduce/experiments.h"
#include "harness/reproduce/paper_models.h"
#include "harness/reproduce/table_run.h"
#include "harness/reproduce/tasks_with_data.h"
#include "harness/run/model_path.h"
#include "reports/paper_columns.h"
#include "reports/paper_rows.h"
#include "reports/published.h"
#include "reports/reproduced_run.h"

namespace elastic::harness {
namespace {

namespace fs = std::filesystem;
using reports::PaperColumn;
using reports::PaperRow;
using reports::PaperTable;

constexpr std::string_view kRulerTasks = "ruler/";

// The paper's lengths that the model takes; its longest power of two where it takes none.
std::string lengths_for(const std::vector<PaperColumn>& columns, std::int64_t window) {
  std::vector<std::string> lengths;
  for (const PaperColumn& column : columns) {
    if (column.length > 0 && column.length <= window) {
      lengths.push_back(std::to_string(column.length));
    }
  }
  if (!lengths.empty()) return join(lengths, ",");
  std::int64_t longest = 1;
  while (longest * 2 <= window) longest *= 2;
  log_warning(fmt::format("the model takes {} tokens, none of the paper's lengths; {} instead",
                          window, longest));
  return std::to_string(longest);
}

// Columns of the lengths that the paper has not.
void add_own_lengths(const std::vector<std::int64_t>& lengths, std::vector<PaperColumn>& columns) {
  std::vector<PaperColumn> own;
  for (const std::int64_t length : lengths) {
    const bool known = std::any_of(columns.begin(), columns.end(),
                                   [length](const auto& c) { return c.length == length; });
    if (!known) own.push_back(reports::ruler_column(length));
  }
  const bool by_length =
      std::any_of(columns.begin(), columns.end(), [](const auto& c) { return c.length > 0; });
  if (by_length) columns.insert(columns.begin(), own.begin(), own.end());
}

// Whether the experiment prints speed-ups, which are over dense attention and take latencies.
bool times_matter(std::string_view experiment) {
  const auto& numbers = reports::published_numbers(experiment);
  return std::any_of(numbers.begin(), numbers.end(),
                     [](const auto& number) { return number.quantity == "speedup"; });
}

// Modes of the rows: the paper's settings, or of --modes those with the same name, as given there.
std::vector<PaperRow> rows_of(std::string_view experiment, const std::string& paper_model,
                              const std::string& asked) {
  std::vector<std::string> modes = engine::split_modes(asked);
  std::vector<PaperRow> rows;
  for (const std::string& name : reports::paper_rows(experiment, paper_model)) {
    PaperRow row{name, reports::paper_mode(name), "not asked for"};
    if (!asked.empty()) {
      auto same = std::find(modes.begin(), modes.end(), row.mode);
      if (same == modes.end()) {
        same = std::find_if(modes.begin(), modes.end(), [&row](const std::string& mode) {
          return engine::mode_name(mode) == engine::mode_name(row.mode);
        });
      }
      // A mode without options stands for the paper's settings of it.
      if (same == modes.end()) {
        row.mode.clear();
      } else {
        if (same->find(':') != std::string::npos) row.mode = *same;
        modes.erase(same);
      }
    }
    rows.push_back(std::move(row));
  }
  for (const std::string& mode : modes) rows.push_back({mode, mode, ""});  // rows of our own
  const auto is_dense = [](const PaperRow& row) { return row.mode == engine::kDenseMode; };
  if (times_matter(experiment) && std::none_of(rows.begin(), rows.end(), is_dense)) {
    rows.insert(rows.begin(), {"FA", std::string(engine::kDenseMode), ""});
  }
  return rows;
}

// Without the modes that the model cannot run; the rest of the table goes on.
void drop_impossible(const fs::path& model, const std::string& router, bool asked,
                     std::vector<PaperRow>& rows) {
  for (PaperRow& row : rows) {
    if (row.mode.empty()) continue;
    try {
      engine::check_modes(model, router, {row.mode});
    } catch (const Error& error) {
      if (asked) throw;
      row.missing = fmt::format("not run: {}", error.what());
      row.mode.clear();
      log_warning(fmt::format("row {} is left out: {}", row.name, error.what()));
    }
  }
}

struct Prepared {
  RunOptions run;
  PaperTable table;
};

Prepared prepare_table(const Experiment& experiment, const ReproduceOptions& options) {
  Prepared made{options.run,
                {experiment.name, "", {}, reports::paper_columns(experiment.name), {}}};
  RunOptions& run = made.run;
  PaperTable& table = made.table;
  const fs::path model = model_path(run.model, run.data_dir);
  const engine::ModelConfig config = engine::read_model_config(model);
  const std::string same = paper_model_of_shape(config);
  table.paper_model = choose_paper_model(experiment.name, options.paper_model, same);
  if (table.paper_model != same) table.obstacles.emplace_back("another model than the paper's");
  table.rows = rows_of(experiment.name, table.paper_model, run.modes);
  drop_impossible(model, run.router, !run.modes.empty(), table.rows);
  if (run.tasks.empty()) {
    run.tasks = join(tasks_with_data(reports::tasks_of(table.columns), run.data_dir), ",");
  }
  if (run.lengths.empty() && run.tasks.find(kRulerTasks) != std::string::npos) {
    run.lengths = lengths_for(table.columns, config.max_positions);
  }
  std::vector<std::string> modes;
  for (const PaperRow& row : table.rows) {
    if (!row.mode.empty()) modes.push_back(row.mode);
  }
  run.modes = join(modes, ",");
  run.timing = run.timing || times_matter(experiment.name);
  return made;
}

}  // namespace

Reproduced reproduce_samples(const Experiment& experiment, const ReproduceOptions& options) {
  Prepared made = prepare_table(experiment, options);
  return reproduce_by_run(made.run, [&](const RunSetup& setup, const runs::RunData& run) {
    add_own_lengths(setup.plan.lengths, made.table.columns);
    return reports::Reproduction{
        .experiment = experiment.name,
        .title = experiment.title,
        .model = engine::model_name(setup.model, made.run.router),
        .paper_model = made.table.paper_model,
        .how = fmt::format("Modes of the rows over {} tasks, those of {}/run.json.",
                           setup.plan.tasks.size(), made.run.output),
        .numbers = reports::reproduced_run(made.table, run)};
  });
}

}  // namespace elastic::harness
