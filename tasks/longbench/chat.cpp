#include "tasks/longbench/chat.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/error.h"
#include "base/unicode.h"
#include "tasks/chat_wrapper.h"

namespace elastic::tasks {
namespace {

constexpr int kAttempts = 4;  // a text that was cut and encoded again may be a few tokens longer

bool instruction_tuned(const std::string& model) {
  const std::string name = lower_case(model);
  return name.find("instruct") != std::string::npos || name.find("chat") != std::string::npos;
}

bool wraps(const LongbenchPrompt& request, const PromptContext& context) {
  if (!request.wrap || !context.chat_template) return false;
  if (context.chat != nullptr) return true;
  if (instruction_tuned(context.model)) {
    throw Error(ErrorKind::kInvalidArgument,
                fmt::format("{}: the model {} is called instruction-tuned and has no chat "
                            "template; copy its tokenizer_config.json or chat_template.jinja, or "
                            "give --no-chat-template",
                            request.task, context.model));
  }
  return false;
}

Ids encode_once(const PromptContext& context, std::string_view text) {
  return context.official_bos ? context.tokenizer->encode(text)
                              : engine::encode_single_bos(*context.tokenizer, text);
}

std::int64_t size_of(const Ids& ids) { return static_cast<std::int64_t>(ids.size()); }

class Maker {
 public:
  Maker(const LongbenchPrompt& request, const PromptContext& context)
      : request_(request), context_(context), wrapped_(wraps(request, context)) {
    if (wrapped_) {
      wrapper_ = chat_wrapper(*context.chat, context.thinking);
      overhead_ = size_of(encode_once(context, wrapper_.before)) +
                  size_of(context.tokenizer->encode(wrapper_.after, false));
    }
  }

  Prompt make() {
    budget_ = context_.max_new_tokens.value_or(request_.budget);
    std::int64_t limit = prompt_limit();
    Prompt prompt = request_.cut == CutRule::kExact ? exact(limit) : decoded(limit);
    // Where the window is the limit, the finished prompt must lie within it.
    const std::int64_t room = context_.window - budget_;
    for (int i = 0; i < kAttempts && window_decides() && size_of(prompt.ids) > room; ++i) {
      limit = std::max<std::int64_t>(1, limit - (size_of(prompt.ids) - room));
      prompt = decoded(limit);
    }
    prompt.max_new_tokens = request_.budget;
    add_steps(prompt, limit);
    return prompt;
  }

 private:
  // Neither the user nor the model table gives a length, and cuts are not exact anyway.
  bool window_decides() const {
    return request_.cut != CutRule::kExact && !context_.exact_length &&
           request_.model_length == 0 && context_.window > 0;
  }

  std::int64_t prompt_limit() const {
    if (context_.exact_length) {
      return request_.cut == CutRule::kExact ? context_.max_length - overhead_
                                             : context_.max_length;
    }
    if (request_.model_length > 0) return request_.model_length;
    if (context_.window <= 0) return 0;
    const std::int64_t left = context_.window - budget_ - overhead_;
    if (left < 1) {
      throw Error(ErrorKind::kInvalidArgument,
                  fmt::format("{}: the chat template and the answer budget of {} tokens leave no "
                              "room for a prompt",
                              request_.task, budget_));
    }
    return left;
  }

  Prompt decoded(std::int64_t limit) const {
    const TokenCoder coder = coder_of(*context_.tokenizer);
    MiddleCut cut;
    if (limit <= 0) {
      cut.text = request_.text;
      cut.tokens = cut.kept_tokens = size_of(coder.encode(request_.text));
    } else {
      cut = request_.cut == CutRule::kJoined ? cut_middle_v2(coder, request_.text, limit)
                                             : cut_middle(coder, request_.text, limit);
    }
    Prompt prompt;
    prompt.text = wrapped_ ? in_chat_template(*context_.chat, cut.text, context_.thinking)
                           : std::move(cut.text);
    prompt.ids = encode_once(context_, prompt.text);
    prompt.truncated_tokens = cut.tokens - cut.kept_tokens;
    return prompt;
  }

  // The ids of the whole prompt with its middle left out: nothing is decoded on the way.
  Prompt exact(std::int64_t limit) const {
    const engine::Tokenizer& tokenizer = *context_.tokenizer;
    const Ids whole =
        wrapped_ ? tokenizer.encode(request_.text, false) : encode_once(context_, request_.text);
    if (context_.exact_length && limit < 1) {
      throw Error(ErrorKind::kInvalidArgument,
                  fmt::format("{}: a length of {} tokens leaves nothing beside the chat template's "
                              "{}",
                              request_.task, context_.max_length, overhead_));
    }
    const Ids kept = limit > 0 ? join_middle(whole, limit) : whole;
    Prompt prompt;
    prompt.truncated_tokens = size_of(whole) - size_of(kept);
    if (wrapped_) {
      prompt.ids = encode_once(context_, wrapper_.before);
      prompt.ids.insert(prompt.ids.end(), kept.begin(), kept.end());
      const Ids after = tokenizer.encode(wrapper_.after, false);
      prompt.ids.insert(prompt.ids.end(), after.begin(), after.end());
    } else {
      prompt.ids = kept;
    }
    const std::string middle =
        prompt.truncated_tokens == 0
            ? std::string(request_.text)
            : tokenizer.decode(kept, {.skip_special = true, .clean_up_spaces = {}});
    prompt.text = wrapper_.before + middle + wrapper_.after;
    return prompt;
  }

  void add_steps(Prompt& prompt, std::int64_t limit) const {
    prompt.steps.emplace_back(
        "truncation",
        prompt.truncated_tokens == 0
            ? fmt::format("none needed (limit {})", limit > 0 ? std::to_string(limit) : "none")
            : fmt::format("{}: {} tokens left out, limit {}", to_string(request_.cut),
                          prompt.truncated_tokens, limit));
    const std::string without = !request_.wrap            ? "none: this set is asked without one"
                                : !context_.chat_template ? "none: --no-chat-template"
                                                          : "none: the checkpoint has none";
    prompt.steps.emplace_back(
        "chat template", wrapped_ ? fmt::format("{}, sha256 {}, {} tokens", context_.chat->source(),
                                                context_.chat->sha256().substr(0, 12), overhead_)
                                  : without);
    const auto bos = context_.tokenizer->bos_id();
    const auto leading =
        static_cast<std::int64_t>(bos ? std::find_if(prompt.ids.begin(), prompt.ids.end(),
                                                     [&](std::int32_t id) { return id != *bos; }) -
                                            prompt.ids.begin()
                                      : 0);
    prompt.steps.emplace_back(
        "bos", fmt::format("{} at the beginning, {}", leading,
                           context_.official_bos ? "as the official code has it" : "single"));
  }

  const LongbenchPrompt& request_;
  const PromptContext& context_;
  bool wrapped_;
  ChatWrapper wrapper_;
  std::int64_t overhead_ = 0;  // tokens of the template
  std::int64_t budget_ = 0;    // tokens of the answer
};

}  // namespace

Prompt make_longbench_prompt(const LongbenchPrompt& request, const PromptContext& context) {
  check(context.tokenizer != nullptr, "a prompt needs a tokenizer");
  return Maker(request, context).make();
}

}  // namespace elastic::tasks
