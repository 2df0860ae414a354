#include "tasks/training/wordings.h"

#include <array>

#include <fmt/format.h>

#include "base/error.h"
#include "base/text.h"
#include "tasks/ruler/builtin_pack.h"
#include "tasks/ruler/prompt_pack.h"

namespace elastic::tasks {
namespace {

constexpr std::string_view kContext = "{context}";

struct SplitTemplate {
  std::string before, after;
};

// The text around the context; a blank in front of it goes to the context's first part.
SplitTemplate split_template(const std::string& prompt, const std::string& answer_prefix) {
  const std::size_t at = prompt.find(kContext);
  if (at == std::string::npos || at == 0) {
    throw Error(ErrorKind::kCorrupt,
                "built-in prompt pack: a template without text before "
                "{context}");
  }
  SplitTemplate parts{.before = prompt.substr(0, at),
                      .after = prompt.substr(at + kContext.size()) + answer_prefix};
  if (parts.before.back() == ' ') parts.before.pop_back();
  return parts;
}

// Separators end in the blank that a context part begins with.
std::string without_blank(const std::string& separator) {
  if (separator.empty() || separator.back() != ' ') {
    throw Error(ErrorKind::kCorrupt, "built-in prompt pack: a separator does not end in a blank");
  }
  return separator.substr(0, separator.size() - 1);
}

BuiltinWordings read_builtin() {
  const PromptPack pack = parse_prompt_pack(builtin_prompt_pack(), "built-in prompt pack");
  const TaskTexts& niah = pack.tasks.at("niah");
  const SplitTemplate one = split_template(niah.prompt_one, niah.answer_prefix_one);
  const SplitTemplate many = split_template(niah.prompt, niah.answer_prefix);
  const TaskTexts& tracking = pack.tasks.at("variable_tracking");
  const SplitTemplate chain = split_template(tracking.prompt, tracking.answer_prefix);
  const auto list = [&](const char* task) {
    const TaskTexts& texts = pack.tasks.at(task);
    const SplitTemplate parts = split_template(texts.prompt, texts.answer_prefix);
    return ListWording{.instruction = parts.before, .question = parts.after};
  };
  without_blank(pack.noise_separator);
  return {.needle = {.instruction = one.before,
                     .needle = " " + pack.needle,
                     .question = one.after,
                     .many = many.after,
                     .key_separator = pack.query_separator,
                     .line_end = without_blank(pack.needle_separator)},
          .chain = {.instruction = chain.before,
                    .question = chain.after,
                    .first_link = " " + pack.first_link,
                    .link = " " + pack.link},
          .common = list("common_words_extraction"),
          .frequent = list("freq_words_extraction"),
          .noise = " " + pack.noise,
          .stop = pack.stop,
          .examples_from = pack.examples_from};
}

constexpr std::array<const char*, 4> kInstructions = {
    "Values are attached to names somewhere in this text. Keep them in mind.",
    "Read all of the text below and remember each name with its value.",
    "Some lines of what follows give a name and what belongs to it.",
    "Here comes a long text. Later you will be asked about names in it."};
constexpr std::array<const char*, kOwnNeedles> kNeedles = {
    " The locker code of {key} was set to {value}.",
    " Please note that {key} carries the tag {value}.",
    " In the ledger, {key} stands beside {value}.", " A clerk wrote that {key} opens with {value}.",
    " Record: {key} has value {value}."};
struct Question {
  const char* one;
  const char* many;
};
constexpr std::array<Question, kOwnQuestions> kQuestions = {{
    {"\nQuestion: which value belongs to {query}? Answer: the value of {query} is",
     "\nQuestion: which values belong to {query}? Answer: the values of {query} are"},
    {"\nNow tell me what was recorded for {query}. For {query} the record says",
     "\nNow list everything recorded for {query}. For {query} the records say"},
    {"\nWhat was noted about {query}? The note about {query} says",
     "\nWhat was noted about {query}? The notes about {query} say"},
}};
constexpr std::array<const char*, 3> kChainInstructions = {
    "Follow how the variables pass their value on through the text.",
    "Keep track of what each variable of this text holds.",
    "Variables are set and copied in the text below."};
constexpr std::array<const char*, 3> kChainQuestions = {
    "\nQuestion: which variables hold the value {query}? Answer: the variables that hold {query} "
    "are",
    "\nNow name all variables that came to hold {query}. The value {query} is held by",
    "\nWhere did {query} end up? The variables with {query} are"};
constexpr std::array<const char*, 2> kRecentInstructions = {
    "Nothing but the closing lines matters here. Answer from the end of the text.",
    "Skip through the text; only its last lines are asked about."};
constexpr std::array<const char*, 2> kFrequentInstructions = {
    "Get a feeling for the word that keeps coming back in this stream.",
    "One word of this stream comes far more often than the others."};
constexpr std::array<const char*, 2> kFrequentQuestions = {
    "\nQuestion: which word comes back most often? Answer: the word",
    "\nNow say the word that came most often. It was"};

}  // namespace

const BuiltinWordings& builtin_wordings() {
  static const BuiltinWordings kWordings = read_builtin();
  return kWordings;
}

NeedleWording own_needle_wording(MixRandom& random) {
  const Question& question = random.pick(kQuestions);
  return {.instruction = random.pick(kInstructions),
          .needle = random.pick(kNeedles),
          .question = question.one,
          .many = question.many,
          .key_separator = ","};
}

NeedleWording recent_wording(MixRandom& random) {
  NeedleWording wording = own_needle_wording(random);
  wording.instruction = random.pick(kRecentInstructions);
  return wording;
}

ChainWording own_chain_wording(MixRandom& random) {
  return {.instruction = random.pick(kChainInstructions),
          .question = random.pick(kChainQuestions),
          .first_link = " VAR {name} = {value}.",
          .link = " VAR {name} = VAR {previous}."};
}

ListWording own_frequent_wording(MixRandom& random) {
  return {.instruction = random.pick(kFrequentInstructions),
          .question = random.pick(kFrequentQuestions)};
}

NeedleWording random_needle_wording(MixRandom& random, const std::vector<std::string>& words) {
  const auto some = [&](std::int64_t low, std::int64_t high) {
    std::string text;
    for (std::int64_t i = random.between(low, high); i > 0; --i) {
      (text += ' ') += random.pick(words);
    }
    return text;
  };
  const std::string link = some(1, 3);
  const std::string asked =
      "\n" + some(1, 4).substr(1) + " {query}?" + some(1, 2) + " {query}" + link;
  return {.instruction = some(4, 12).substr(1) + ".",
          .needle = some(0, 3) + " {key}" + link + " {value}.",
          .question = asked,
          .many = asked,
          .key_separator = ","};
}

const std::vector<std::string>& stock_sentences() {
  static const std::vector<std::string> kSentences = {
      " The mill turns slowly.",      " A dog sleeps by the door.", " Snow lies on the hill.",
      " The boat is back.",           " Bread is on the table.",    " They walk along the river.",
      " A lamp burns in the window.", " The road goes on.",         " Nobody says a word.",
      " The bell rings at noon.",     " A bird sits on the fence.", " The wind is cold today.",
      " Children play in the yard.",  " The train leaves at six.",  " Apples fall from the tree.",
      " The old house stands empty."};
  return kSentences;
}

}  // namespace elastic::tasks
