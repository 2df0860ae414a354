#include "tasks/training/instruct_mix.h"

#include <algorithm>
#include <memory>
#include <numeric>
#include <optional>

#include <fmt/format.h>

#include "base/error.h"
#include "base/unicode.h"
#include "engine/api/chat_template.h"
#include "tasks/chat_wrapper.h"
#include "tasks/training/encode_document.h"

namespace elastic::tasks {
namespace {

constexpr int kDrawTries = 20;

// A document as text, cut where the answer begins.
struct Halves {
  std::string prompt, answer;
};

struct InstructMix {
  InstructOptions options;
  const engine::Tokenizer& tokenizer;
  ProseSources prose;
  std::optional<engine::ChatTemplate> chat;
  std::string turn_end;  // what the template prints behind an answer
};

std::string user_text(const Exercise& exercise) {
  std::string text = exercise.instruction + "\n\n" + exercise.text;
  if (!exercise.question.empty()) text += "\n\n" + exercise.question;
  return text;
}

Halves plain_text(const Exercise& exercise) {
  if (exercise.lead.empty()) return {user_text(exercise) + "\n", exercise.answer + "\n"};
  return {user_text(exercise) + "\n" + exercise.lead, " " + exercise.answer + "\n"};
}

// The question in the user's turn, the answer in the assistant's, with its beginning given or not.
Halves chat_text(const InstructMix& mixture, const Exercise& exercise, bool lead) {
  Halves halves{in_chat_template(*mixture.chat, user_text(exercise), false),
                exercise.answer + mixture.turn_end};
  if (lead && !exercise.lead.empty()) {
    halves.prompt += exercise.lead;
    halves.answer.insert(0, " ");
  }
  return halves;
}

// What stands behind an assistant's message, without the line end that leads to the next.
std::string find_turn_end(const engine::ChatTemplate& chat) {
  constexpr std::string_view kAnswerMark = "@@elastic-bench-answer@@";
  const std::vector<engine::ChatMessage> messages = {{"user", "?"},
                                                     {"assistant", std::string(kAnswerMark)}};
  const std::string text =
      chat.render(messages, {.add_generation_prompt = false, .enable_thinking = false});
  const std::size_t at = text.rfind(kAnswerMark);
  if (at == std::string::npos) {
    throw Error(ErrorKind::kUnsupported,
                fmt::format("{}: the template does not print the assistant's message as it is; "
                            "set chat_share to 0",
                            chat.source()));
  }
  return std::string(strip_white_space(text.substr(at + kAnswerMark.size())));
}

engine::TrainingDocument draw_exercise(const InstructMix& mixture, std::size_t family,
                                       std::int64_t length, MixRandom& random) {
  const InstructOptions& options = mixture.options;
  const ExerciseFamily& kind = exercise_families()[family];
  std::int64_t room = draw_room(options.fill, length, random);
  const bool chat = mixture.chat && random.chance(options.chat_share);
  const bool lead = chat && random.chance(options.lead_share);
  for (int i = 0; i < kDrawTries; ++i) {
    TextBudget budget(mixture.tokenizer, room);
    const Exercise exercise = kind.draw(budget, mixture.prose, random);
    const Halves halves = chat ? chat_text(mixture, exercise, lead) : plain_text(exercise);
    engine::TrainingDocument document =
        split_document(engine::encode_single_bos(mixture.tokenizer, halves.prompt),
                       engine::encode_single_bos(mixture.tokenizer, halves.prompt + halves.answer));
    document.task = static_cast<int>(family);
    if (std::ssize(document.ids) <= length) return document;
    room -= std::max<std::int64_t>(std::ssize(document.ids) - length, length / kDrawTries);
  }
  throw Error(ErrorKind::kInvalidArgument,
              fmt::format("data: family `{}`: no document fits into {} tokens with this tokenizer; "
                          "take the length out of `curriculum` or set the family's weight to 0",
                          kind.name, length));
}

std::vector<engine::TrainingDocument> draw_exercises(const InstructMix& mixture,
                                                     const engine::BatchPosition& position) {
  return draw_batch(mixture.options, position, [&](std::int64_t length, MixRandom& random) {
    return draw_exercise(mixture, random.weighted(mixture.options.weights), length, random);
  });
}

// A document of each family at each length, so that a setting that cannot work ends at once.
void check_exercises(const InstructMix& mixture) {
  for (const LengthStage& stage : mixture.options.curriculum) {
    for (const std::int64_t length : stage.lengths) {
      for (std::size_t i = 0; i < exercise_families().size(); ++i) {
        MixRandom random(MixRandom::combine(mixture.options.seed, i));
        if (mixture.options.weights[i] > 0) draw_exercise(mixture, i, length, random);
      }
    }
  }
}

void load_chat(InstructMix& mixture, const std::filesystem::path& folder) {
  if (mixture.options.chat_share == 0) return;
  mixture.chat = engine::ChatTemplate::load(folder);
  if (!mixture.chat) {
    throw Error(ErrorKind::kInvalidArgument,
                fmt::format("data: key `chat_share` is {}, but {} has no chat template; set it to "
                            "0, or copy the model's chat_template.jinja there",
                            mixture.options.chat_share, folder.string()));
  }
  mixture.turn_end = find_turn_end(*mixture.chat);
}

// One number for each family, those of the key `key` over the defaults.
std::vector<double> by_exercise(ConfigKeys& keys, const std::string& key, KeyRange range,
                                std::vector<double> numbers) {
  for (const auto& [name, number] : keys.named_numbers(key, range)) {
    numbers[static_cast<std::size_t>(&find_exercise(name) - exercise_families().data())] = number;
  }
  return numbers;
}

void read_exercises(ConfigKeys& keys, InstructOptions& options) {
  const KeyRange share{.least = 0, .most = 1};
  const double sensitive = keys.number("target_sensitive", .6, share);
  const double robust = keys.number("target_robust", .8, share);
  for (const ExerciseFamily& family : exercise_families()) {
    options.weights.push_back(family.weight);
    options.targets.push_back(family.robust ? robust : sensitive);
  }
  options.weights = by_exercise(keys, "weights", {.least = 0}, std::move(options.weights));
  options.targets = by_exercise(keys, "targets", share, std::move(options.targets));
  if (std::all_of(options.weights.begin(), options.weights.end(),
                  [](double weight) { return weight <= 0; })) {
    keys.refuse("weights", "a weight above 0 for one family at least");
  }
}

}  // namespace

InstructOptions read_instruct_options(ConfigKeys& keys) {
  const KeyRange share{.least = 0, .most = 1};
  InstructOptions options;
  read_batch_shape(keys, {{1, {1024, 2048, 4096, 8192}, {1, 1, 1, 1}}}, options);
  read_exercises(keys, options);
  options.fill = read_fill(keys);
  options.chat_share = keys.number("chat_share", options.chat_share, share);
  options.lead_share = keys.number("lead_share", options.lead_share, share);
  for (const std::string& file : keys.texts("texts")) options.texts.emplace_back(file);
  options.texts_share = keys.number("texts_share", options.texts_share, share);
  keys.done();
  return options;
}

engine::BatchSource make_instruct_mix(const InstructOptions& options,
                                      const engine::Tokenizer& tokenizer,
                                      const std::filesystem::path& chat_folder) {
  auto made = std::make_shared<InstructMix>(InstructMix{
      .options = options,
      .tokenizer = tokenizer,
      .prose = {read_sentences(options.texts), options.texts.empty() ? 0 : options.texts_share},
      .chat = std::nullopt,
      .turn_end = ""});
  load_chat(*made, chat_folder);
  check_exercises(*made);
  engine::BatchSource source;
  for (std::size_t i = 0; i < exercise_families().size(); ++i) {
    source.tasks.push_back(
        {.name = std::string(exercise_families()[i].name), .target_sparsity = options.targets[i]});
  }
  source.draw =
      [mixture = std::shared_ptr<const InstructMix>(made)](const engine::BatchPosition& position) {
        return draw_exercises(*mixture, position);
      };
  return source;
}

}  // namespace elastic::tasks
