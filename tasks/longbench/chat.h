#pragma once

// The last steps of a LongBench prompt: the chat template round it, and its ids with one BOS.
//
//   Prompt p = make_longbench_prompt({.text = text, .task = name, .budget = 32}, context);
//
// BOS: a template that prints its own gets no second one from the tokenizer. With
// context.official_bos the tokenizer adds its own all the same, as the official code does.

#include <cstdint>
#include <string>
#include <string_view>

#include "tasks/longbench/profile.h"
#include "tasks/longbench/prompt.h"
#include "tasks/task.h"

namespace elastic::tasks {

struct LongbenchPrompt {
  std::string_view text;  // the filled template
  std::string_view task;  // named in errors
  bool wrap = true;       // false: the set is never put in a chat template
  CutRule cut = CutRule::kTwoParts;
  std::int64_t budget = 0;        // answer tokens
  std::int64_t model_length = 0;  // the profile's length for this model; 0: none
};

/// Text, ids, truncation account and steps. Throws kInvalidArgument where nothing of the prompt can
/// be kept, or where an instruction-tuned model has no template
/// and --no-chat-template is not given.
Prompt make_longbench_prompt(const LongbenchPrompt& request, const PromptContext& context);

}  // namespace elastic::tasks
