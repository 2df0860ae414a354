// The keys of "kind": "synthetic" (docs/training_data.md).

#include <algorithm>

#include <fmt/format.h>

#include "base/error.h"
#include "tasks/training/synthetic_mix.h"

namespace elastic::tasks {
namespace {

constexpr double kDefaultSensitive = .7;

// The backbone's: shares of the time (until) and lengths with their weights.
std::vector<LengthStage> default_curriculum() {
  return {{.10, {256}, {1}},
          {.20, {256, 512}, {.3, .7}},
          {.35, {512, 1024}, {.4, .6}},
          {.55, {512, 1024, 2048}, {.2, .3, .5}},
          {.85, {512, 1024, 2048, 4096}, {.1, .2, .3, .4}},
          {1, {1024, 2048, 4096, 8192}, {.15, .2, .4, .25}}};
}

// One number for each family, `by_name` over the defaults.
std::vector<double> by_family(const std::map<std::string, double>& by_name,
                              std::vector<double> numbers) {
  for (const auto& [name, number] : by_name) {
    const auto place = static_cast<std::size_t>(&find_family(name) - families().data());
    numbers[place] = number;
  }
  return numbers;
}

void read_families(ConfigKeys& keys, SyntheticOptions& options) {
  const KeyRange share{.least = 0, .most = 1};
  const double sensitive = keys.number("target_sensitive", kDefaultSensitive, share);
  const double robust = keys.number("target_robust", 1, share);
  for (const Family& family : families()) {
    options.weights.push_back(family.weight);
    options.targets.push_back(family.robust ? robust : sensitive);
  }
  options.weights = by_family(keys.named_numbers("weights", {.least = 0}), options.weights);
  options.targets = by_family(keys.named_numbers("targets", share), options.targets);
}

}  // namespace

SyntheticOptions read_synthetic_options(ConfigKeys& keys) {
  const KeyRange share{.least = 0, .most = 1};
  SyntheticOptions options;
  read_batch_shape(keys, default_curriculum(), options);
  read_families(keys, options);
  options.builtin_share = keys.number("builtin_share", options.builtin_share, share);
  options.random_template_share =
      keys.number("random_template_share", options.random_template_share, share);
  options.fill = read_fill(keys);
  options.max_questions =
      keys.whole("max_questions", options.max_questions, {.least = 1, .most = 1024});
  options.absent_share = keys.number("absent_share", options.absent_share, share);
  const std::string data_dir = keys.text("data_dir", "");
  keys.done();
  options.word_lists = find_word_lists(data_dir);
  return options;
}

}  // namespace elastic::tasks
