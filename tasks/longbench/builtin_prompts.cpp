// Prompts of the built-in profiles, in our own words: they ask for what the official ones ask for,
// and are another benchmark all the same, under another name.

#include "tasks/longbench/profile.h"
#include "tasks/longbench/sets.h"

namespace elastic::tasks {
namespace {

constexpr std::string_view kAsk =
    "Here is a text.\n\n{context}\n\nUse the text alone and give a short answer, without "
    "explaining it.\n\nQuestion: {input}\nShort answer:";
constexpr std::string_view kSummarise =
    "Here is a text.\n\n{context}\n\nSummarise it in one page. {input}\nSummary:";
constexpr std::string_view kContinue = "{context}\n{input}";
constexpr std::string_view kCode = "Continue this program with its next line.\n{context}{input}";
constexpr std::string_view kCount =
    "Below are numbered paragraphs, some of them several times.\n\n{context}\n\nHow many different "
    "paragraphs are there? Give the number alone.\nNumber:";
constexpr std::string_view kFind =
    "Below are numbered paragraphs.\n\n{context}\n\nOne of them is summarised here:\n{input}\n\n"
    "Which one? Answer with the word Paragraph and its number.\nAnswer:";
constexpr std::string_view kFindZh =
    "\u4ee5\u4e0b\u662f\u7f16\u53f7\u7684\u6bb5\u843d\u3002\n\n{context}\n\n"
    "\u4e0b\u9762\u7684\u6458\u8981\u5bf9\u5e94\u5176\u4e2d\u4e00\u6bb5\uff1a\n{input}\n\n"
    "\u8bf7\u56de\u7b54\u201c\u6bb5\u843d\u201d\u548c\u7f16\u53f7\u3002\n\u7b54\u6848\uff1a";
constexpr std::string_view kAskZh =
    "\u8bf7\u9605\u8bfb\u6587\u672c\u3002\n\n{context}\n\n\u53ea\u6839\u636e\u6587\u672c\u7b80"
    "\u77ed\u56de\u7b54\u3002\n\u95ee\u9898\uff1a{input}\n\u56de\u7b54\uff1a";
constexpr std::string_view kSummariseZh =
    "\u8bf7\u9605\u8bfb\u6587\u672c\u3002\n\n{context}\n\n\u8bf7\u5199\u51fa\u6458\u8981\u3002"
    "{input}\n\u6458\u8981\uff1a";

std::string_view prompt_of(const LongbenchSet& set) {
  const bool zh = set.language == "zh";
  switch (set.metric) {
    case LongbenchMetric::kCount:
      return kCount;
    case LongbenchMetric::kRetrieval:
      return kFind;
    case LongbenchMetric::kRetrievalZh:
      return kFindZh;
    case LongbenchMetric::kCodeSimilarity:
      return kCode;
    default:
      break;
  }
  if (set.first_line) return kContinue;  // the examples say what is asked
  if (set.category == "Summarization") return zh ? kSummariseZh : kSummarise;
  return zh ? kAskZh : kAsk;
}

}  // namespace

std::map<std::string, std::string> builtin_longbench_prompts() {
  std::map<std::string, std::string> prompts;
  for (const LongbenchSet& set : longbench_sets()) {
    prompts[std::string(set.name)] = std::string(prompt_of(set));
  }
  return prompts;
}

std::string builtin_v2_prompt() {
  return "Here is a text.\n\n$DOC$\n\nQuestion: $Q$\nA: $C_A$\nB: $C_B$\nC: $C_C$\nD: $C_D$\n\n"
         "One choice is right. Answer with the sentence: The correct answer is (X), with its "
         "letter for X.\nAnswer:";
}

}  // namespace elastic::tasks
