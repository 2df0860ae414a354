#include "harness/run/model_path.h"

#include <fmt/format.h>

#include "base/error.h"
#include "datasets/catalog.h"
#include "datasets/folders.h"
#include "engine/api/hub_cache.h"
#include "engine/io/gguf.h"

namespace elastic::harness {
namespace {

namespace fs = std::filesystem;

fs::path demo_folder() {
  std::error_code code;
  const fs::path program = fs::read_symlink("/proc/self/exe", code).parent_path();
  for (const fs::path& base :
       {program, program.parent_path(), program.parent_path().parent_path()}) {
    if (fs::exists(base / "models/demo/config.json", code)) return base / "models/demo";
  }
  throw Error(
      ErrorKind::kNotFound,
      fmt::format("--model demo: no models/demo beside {} or above; give a checkpoint folder",
                  program.string()));
}

fs::path small_model(const fs::path& data_dir) {
  const datasets::DataSource& source = *datasets::find_sources(kSmallModel).front();
  fs::path file = datasets::data_folder(data_dir) / source.files.front().path;
  std::error_code code;
  if (fs::is_regular_file(file, code)) return file;
  throw Error(ErrorKind::kNotFound,
              fmt::format("--model {}: {}", kSmallModel, datasets::missing_data(kSmallModel)));
}

}  // namespace

fs::path model_path(const std::string& model, const fs::path& data_dir) {
  fs::path path = tokenizer_path(model, data_dir);
  std::error_code code;
  if (!engine::is_gguf(path) && !fs::exists(path / "config.json", code)) {
    throw Error(ErrorKind::kInvalidArgument,
                fmt::format("--model {}: no config.json in {}; give a Hugging Face checkpoint "
                            "folder, a .gguf file, demo or smollm2",
                            model, path.string()));
  }
  return path;
}

fs::path tokenizer_path(const std::string& model, const fs::path& data_dir) {
  if (model.empty()) {
    throw Error(ErrorKind::kInvalidArgument,
                "--model is missing; give a checkpoint folder, a .gguf file, demo or smollm2");
  }
  if (model == kDemoModel) return demo_folder();
  if (model == kSmallModel) return small_model(data_dir);
  std::error_code code;
  if (fs::is_directory(model, code)) return model;
  if (engine::is_gguf(model) && fs::is_regular_file(model, code)) return model;
  std::string looked;
  if (engine::is_hub_id(model)) {
    engine::HubModel found = engine::find_in_hub_cache(model);
    if (!found.folder.empty()) return std::move(found.folder);
    looked = fmt::format(" and no snapshot of main in the Hugging Face cache ({})",
                         found.looked.string());
  }
  throw Error(ErrorKind::kInvalidArgument,
              fmt::format("--model {}: no such folder or .gguf file{}; give a checkpoint folder, a "
                          ".gguf file, ORG/NAME of a downloaded model, demo or smollm2",
                          model, looked));
}

}  // namespace elastic::harness
