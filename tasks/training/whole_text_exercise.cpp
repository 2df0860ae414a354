// Exercises that the whole of a text answers in general, or what is near its end: summaries,
// programs to go on with, labels by example.

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "base/text.h"
#include "tasks/ruler/prompt_pack.h"
#include "tasks/training/exercise.h"

namespace elastic::tasks {
namespace {

// Summaries: a report of parts, each of which opens with what happened; the answer tells just that.
constexpr std::array<const char*, 3> kSummaryInstructions = {
    "Sum up the following report: one sentence for each of its parts.",
    "A report in several parts follows. Say in a few sentences what it is about.",
    "Here is a report. Make a short summary of it."};
constexpr std::array<const char*, 3> kSummaryQuestions = {"Now sum the report up, part by part.",
                                                          "What is the report about, in short?",
                                                          "Please write the summary."};
constexpr std::array<const char*, 6> kEvents = {
    "{person} opened a workshop for every {noun} of {town}",
    "{person} won the case about the {object} against the town of {town}",
    "the bridge at {town} was rebuilt with a gift of {person}",
    "{person} gave the {object} to the museum of {town}",
    "a flood at {town} destroyed the {object} of {person}",
    "{person} walked to {town} and back for a wager over the {object}"};
constexpr std::int64_t kPartTokens = 350, kMostParts = 8;

std::string draw_event(MixRandom& random) {
  const std::string person = draw_person(random), town = draw_town(random);
  const std::string object = draw_object(random), noun = draw_noun(random);
  return fill_fields(random.pick(kEvents),
                     {{"person", person}, {"town", town}, {"object", object}, {"noun", noun}});
}

std::string as_sentence(std::string text) {
  if (text[0] >= 'a' && text[0] <= 'z') text[0] = static_cast<char>(text[0] - 'a' + 'A');
  return text + ".";
}

// Programs: functions of one file that are all built alike, so that the next line follows from the
// lines before it.
constexpr std::array<const char*, 2> kProgramInstructions = {
    "Go on with this program: write the line that comes next.",
    "A program follows that breaks off. Write its next line and nothing else."};

struct Function {
  std::vector<std::string> lines;
};

std::string draw_identifier(MixRandom& random) {
  const std::string first = draw_adjective(random);
  return first + "_" + draw_noun(random);
}

Function draw_function(MixRandom& random) {
  const std::string name = draw_identifier(random), item = draw_noun(random);
  const std::int64_t factor = random.between(2, 99), limit = random.between(10, 900);
  switch (random.below(3)) {
    case 0:
      return {{fmt::format("def sum_{}({}s, limit={}):", name, item, limit), "    total = 0",
               fmt::format("    for {0} in {0}s:", item),
               fmt::format("        if {} > limit:", item), "            continue",
               fmt::format("        total += {} * {}", item, factor), "    return total"}};
    case 1:
      return {{fmt::format("def read_{}(path):", name), "    rows = []",
               "    with open(path) as lines:", "        for line in lines:",
               fmt::format("            {} = line.strip().split({})", item,
                           random.chance(.5) ? "\",\"" : "\";\""),
               fmt::format("            rows.append({}[{}])", item, random.below(9)),
               "    return rows"}};
    default:
      break;
  }
  return {{fmt::format("class {}{}:", as_sentence(draw_noun(random)).substr(0, 4), factor),
           fmt::format("    def __init__(self, {}, {}=None):", item, name),
           fmt::format("        self.{0} = {0}", item), fmt::format("        self.{0} = {0}", name),
           "", fmt::format("    def {}_of(self):", item),
           fmt::format("        return self.{}", item)}};
}

// Labels by example: the label follows from what is spoken of.
constexpr std::array<const char*, 3> kExampleInstructions = {
    "Each note below has a label. Find out how they are given and label the last note.",
    "Label the last note as the others are labelled.",
    "These are notes with their labels; the last label is missing."};

struct Label {
  const char* name;
  std::array<const char*, 4> notes;  // fields person, town, object
};
constexpr std::array<Label, 5> kLabels = {{
    {"trade",
     {"{person} bought the {object} for a good price.", "The {object} is for sale in {town}.",
      "{person} wants to sell the {object} before winter.",
      "They bargained over the {object} until noon."}},
    {"travel",
     {"{person} took the night train to {town}.", "The coach to {town} was late again.",
      "{person} set out for {town} on foot.", "It is two days by ship to {town}."}},
    {"repair",
     {"The {object} has to be glued.", "{person} put a new handle on the {object}.",
      "A crack runs through the {object}; {person} will see to it.",
      "Bring the {object} to the smith in {town}."}},
    {"weather",
     {"It has rained in {town} since Monday.", "{person} says that the fog will lift.",
      "There was frost on the {object} this morning.", "A warm wind blows from {town}."}},
    {"family",
     {"{person} is the aunt of the miller.", "The twins of {person} start school in {town}.",
      "{person} got the {object} as a wedding present.",
      "All cousins of {person} live in {town}."}},
}};

std::string draw_note(const Label& label, MixRandom& random) {
  const std::string person = draw_person(random), town = draw_town(random);
  const std::string object = draw_object(random);
  return fill_fields(random.pick(label.notes),
                     {{"person", person}, {"town", town}, {"object", object}});
}

}  // namespace

Exercise draw_summary(TextBudget& budget, const ProseSources& sources, MixRandom& random) {
  Exercise exercise{.instruction = random.pick(kSummaryInstructions),
                    .question = random.pick(kSummaryQuestions)};
  const std::int64_t most = std::clamp<std::int64_t>(budget.left() / kPartTokens, 1, kMostParts);
  std::vector<std::string> parts, told;
  for (std::int64_t i = random.between((most + 1) / 2, most); i > 0; --i) {
    told.push_back(as_sentence(draw_event(random)));
    parts.push_back(fmt::format("Part {}. {}", parts.size() + 1, told.back()));
    budget.take(parts.back());
  }
  exercise.answer = join(told, " ");
  budget.take_frame(exercise);
  ProseStream prose(sources, random);
  const std::int64_t each = budget.left() / std::ssize(parts);
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const std::int64_t end = budget.left() - each;
    while (budget.left() > end) {
      const std::string next = " " + prose.next();
      if (!budget.try_take(next)) break;
      parts[i] += next;
    }
  }
  exercise.text = join(parts, "\n\n");
  return exercise;
}

Exercise draw_program(TextBudget& budget, const ProseSources&, MixRandom& random) {
  Exercise exercise{.instruction = random.pick(kProgramInstructions)};
  const Function last = draw_function(random);
  const std::size_t cut = static_cast<std::size_t>(random.between(2, std::ssize(last.lines) - 1));
  std::string end;
  for (std::size_t i = 0; i < cut; ++i) end += last.lines[i] + "\n";
  std::size_t answer = cut;
  while (last.lines[answer].empty()) ++answer;  // an empty line says nothing
  for (std::size_t i = cut; i < answer; ++i) end += "\n";
  exercise.answer = last.lines[answer];
  budget.take_frame(exercise);
  budget.take(end);
  while (true) {
    const std::string function = join(draw_function(random).lines, "\n") + "\n\n\n";
    if (!budget.try_take(function)) break;
    exercise.text += function;
  }
  exercise.text += end;
  exercise.text.pop_back();
  return exercise;
}

Exercise draw_examples(TextBudget& budget, const ProseSources&, MixRandom& random) {
  const Label& label = random.pick(kLabels);
  Exercise exercise{.instruction = random.pick(kExampleInstructions),
                    .question = "Note: " + draw_note(label, random),
                    .lead = "Label:",
                    .answer = label.name};
  budget.take_frame(exercise);
  const auto labelled = [&](const Label& other) {
    return fmt::format("Note: {}\nLabel: {}", draw_note(other, random), other.name);
  };
  std::vector<std::string> notes{labelled(label)};  // the label that is missing is shown once
  budget.take(notes.front());
  while (true) {
    std::string note = labelled(random.pick(kLabels));
    if (!budget.try_take(note + "\n\n")) break;
    notes.push_back(std::move(note));
  }
  random.shuffle(notes);
  exercise.text = join(notes, "\n\n");
  return exercise;
}

}  // namespace elastic::tasks
