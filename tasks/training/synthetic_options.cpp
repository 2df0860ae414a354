// The keys of "kind": "synthetic" (docs/training_data.md).

#include <algorithm>

#include <fmt/format.h>

#include "base/error.h"
#include "tasks/training/synthetic_mix.h"

namespace elastic::tasks {
namespace {

constexpr double kMostTokens = 1 << 24;
constexpr double kShortest = 128;  // tokens: room for a question and its needle
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

LengthStage read_stage(const Json& object, const std::string& place, std::int64_t batch) {
  ConfigKeys keys(object, place);
  LengthStage stage{
      .until = keys.number("until", 1, {.least = 0, .most = 1}), .lengths = {}, .weights = {}};
  for (const double length : keys.numbers("lengths", {.least = kShortest, .most = kMostTokens})) {
    stage.lengths.push_back(static_cast<std::int64_t>(length));
    if (stage.lengths.back() > batch) {
      keys.refuse("lengths", fmt::format("lengths up to tokens_per_batch, {}", batch));
    }
  }
  stage.weights = keys.numbers("weights", {.least = 0});
  keys.done();
  if (stage.lengths.empty()) {
    throw Error(ErrorKind::kInvalidArgument, place + ": key `lengths` names no length");
  }
  if (stage.weights.empty()) stage.weights.assign(stage.lengths.size(), 1);
  const bool drawable = std::any_of(stage.weights.begin(), stage.weights.end(),
                                    [](double weight) { return weight > 0; });
  if (stage.weights.size() != stage.lengths.size() || !drawable) {
    keys.refuse("weights", "one weight for each of `lengths`, not all 0");
  }
  return stage;
}

std::vector<LengthStage> read_curriculum(ConfigKeys& keys, std::int64_t batch) {
  const Json& value = keys.value("curriculum");
  if (value.is_null()) return default_curriculum();
  if (!value.is_array() || value.empty()) keys.refuse("curriculum", "a list of stages");
  std::vector<LengthStage> stages;
  for (const Json& stage : value) {
    stages.push_back(
        read_stage(stage, fmt::format("{}.curriculum[{}]", keys.place(), stages.size()), batch));
    if (stages.size() > 1 && stages.back().until <= stages[stages.size() - 2].until) {
      keys.refuse("curriculum", "stages with ascending `until`");
    }
  }
  if (stages.back().until < 1) keys.refuse("curriculum", "a last stage with `until` 1");
  return stages;
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
  options.seed = static_cast<std::uint64_t>(keys.whole("seed", 1, {.least = 0}));
  options.tokens_per_batch = keys.whole("tokens_per_batch", options.tokens_per_batch,
                                        {.least = kShortest, .most = kMostTokens});
  options.curriculum = read_curriculum(keys, options.tokens_per_batch);
  read_families(keys, options);
  options.builtin_share = keys.number("builtin_share", options.builtin_share, share);
  options.random_template_share =
      keys.number("random_template_share", options.random_template_share, share);
  const std::vector<double> fill = keys.numbers("fill", share);
  if (!fill.empty()) {
    if (fill.size() != 2 || fill[0] > fill[1]) keys.refuse("fill", "[least, most], shares of 1");
    options.least_fill = fill[0];
    options.most_fill = fill[1];
  }
  options.max_questions =
      keys.whole("max_questions", options.max_questions, {.least = 1, .most = 1024});
  options.absent_share = keys.number("absent_share", options.absent_share, share);
  const std::string data_dir = keys.text("data_dir", "");
  keys.done();
  options.word_lists = find_word_lists(data_dir);
  return options;
}

}  // namespace elastic::tasks
