#pragma once

// The documents of "kind": "instruct": a text with an instruction in front, a question behind it
// and the answer, as plain text, for any tokenizer and any chat template. What is asked, and of
// what kind of text, is the family's; no wording is one of ruler@builtin's.
//
//   TextBudget budget(tokenizer, 2000);
//   const Exercise one = find_exercise("entry").draw(budget, prose, random);

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "engine/api/tokenizer.h"
#include "tasks/training/mix_random.h"
#include "tasks/training/prose.h"

namespace elastic::tasks {

struct Exercise {
  std::string instruction;
  std::string text;
  std::string question;
  std::string lead;    // how the answer begins, where it is given that much; may be empty
  std::string answer;  // without a blank in front
};

/// Tokens that a document may still take, each part counted alone: an estimate of the whole.
class TextBudget {
 public:
  TextBudget(const engine::Tokenizer& tokenizer, std::int64_t tokens)
      : tokenizer_(tokenizer), left_(tokens) {}

  void take(std::string_view text) { left_ -= tokenizer_.count(text); }
  /// All of it but the text.
  void take_frame(const Exercise& exercise);
  /// False, and nothing taken, where the text has more tokens than are left.
  bool try_take(std::string_view text);
  std::int64_t left() const { return left_; }

 private:
  const engine::Tokenizer& tokenizer_;
  std::int64_t left_;
};

using DrawExercise = Exercise (*)(TextBudget&, const ProseSources&, MixRandom&);

struct ExerciseFamily {
  std::string_view name;
  std::string_view summary;
  bool robust = false;  // target_robust instead of target_sensitive
  double weight = 1;    // share of documents, by default
  DrawExercise draw = nullptr;
};

std::span<const ExerciseFamily> exercise_families();

/// Throws kInvalidArgument with suggestions.
const ExerciseFamily& find_exercise(std::string_view name);

// Families by file: lookup_exercise.cpp, whole_text_exercise.cpp.
Exercise draw_entry(TextBudget&, const ProseSources&, MixRandom&);
Exercise draw_register(TextBudget&, const ProseSources&, MixRandom&);
Exercise draw_collection(TextBudget&, const ProseSources&, MixRandom&);
Exercise draw_several(TextBudget&, const ProseSources&, MixRandom&);
Exercise draw_copies(TextBudget&, const ProseSources&, MixRandom&);
Exercise draw_closing(TextBudget&, const ProseSources&, MixRandom&);
Exercise draw_summary(TextBudget&, const ProseSources&, MixRandom&);
Exercise draw_program(TextBudget&, const ProseSources&, MixRandom&);
Exercise draw_examples(TextBudget&, const ProseSources&, MixRandom&);

}  // namespace elastic::tasks
