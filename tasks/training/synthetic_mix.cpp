#include "tasks/training/synthetic_mix.h"

#include <algorithm>
#include <memory>

#include <fmt/format.h>

#include "base/error.h"

namespace elastic::tasks {
namespace {

constexpr std::uint64_t kProseStream = 0x70726F7365;  // apart from the streams of batches
constexpr std::uint64_t kCheckStream = 0x636865636B;
constexpr std::int64_t kCheckedLength = 512;
// What the tokenizer is checked with.
constexpr DocumentShape kForms[] = {{.style = Style::kBuiltin},
                                    {.style = Style::kOwn},
                                    {.absent_share = 1, .style = Style::kBuiltin},
                                    {.absent_share = 1, .style = Style::kOwn}};
constexpr std::int64_t kUuidHalvedBelow = 512;

struct Mixture {
  SyntheticOptions options;
  MixSources sources;
};

Style draw_style(const SyntheticOptions& options, MixRandom& random) {
  if (random.chance(options.builtin_share)) return Style::kBuiltin;
  return random.chance(options.random_template_share) ? Style::kRandomWords : Style::kOwn;
}

std::size_t draw_family(const SyntheticOptions& options, std::int64_t length, MixRandom& random) {
  std::vector<double> weights = options.weights;
  for (std::size_t i = 0; i < weights.size(); ++i) {
    const Family& family = families()[i];
    if (length < family.min_length) weights[i] = 0;
    // A uuid line fills a good part of a short document, so few questions fit.
    if (family.name == "uuids" && length < kUuidHalvedBelow) weights[i] /= 2;
  }
  if (std::all_of(weights.begin(), weights.end(), [](double weight) { return weight <= 0; })) {
    throw Error(
        ErrorKind::kInvalidArgument,
        fmt::format("data: key `curriculum`: no family with a weight fits into {} tokens", length));
  }
  return random.weighted(weights);
}

engine::TrainingDocument draw_one(const Mixture& mixture, std::int64_t length, MixRandom& random) {
  const SyntheticOptions& options = mixture.options;
  const std::size_t family = draw_family(options, length, random);
  const Style style = draw_style(options, random);
  const DocumentShape shape{.length = length,
                            .room = draw_room(options.fill, length, random),
                            .max_questions = options.max_questions,
                            .absent_share = options.absent_share,
                            .style = style};
  MixDocument drawn = draw_document(families()[family], shape, mixture.sources, random);
  drawn.document.task = static_cast<int>(family);
  return std::move(drawn.document);
}

// Every length of every stage has a family that fits.
void check_lengths(const SyntheticOptions& options) {
  for (const LengthStage& stage : options.curriculum) {
    for (const std::int64_t length : stage.lengths) {
      MixRandom random(options.seed);
      draw_family(options, length, random);
    }
  }
}

void check_tokenizer(const Mixture& mixture, const engine::Tokenizer& tokenizer) {
  for (std::size_t i = 0; i < families().size(); ++i) {
    const Family& family = families()[i];
    if (mixture.options.weights[i] <= 0) continue;
    const std::int64_t length = std::max(kCheckedLength, family.min_length);
    MixRandom random(MixRandom::combine(mixture.options.seed, kCheckStream));
    for (const DocumentShape& form : kForms) {
      DocumentShape shape = form;
      shape.length = shape.room = length;
      const MixDocument drawn = draw_document(family, shape, mixture.sources, random);
      if (!drawn.has_text || tokenizer.encode(drawn.text) == drawn.document.ids) continue;
      throw Error(
          ErrorKind::kUnsupported,
          fmt::format("{}: encodes a document of family `{}` otherwise than its parts; synthetic "
                      "training text needs a tokenizer made by `train tokenizer` (for others "
                      "there is \"kind\": \"instruct\")",
                      tokenizer.source(), family.name));
    }
  }
}

}  // namespace

engine::BatchSource make_synthetic_mix(const SyntheticOptions& options,
                                       const engine::Tokenizer& tokenizer) {
  check_lengths(options);
  const auto mixture = std::make_shared<const Mixture>(Mixture{
      options,
      MixSources(tokenizer, options.word_lists, MixRandom::combine(options.seed, kProseStream))});
  check_tokenizer(*mixture, tokenizer);
  engine::BatchSource source;
  for (std::size_t i = 0; i < families().size(); ++i) {
    source.tasks.push_back(
        {.name = std::string(families()[i].name), .target_sparsity = options.targets[i]});
  }
  source.draw = [mixture](const engine::BatchPosition& position) {
    return draw_batch(mixture->options, position, [&](std::int64_t length, MixRandom& random) {
      return draw_one(*mixture, length, random);
    });
  };
  return source;
}

}  // namespace elastic::tasks
