#include "harness/commands/model_folder.h"

#include <fmt/format.h>

#include "base/error.h"

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
  if (model.empty()) {
    throw Error(ErrorKind::kInvalidArgument,
                "--model is missing; give a checkpoint folder, or demo");
  }
  std::error_code code;
  if (model == kDemoModel) return demo_folder();
  const fs::path folder(model);
  if (!fs::is_directory(folder, code)) {
    throw Error(
        ErrorKind::kInvalidArgument,
        fmt::format("--model {}: no such folder; give a checkpoint folder, or demo", model));
  }
  if (!fs::exists(folder / "config.json", code)) {
    throw Error(ErrorKind::kInvalidArgument,
                fmt::format("--model {}: no config.json in this folder; give a Hugging Face "
                            "checkpoint folder, or demo",
                            model));
  }
  return folder;
}

fs::path tokenizer_folder(const std::string& model) {
  return model == kDemoModel ? demo_folder() : fs::path(model);
}

}  // namespace elastic::harness
