#include "tasks/training/training_mix.h"

#include "base/registry.h"
#include "tasks/training/config_keys.h"
#include "tasks/training/file_mix.h"
#include "tasks/training/instruct_mix.h"
#include "tasks/training/synthetic_mix.h"

namespace elastic::tasks {

engine::BatchSource make_training_mix(const Json& config, const engine::Tokenizer& tokenizer,
                                      const std::filesystem::path& chat_folder) {
  ConfigKeys keys(config, "data");
  const std::string kind = keys.text("kind", "");
  if (kind == "synthetic") return make_synthetic_mix(read_synthetic_options(keys), tokenizer);
  if (kind == "files") return make_file_mix(read_file_options(keys), tokenizer);
  if (kind == "instruct") {
    return make_instruct_mix(read_instruct_options(keys), tokenizer, chat_folder);
  }
  throw_unknown_name("kind of training data", kind, {"files", "instruct", "synthetic"});
}

}  // namespace elastic::tasks
