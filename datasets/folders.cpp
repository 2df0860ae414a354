#include "datasets/folders.h"

#include <fmt/format.h>

#include <cstdlib>
#include <string>
#include <utility>

#include "base/file.h"
#include "base/log.h"

namespace elastic::datasets {
namespace {

namespace fs = std::filesystem;

constexpr const char* kProgram = "elastic-bench";

fs::path environment_path(const char* variable) {
  const char* value = std::getenv(variable);
  return value == nullptr ? fs::path() : fs::path(value);
}

// $variable/elastic-bench, else ~/home_default/elastic-bench; empty where neither is known. The XDG
// rules say that a relative value is to be ignored.
fs::path xdg_folder(const char* variable, const char* home_default) {
  const fs::path base = environment_path(variable);
  if (base.is_absolute()) return base / kProgram;
  const fs::path home = environment_path("HOME");
  return home.empty() ? fs::path() : home / home_default / kProgram;
}

fs::path beside_program(const char* name) {
  std::error_code error;
  const fs::path program = fs::read_symlink("/proc/self/exe", error);
  return error ? fs::path(name) : program.parent_path() / name;
}

}  // namespace

fs::path data_folder(const fs::path& option) {
  if (!option.empty()) return option;
  if (const fs::path set = environment_path("ELASTIC_DATA_DIR"); !set.empty()) return set;
  const fs::path user = xdg_folder("XDG_DATA_HOME", ".local/share");
  std::error_code ignored;
  if (!user.empty() && fs::exists(user, ignored)) return user;
  const fs::path beside = beside_program("data");
  return user.empty() || fs::exists(beside, ignored) ? beside : user;
}

fs::path program_data_folder() {
  const fs::path beside = beside_program("data");
  const fs::path above =
      beside.parent_path().parent_path() / "data";  // build/core/.. of one set-up
  std::error_code ignored;
  return !fs::exists(beside, ignored) && fs::exists(above, ignored) ? above : beside;
}

fs::path cache_folder(const fs::path& option) {
  if (!option.empty()) return option;
  if (const fs::path set = environment_path("ELASTIC_CACHE_DIR"); !set.empty()) return set;
  const fs::path user = xdg_folder("XDG_CACHE_HOME", ".cache");
  return user.empty() ? beside_program("cache") : user;
}

fs::path plotly_script(const fs::path& option) {
  fs::path path = data_folder(option) / "plotly" / "plotly.min.js";
  std::error_code ignored;
  if (fs::is_regular_file(path, ignored)) return path;
  log_info(fmt::format("{} is not there: report.html gets still figures without zoom and hover",
                       path.string()));
  return {};
}

PassingFolder::PassingFolder(fs::path path) : path_(std::move(path)) {
  std::error_code ignored;
  fs::remove_all(path_, ignored);
  create_folders(path_);
}

PassingFolder::~PassingFolder() {
  std::error_code ignored;
  fs::remove_all(path_, ignored);
}

}  // namespace elastic::datasets
