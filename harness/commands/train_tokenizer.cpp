// `train tokenizer`: the sentencepiece tokenizer of a demo model, learned from the wordings of the
// synthetic mixture and the word lists. A function of its flags.

#include "harness/commands/train_tokenizer.h"

#include <filesystem>
#include <memory>
#include <string>

#include <fmt/format.h>

#include "base/error.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/json.h"
#include "datasets/word_lists.h"
#include "engine/api/tokenizer.h"
#include "engine/api/tokenizer_trainer.h"
#include "harness/commands/config_file.h"
#include "harness/commands/flag_values.h"
#include "tasks/training/mix_sources.h"
#include "tasks/training/tokenizer_text.h"

namespace elastic::harness {
namespace {

namespace fs = std::filesystem;

struct TrainTokenizerOptions {
  std::string config, output, data_dir;
  int vocab_size = 6144;
  std::uint64_t seed = 1;
  std::int64_t max_length = 8192;  // written to tokenizer_config.json
};

void train(const TrainTokenizerOptions& options) {
  if (options.output.empty()) {
    throw Error(ErrorKind::kInvalidArgument, "--output: give the folder for tokenizer.model");
  }
  const fs::path lists = tasks::find_word_lists(options.data_dir);
  const std::string model = engine::train_tokenizer(
      {.vocab_size = options.vocab_size, .user_symbols = tasks::tokenizer_symbols()},
      tasks::tokenizer_lines(datasets::load_word_lists(lists), options.seed));
  const fs::path folder = options.output;
  create_folders(folder);
  write_file_atomic(folder / "tokenizer.model", model);
  write_file_atomic(folder / "tokenizer_config.json",
                    dump_pretty({{"tokenizer_class", "LlamaTokenizer"},
                                 {"add_bos_token", true},
                                 {"add_eos_token", false},
                                 {"bos_token", "<s>"},
                                 {"eos_token", "</s>"},
                                 {"unk_token", "<unk>"},
                                 {"model_max_length", options.max_length}}));
  fmt::print("{}: {} pieces, seed {}, sha256 {}\n", (folder / "tokenizer.model").string(),
             engine::Tokenizer::load(folder).vocab_size(), options.seed, sha256_hex(model));
}

}  // namespace

void setup_train_tokenizer(CLI::App& parent) {
  CLI::App* sub = parent.add_subcommand(
      "tokenizer", "Learn the demo model's tokenizer from synthetic text and word lists");
  const auto options = std::make_shared<TrainTokenizerOptions>();
  add_config_flag(*sub, options->config);
  sub->add_option(kOutputFlag, options->output,
                  "Folder for tokenizer.model and tokenizer_config.json");
  sub->add_option("--vocab-size", options->vocab_size, "Pieces")
      ->transform(whole_number(512, 131072))
      ->capture_default_str();
  sub->add_option("--seed", options->seed, "Seed of the text")
      ->transform(whole_number(0, kMostSeed))
      ->capture_default_str();
  sub->add_option("--max-length", options->max_length, "model_max_length of the configuration")
      ->transform(token_count())
      ->capture_default_str();
  sub->add_option("--data-dir", options->data_dir, "Folder of the word lists (see `data list`)");
  sub->callback([sub, options] {
    apply_config_file(*sub, options->config);
    train(*options);
  });
}

}  // namespace elastic::harness
