#include "harness/train/learn_tokenizer.h"

#include "base/error.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/json.h"
#include "datasets/word_lists.h"
#include "engine/api/tokenizer.h"
#include "engine/api/tokenizer_trainer.h"
#include "tasks/training/mix_sources.h"
#include "tasks/training/tokenizer_text.h"

namespace elastic::harness {

LearnedTokenizer learn_tokenizer(const LearnOptions& options) {
  if (options.output.empty()) {
    throw Error(ErrorKind::kInvalidArgument, "--output: give the folder for tokenizer.model");
  }
  const std::filesystem::path lists = tasks::find_word_lists(options.data_dir);
  const std::string model = engine::train_tokenizer(
      {.vocab_size = options.vocab_size, .user_symbols = tasks::tokenizer_symbols()},
      tasks::tokenizer_lines(datasets::load_word_lists(lists), options.seed));
  create_folders(options.output);
  const std::filesystem::path file = options.output / "tokenizer.model";
  write_file_atomic(file, model);
  write_file_atomic(options.output / "tokenizer_config.json",
                    dump_pretty({{"tokenizer_class", "LlamaTokenizer"},
                                 {"add_bos_token", true},
                                 {"add_eos_token", false},
                                 {"bos_token", "<s>"},
                                 {"eos_token", "</s>"},
                                 {"unk_token", "<unk>"},
                                 {"model_max_length", options.max_length}}));
  return {.model = file,
          .pieces = engine::Tokenizer::load(options.output).vocab_size(),
          .sha256 = sha256_hex(model)};
}

}  // namespace elastic::harness
