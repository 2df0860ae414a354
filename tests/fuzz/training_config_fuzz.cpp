// The JSON file of `train`: options and data that can be used,
// or an Error. No file it names is opened.

#include <cstdint>
#include <string_view>

#include "base/error.h"
#include "base/json.h"
#include "harness/train/train_config.h"
#include "tasks/training/config_keys.h"
#include "tasks/training/file_mix.h"
#include "tasks/training/instruct_mix.h"
#include "tasks/training/synthetic_mix.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace elastic;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  try {
    const harness::TrainConfig config =
        harness::parse_train_config(parse_json(text, "fuzz"), "fuzz");
    parse_json(config.options.data, "what identifies the data");
    tasks::ConfigKeys keys(config.data, "data");
    const std::string kind = keys.text("kind", "");
    if (kind == "instruct") {
      const tasks::InstructOptions options = tasks::read_instruct_options(keys);
      check(!options.curriculum.empty() && options.weights.size() == options.targets.size(),
            "families have weights and targets");
    } else if (kind == "files") {
      check(!tasks::read_file_options(keys).files.empty(), "files are named");
    } else {
      const tasks::SyntheticOptions options = tasks::read_synthetic_options(keys);
      for (const double progress : {0.0, 0.5, 0.999}) {
        const tasks::LengthStage& stage = tasks::stage_at(options.curriculum, progress);
        check(!stage.lengths.empty() && stage.lengths.size() == stage.weights.size(),
              "a stage has lengths");
      }
    }
  } catch (const Error&) {
  }
  return 0;
}
