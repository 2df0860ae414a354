#include "harness/run/model_folder.h"

#include <fmt/format.h>

#include "base/error.h"
#include "engine/api/hub_cache.h"

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

}  // namespace

fs::path model_folder(const std::string& model) {
  fs::path folder = tokenizer_folder(model);
  std::error_code code;
  if (!fs::exists(folder / "config.json", code)) {
    throw Error(ErrorKind::kInvalidArgument,
                fmt::format("--model {}: no config.json in {}; give a Hugging Face checkpoint "
                            "folder, or demo",
                            model, folder.string()));
  }
  return folder;
}

fs::path tokenizer_folder(const std::string& model) {
  if (model.empty()) {
    throw Error(ErrorKind::kInvalidArgument,
                "--model is missing; give a checkpoint folder, or demo");
  }
  if (model == kDemoModel) return demo_folder();
  std::error_code code;
  if (fs::is_directory(model, code)) return model;
  std::string looked;
  if (engine::is_hub_id(model)) {
    engine::HubModel found = engine::find_in_hub_cache(model);
    if (!found.folder.empty()) return std::move(found.folder);
    looked = fmt::format(" and no snapshot of main in the Hugging Face cache ({})",
                         found.looked.string());
  }
  throw Error(ErrorKind::kInvalidArgument,
              fmt::format("--model {}: no such folder{}; give a checkpoint folder, ORG/NAME of a "
                          "downloaded model, or demo",
                          model, looked));
}

}  // namespace elastic::harness
