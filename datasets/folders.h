#pragma once

// Where data and caches lie: the one place that knows the order of precedence.
//
//   const std::filesystem::path data = datasets::data_folder(options.data_dir);  // "" = not given

#include <filesystem>

namespace elastic::datasets {

/// `option` (--data-dir) where given, else $ELASTIC_DATA_DIR, else $XDG_DATA_HOME/elastic-bench
/// (~/.local/share/elastic-bench) where it exists, else the folder `data` beside the running
/// program where that exists, else the XDG path. Nothing is created; the folder may be absent.
std::filesystem::path data_folder(const std::filesystem::path& option = {});

/// The folder `data` beside the running program, where set-up puts what it fetches: the place to
/// look for files that the user's own data folder lacks. It may be absent.
std::filesystem::path program_data_folder();

/// `option` (--cache-dir) where given, else $ELASTIC_CACHE_DIR, else $XDG_CACHE_HOME/elastic-bench
/// (~/.cache/elastic-bench), else `cache` beside the running program. Nothing is created.
std::filesystem::path cache_folder(const std::filesystem::path& option = {});

/// plotly.js in the data folder, where set-up or `data fetch` puts it; empty, and a line in the
/// log, where it is not there.
std::filesystem::path plotly_script(const std::filesystem::path& option = {});

/// A folder for what is only passing through: empty at first,
/// removed at the end, however that comes.
class PassingFolder {
 public:
  explicit PassingFolder(std::filesystem::path path);
  ~PassingFolder();
  PassingFolder(const PassingFolder&) = delete;
  PassingFolder& operator=(const PassingFolder&) = delete;

  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

}  // namespace elastic::datasets
