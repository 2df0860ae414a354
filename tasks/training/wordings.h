#pragma once

// What the synthetic training text says: the wording of profile `ruler@builtin`, read from its
// prompt pack, wordings of our own, and sentences of random words. A context part begins with a
// blank, so texts in front of it end without one.
//
//   const NeedleWording wording = builtin_wordings().needle;
//   fill_fields(wording.needle, {{"key", key}, {"value", value}});

#include <string>
#include <string_view>
#include <vector>

#include "tasks/training/mix_random.h"

namespace elastic::tasks {

struct NeedleWording {
  std::string instruction;
  std::string needle;           // fields key, value; begins with a blank
  std::string question, many;   // field query: one value asked, several; answer prefix included
  std::string key_separator;    // between the keys of a question
  std::string line_end = "\n";  // between the lines of a haystack of needles
};

struct ChainWording {
  std::string instruction, question;  // field query
  std::string first_link, link;       // fields name and value, name and previous
};

struct ListWording {  // common and frequent words
  std::string instruction, question;
};

struct BuiltinWordings {
  NeedleWording needle;
  ChainWording chain;
  ListWording common, frequent;
  std::string noise;               // begins with a blank
  std::string stop;                // ends every answer
  std::int64_t examples_from = 0;  // tokens
};

/// Throws kCorrupt where the pack's texts do not fit the pieces that documents are built from.
const BuiltinWordings& builtin_wordings();

/// Answers a question for what the document lacks, in every wording.
inline constexpr std::string_view kAbsentAnswer = " none.";

inline constexpr int kOwnNeedles = 5;
inline constexpr int kOwnQuestions = 3;

// Drawn wordings of our own.
NeedleWording own_needle_wording(MixRandom& random);
NeedleWording recent_wording(MixRandom& random);
ChainWording own_chain_wording(MixRandom& random);
ListWording own_frequent_wording(MixRandom& random);
const std::vector<std::string>& stock_sentences();  // each begins with a blank

/// Needles and questions of random words.
NeedleWording random_needle_wording(MixRandom& random, const std::vector<std::string>& words);

}  // namespace elastic::tasks
