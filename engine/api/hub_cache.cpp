#include "engine/api/hub_cache.h"

#include <cstdlib>

#include "base/error.h"
#include "base/file.h"
#include "base/text.h"
#include "engine/io/gguf.h"

namespace elastic::engine {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kModels = "models--";
constexpr std::string_view kSeparator = "--";

fs::path from_environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? fs::path() : fs::path(value);
}

fs::path hub_cache() {
  if (fs::path cache = from_environment("HF_HUB_CACHE"); !cache.empty()) return cache;
  if (const fs::path home = from_environment("HF_HOME"); !home.empty()) return home / "hub";
  return from_environment("HOME") / ".cache/huggingface/hub";
}

bool is_hub_word(std::string_view word) {
  return !word.empty() && word.front() != '.' && word.find("..") == std::string_view::npos &&
         word.find_first_not_of(
             "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.") ==
             std::string_view::npos;
}

}  // namespace

bool is_hub_id(std::string_view text) {
  const std::size_t slash = text.find('/');
  return slash != std::string_view::npos && is_hub_word(text.substr(0, slash)) &&
         is_hub_word(text.substr(slash + 1));
}

HubModel find_in_hub_cache(std::string_view id) {
  HubModel model;
  model.looked = hub_cache() / (std::string(kModels) + replace_all(id, "/", kSeparator));
  std::error_code ignored;
  const fs::path main = model.looked / "refs/main";
  if (!fs::is_regular_file(main, ignored)) return model;
  const std::string text = read_file(main);
  const std::string_view commit = strip(text);
  if (!is_hub_word(commit)) {
    throw Error(ErrorKind::kCorrupt, main.string() + ": names no commit; download the model anew");
  }
  const fs::path snapshot = model.looked / "snapshots" / commit;
  if (fs::is_directory(snapshot, ignored)) model.folder = snapshot;
  return model;
}

std::string model_name(const fs::path& folder) {
  if (is_gguf(folder)) return folder.stem().string();
  const fs::path whole = fs::weakly_canonical(folder);
  const std::string hub = whole.parent_path().parent_path().filename().string();
  if (whole.parent_path().filename() != "snapshots" || !hub.starts_with(kModels)) {
    return whole.filename().string();
  }
  return hub.substr(hub.rfind(kSeparator) + kSeparator.size());
}

std::string model_name(const std::filesystem::path& folder, const std::filesystem::path& router) {
  return router.empty() ? model_name(folder) : model_name(folder) + "+" + model_name(router);
}

}  // namespace elastic::engine
