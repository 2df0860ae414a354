#include "tasks/training/exercise.h"

#include "base/registry.h"

namespace elastic::tasks {
namespace {

constexpr ExerciseFamily kExercises[] = {
    {"entry", "one entry among prose, up to eleven others beside it", false, 3, draw_entry},
    {"register", "one entry among nothing but entries", false, 3, draw_register},
    {"collection", "all entries of a name, in their order", false, 2, draw_collection},
    {"several", "the entries of several names at once", false, 2, draw_several},
    {"copies", "who ended up with a value that was copied on", false, 2, draw_copies},
    {"closing", "an entry of the last sentences", true, 1, draw_closing},
    {"summary", "what happened in each part of a report", true, 1.5, draw_summary},
    {"program", "the next line of a program", true, 1.5, draw_program},
    {"examples", "a label that many examples show", true, 1.5, draw_examples},
};

}  // namespace

std::span<const ExerciseFamily> exercise_families() { return kExercises; }

const ExerciseFamily& find_exercise(std::string_view name) {
  return find_entry(exercise_families(), "family", name);
}

bool TextBudget::try_take(std::string_view text) {
  const std::int64_t tokens = tokenizer_.count(text);
  if (tokens > left_) return false;
  left_ -= tokens;
  return true;
}

void TextBudget::take_frame(const Exercise& exercise) {
  for (const std::string* part :
       {&exercise.instruction, &exercise.question, &exercise.lead, &exercise.answer}) {
    take(*part);
  }
}

}  // namespace elastic::tasks
