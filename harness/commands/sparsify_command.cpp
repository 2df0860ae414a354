// `analyze sparsify`: heads of a model turned sparse one after another, in the order of what
// `analyze heads` found: a run with a mode for each MSR, and its report.

#include "harness/commands/sparsify_command.h"

#include <fmt/format.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/text.h"
#include "datasets/folders.h"
#include "engine/api/mode_list.h"
#include "harness/commands/command.h"
#include "harness/commands/config_file.h"
#include "harness/commands/flag_values.h"
#include "harness/commands/run_flags.h"
#include "harness/run/processes.h"
#include "reports/registry.h"
#include "reports/render/render.h"
#include "reports/render/write.h"
#include "runs/run_store.h"
#include "tasks/registry.h"

namespace elastic::harness {
namespace {

namespace fs = std::filesystem;

struct SparsifyOptions {
  RunOptions run;
  std::string heads, config;
  std::string orders = kByScore;
  std::string msrs = "0,0.1,0.2,0.3,0.4,0.5,0.6,0.7,0.8,0.9,1";
};

std::vector<double> msrs_of(const std::string& list) {
  std::vector<double> msrs;
  for (const std::string& part : split_list(list)) {
    const std::optional<double> msr = parse_share(part);
    if (!msr) {
      throw Error(ErrorKind::kInvalidArgument,
                  fmt::format("--msr: `{}` is no share of heads; give numbers from 0 to 1", part));
    }
    msrs.push_back(*msr);
  }
  return msrs;
}

// Pattern files of the orders asked for.
std::vector<fs::path> order_files(const SparsifyOptions& options) {
  std::vector<fs::path> files;
  for (const std::string& order : split_list(options.orders)) {
    if (order != kByScore && order != kReverse && order != kRandom) {
      throw Error(ErrorKind::kInvalidArgument, fmt::format("--order: `{}` is not one of {}, {}, {}",
                                                           order, kByScore, kReverse, kRandom));
    }
    files.push_back(order_file(options.heads, order));
    if (!fs::is_regular_file(files.back())) {
      throw Error(ErrorKind::kInvalidArgument,
                  fmt::format("--heads: {} is not there; give the folder that `analyze heads` "
                              "wrote with --output",
                              files.back().string()));
    }
  }
  return files;
}

// Every mode at every MSR in every order; no sparse head at all is dense attention, once.
std::string modes_of(const SparsifyOptions& options) {
  const std::vector<double> msrs = msrs_of(options.msrs);
  const std::vector<fs::path> files = order_files(options);
  std::vector<std::string> modes;
  for (const std::string& mode : engine::split_modes(options.run.modes)) {
    const char* joint = mode.find(':') == std::string::npos ? ":" : ",";
    for (const fs::path& file : files) {
      for (const double msr : msrs) {
        modes.push_back(
            msr == 0 ? std::string(engine::kDenseMode)
                     : fmt::format("{}{}pattern={},threshold={}", mode, joint, file.string(), msr));
      }
    }
  }
  if (modes.empty()) {
    throw Error(ErrorKind::kInvalidArgument,
                "--modes, --order or --msr is empty; give one of each at least");
  }
  return join(modes, ",");
}

void report(const RunOptions& run) {
  const reports::ReportInput input =
      reports::make_input({runs::read_run(run.output)}, tasks::suite_titles());
  for (const reports::Table& table : reports::sparsification_document(input).tables) {
    fmt::print("\n{}\n\n{}", table.title, reports::markdown_table(table));
  }
  const fs::path folder = fs::path(run.output) / "report";
  reports::write_report(input,
                        {.output = folder, .plotly_js = datasets::plotly_script(run.data_dir)});
  log_page(folder / "report.html");
}

int sparsify(const SparsifyOptions& options) {
  RunOptions sweep = options.run;
  sweep.modes = modes_of(options);
  const int code = run(sweep);
  const bool reports_here = ranks_from_environment().rank == 0 && !sweep.dry_run;
  if (reports_here && code < kExitSignalBase) report(sweep);
  return code;
}

}  // namespace

fs::path order_file(const fs::path& folder, std::string_view order) {
  return folder / fmt::format("order_{}.tsv", order);
}

void add_sparsify(CLI::App& analyze, int& exit_code) {
  CLI::App& sub = *analyze.add_subcommand(
      "sparsify",
      "Heads turned sparse one by one, as `analyze heads` ranked them: score against MSR");
  const auto options = std::make_shared<SparsifyOptions>();
  options->run.modes = "fa-ssa";
  add_run_flags(sub, options->run, options->config);
  sub.get_option("--modes")
      ->description("What full and sparse heads compute: fa-ssa:local=2048, xa-ssa, duo, ...")
      ->capture_default_str();
  sub.get_option("--output")
      ->description(
          "Run folder, resumed where it has samples; tables and figures go to its report/");
  sub.add_option("--heads", options->heads,
                 "Folder that `analyze heads` wrote; its order_*.tsv are run as patterns")
      ->check(input_folder());
  sub.add_option("--msr", options->msrs,
                 "Comma-separated shares of sparse heads; 0 is dense attention, fa")
      ->capture_default_str();
  sub.add_option("--order,--orders", options->orders,
                 "Comma-separated: score (heads that look least at needles first), reverse, random")
      ->capture_default_str();
  sub.callback([&sub, &exit_code, options] {
    apply_config_file(sub, options->config);
    exit_code = sparsify(*options);
  });
}

}  // namespace elastic::harness
