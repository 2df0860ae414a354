#include "tasks/training/curriculum.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <utility>

#include <fmt/format.h>

#include "base/error.h"

namespace elastic::tasks {
namespace {

constexpr std::uint64_t kMicroSteps = 1 << 20;  // of one step, all processes together

LengthStage read_stage(const Json& object, const std::string& place, std::int64_t batch) {
  ConfigKeys keys(object, place);
  LengthStage stage{
      .until = keys.number("until", 1, {.least = 0, .most = 1}), .lengths = {}, .weights = {}};
  for (const double length :
       keys.numbers("lengths", {.least = kShortestDocument, .most = kMostBatchTokens})) {
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

std::vector<LengthStage> read_curriculum(ConfigKeys& keys, std::int64_t batch,
                                         std::vector<LengthStage> fallback) {
  const Json& value = keys.value("curriculum");
  if (value.is_null()) return fallback;
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

}  // namespace

void read_batch_shape(ConfigKeys& keys, std::vector<LengthStage> stages, BatchShape& shape) {
  shape.seed = static_cast<std::uint64_t>(keys.whole("seed", 1, {.least = 0}));
  shape.tokens_per_batch = keys.whole("tokens_per_batch", shape.tokens_per_batch,
                                      {.least = kShortestDocument, .most = kMostBatchTokens});
  shape.curriculum = read_curriculum(keys, shape.tokens_per_batch, std::move(stages));
}

Fill read_fill(ConfigKeys& keys) {
  const std::vector<double> fill = keys.numbers("fill", {.least = 0, .most = 1});
  if (fill.empty()) return {};
  if (fill.size() != 2 || fill[0] > fill[1]) keys.refuse("fill", "[least, most], shares of 1");
  return {.least = fill[0], .most = fill[1]};
}

const LengthStage& stage_at(const std::vector<LengthStage>& stages, double progress) {
  for (const LengthStage& stage : stages) {
    if (progress < stage.until) return stage;
  }
  return stages.back();
}

std::vector<engine::TrainingDocument> draw_batch(
    const BatchShape& shape, const engine::BatchPosition& position,
    const std::function<engine::TrainingDocument(std::int64_t length, MixRandom& random)>& draw) {
  // All processes and micro steps of a step share its length, so none waits for another.
  const std::uint64_t step =
      MixRandom::combine(shape.seed, static_cast<std::uint64_t>(position.step));
  MixRandom of_step(step);
  const LengthStage& stage = stage_at(shape.curriculum, position.progress);
  const std::int64_t length = stage.lengths[of_step.weighted(stage.weights)];
  const auto part =
      static_cast<std::uint64_t>(position.micro_step) * static_cast<std::uint64_t>(position.world) +
      static_cast<std::uint64_t>(position.rank);
  check(part < kMicroSteps, "micro steps of one step");
  MixRandom random(MixRandom::combine(step, part + 1));
  std::vector<engine::TrainingDocument> documents;
  for (std::int64_t tokens = 0; tokens + length <= shape.tokens_per_batch;) {
    documents.push_back(draw(length, random));
    tokens += std::ssize(documents.back().ids);
  }
  return documents;
}

std::int64_t draw_room(const Fill& fill, std::int64_t length, MixRandom& random) {
  const double share = fill.least + (fill.most - fill.least) * std::sqrt(random.uniform());
  return static_cast<std::int64_t>(static_cast<double>(length) * share);
}

}  // namespace elastic::tasks
