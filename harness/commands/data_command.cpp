// `data`: what lies in the data folder, and bringing what does not.

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <memory>

#include "base/error.h"
#include "base/interrupt.h"
#include "base/json.h"
#include "base/log.h"
#include "base/progress.h"
#include "base/text.h"
#include "base/unicode.h"
#include "datasets/bundle.h"
#include "datasets/catalog.h"
#include "datasets/folders.h"
#include "datasets/import.h"
#include "datasets/inventory.h"
#include "datasets/sources.h"
#include "harness/commands/command.h"
#include "harness/commands/flag_values.h"

namespace elastic::harness {

void add_data_generate(CLI::App& data, int& exit_code);  // data_generate.cpp

namespace {

namespace fs = std::filesystem;
using datasets::DataSource;
using datasets::FileState;
using datasets::FileStatus;

struct DataOptions {
  std::vector<std::string> names;  // suites and sources; for import: paths
  std::string data_dir;
  std::string mirror;
  std::string output;  // of bundle
  bool json = false;
};

std::string state_text(const FileStatus& file) {
  const std::string state(to_string(file.state));
  return file.label.empty() || file.label == "official" ? state
                                                        : fmt::format("{} ({})", state, file.label);
}

void print_files(const std::vector<FileStatus>& files, const DataOptions& options) {
  if (options.json) {
    const Json all = datasets::inventory_json(files, datasets::data_folder(options.data_dir));
    std::fputs(dump_pretty(all).c_str(), stdout);
    return;
  }
  std::size_t source_width = 6, path_width = 4;
  for (const FileStatus& file : files) {
    source_width = std::max(source_width, file.source->name.size());
    path_width = std::max(path_width, file.path.size());
  }
  fmt::print("{:<{}}  {:<{}}  {:>12}  {:<40}  {}\n", "source", source_width, "file", path_width,
             "bytes", "state", "licence");
  for (const FileStatus& file : files) {
    const std::string bytes =
        file.state == FileState::kMissing ? "-" : fmt::format("{}", file.bytes);
    fmt::print("{:<{}}  {:<{}}  {:>12}  {:<40}  {}\n", file.source->name, source_width, file.path,
               path_width, bytes, state_text(file), file.source->licence);
  }
}

std::vector<FileStatus> inspect_chosen(const DataOptions& options, std::int64_t hash_limit) {
  return datasets::inspect_all(datasets::choose_sources(options.names),
                               datasets::data_folder(options.data_dir), hash_limit);
}

int list_data(const DataOptions& options) {
  print_files(inspect_chosen(options, datasets::kHashInListing), options);
  log_info(fmt::format("data folder: {}", datasets::data_folder(options.data_dir).string()));
  return kExitComplete;
}

// Absent files count against the verdict where they were asked for by name.
int verify_data(const DataOptions& options) {
  std::vector<FileStatus> files = inspect_chosen(options, INT64_MAX);
  if (options.names.empty()) {
    std::erase_if(files, [](const FileStatus& f) { return f.state == FileState::kMissing; });
  }
  print_files(files, options);
  std::int64_t bad = 0, verified = 0, unknown = 0;
  for (const FileStatus& file : files) {
    verified += file.state == FileState::kVerified;
    unknown += file.state == FileState::kUnknown;
    const std::string fault = datasets::fault_of(file);
    if (fault.empty()) continue;
    ++bad;
    log_error(fault);
  }
  log_info(fmt::format("{} verified, {} of unknown contents, {} missing or wrong", verified,
                       unknown, bad));
  if (files.empty()) {
    throw Error(ErrorKind::kNotFound,
                fmt::format("{}: no data there; `elastic-bench data fetch ruler` brings RULER's",
                            datasets::data_folder(options.data_dir).string()));
  }
  return bad == 0 ? kExitComplete : kExitData;
}

// True where the source is whole afterwards.
bool fetch_one(const DataSource& source, const fs::path& folder, const std::string& mirror) {
  ByteProgress progress{std::string(source.name)};
  datasets::FetchOptions fetch{.mirror = mirror};
  fetch.pull.progress = [&](std::int64_t done, std::int64_t total) {
    progress.update(done, total);
  };
  try {
    const std::vector<std::string> written = datasets::fetch_source(source, folder, fetch);
    if (written.empty()) log_info(fmt::format("{}: already there", source.name));
    for (const std::string& path : written) {
      log_info(fmt::format("{}: {} (licence: {})", source.name, path, source.licence));
    }
    return true;
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::kIo) throw;
    log_error(error.what());
    if (source.kind != datasets::SourceKind::kImportOnly) {
      log_error(
          fmt::format("  try again: elastic-bench data fetch {0}; or get the file by other "
                      "means: elastic-bench data import PATH",
                      source.name));
    }
    return false;
  }
}

int fetch_data(const DataOptions& options) {
  const fs::path folder = datasets::data_folder(options.data_dir);
  std::vector<const DataSource*> sources = datasets::choose_sources(options.names);
  std::erase_if(sources, [](const DataSource* source) { return source->files.empty(); });
  std::vector<std::string> missing;
  for (const DataSource* source : sources) {
    if (!fetch_one(*source, folder, options.mirror)) missing.emplace_back(source->name);
  }
  log_info(fmt::format("{} of {} sources in {}", sources.size() - missing.size(), sources.size(),
                       folder.string()));
  if (missing.empty()) return kExitComplete;
  log_error(fmt::format("still missing: {}", join(missing, ", ")));
  return kExitData;
}

// A folder of others holds more than data; a few names tell whether something of it was expected.
void report_passed_over(const std::vector<fs::path>& files) {
  constexpr std::size_t kNamed = 5;
  if (files.empty()) return;
  std::string names;
  for (std::size_t i = 0; i < std::min(files.size(), kNamed); ++i) {
    names += fmt::format("{}{}", i == 0 ? "" : ", ", files[i].filename().string());
  }
  log_warning(fmt::format("{} files that the catalogue does not know were passed over: {}{}",
                          files.size(), names, files.size() > kNamed ? ", ..." : ""));
}

int import_data(const DataOptions& options) {
  const fs::path folder = datasets::data_folder(options.data_dir);
  for (const std::string& path : options.names) {
    const datasets::Import import = datasets::import_path(path, folder);
    report_passed_over(import.passed_over);
    for (const datasets::Imported& file : import.files) {
      for (const std::string& target : file.paths) {
        fmt::print("{} -> {}: {} ({})\n", visible(file.from.string()), visible(target),
                   to_string(file.state), visible(file.note));
      }
    }
  }
  log_info(fmt::format("data folder: {}", folder.string()));
  return kExitComplete;
}

int bundle_data(const DataOptions& options) {
  const fs::path folder = datasets::data_folder(options.data_dir);
  const std::vector<std::string> paths =
      datasets::write_bundle(inspect_chosen(options, INT64_MAX), folder, options.output);
  for (const std::string& path : paths) fmt::print("{}\n", visible(path));
  log_info(fmt::format("{}: {} files; elsewhere: elastic-bench data import {}", options.output,
                       paths.size(), fs::path(options.output).filename().string()));
  return kExitComplete;
}

CLI::App* add_verb(CLI::App& data, const char* name, const char* summary,
                   const std::shared_ptr<DataOptions>& options, int& exit_code,
                   int (*run)(const DataOptions&)) {
  CLI::App* verb = data.add_subcommand(name, summary);
  verb->add_option("--data-dir", options->data_dir,
                   "Data folder (default: ELASTIC_DATA_DIR, else the user's data folder)");
  verb->callback([options, &exit_code, run] {
    const InterruptGuard guard(kStopNotice);
    exit_code = run(*options);
  });
  return verb;
}

}  // namespace

void add_data(CLI::App& sub, int& exit_code) {
  sub.require_subcommand(1);
  const auto options = std::make_shared<DataOptions>();
  constexpr const char* kNames = "Suites (ruler, longbench, longbench_v2) or sources; none: all";
  CLI::App* list = add_verb(sub, "list", "Files, sizes, licences and their state", options,
                            exit_code, list_data);
  CLI::App* verify =
      add_verb(sub, "verify", "Recompute every hash", options, exit_code, verify_data);
  for (CLI::App* verb : {list, verify}) {
    verb->add_option("names", options->names, kNames);
    verb->add_flag("--json", options->json, "One JSON object on standard output");
  }
  CLI::App* fetch = add_verb(sub, "fetch", "Download from upstream, continued and verified",
                             options, exit_code, fetch_data);
  fetch->add_option("names", options->names, "Suites or sources")->required();
  fetch->add_option("--mirror", options->mirror,
                    "URL of a data folder on a server of yours, tried before upstream");
  CLI::App* import = add_verb(sub, "import", "Recognise files you have and copy them into place",
                              options, exit_code, import_data);
  import->add_option("paths", options->names, "Files or folders")->check(input_path())->required();
  CLI::App* bundle = add_verb(sub, "bundle", "One archive of the files here, with a manifest",
                              options, exit_code, bundle_data);
  bundle->add_option("names", options->names, kNames);
  bundle->add_option(kOutputFlag, options->output, "The archive, a .zip")->required();
  add_data_generate(sub, exit_code);
}

}  // namespace elastic::harness
