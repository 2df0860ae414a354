#pragma once

// Questions over a common set of documents: SQuAD 2.0, HotpotQA (distractor setting) and our own
// generated set, in the one shape that a question-answering task needs.
//
//   const QuestionSet squad = load_squad(data / "ruler/squad_dev-v2.0.json");
//   squad.documents[squad.questions[0].gold[0]]   // the paragraph that holds the answer

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace elastic::datasets {

struct Question {
  std::string text;
  std::vector<std::string> answers;  // as the source lists them, repeats kept
  std::vector<std::size_t> gold;     // documents needed for the answer
  std::vector<std::size_t> related;  // documents of the same article, gold ones left out
};

struct QuestionSet {
  std::vector<std::string> documents;  // sorted by code point, each once
  std::vector<Question> questions;     // in file order
};

/// Paragraphs and the answerable questions of a SQuAD 2.0 file. kNotFound / kCorrupt.
QuestionSet load_squad(const std::filesystem::path& file);

/// Paragraphs (title, line end, sentences) and questions of a HotpotQA
/// distractor file. kNotFound / kCorrupt.
QuestionSet load_hotpotqa(const std::filesystem::path& file);

/// Documents of our own: entries about made-up places, and questions answered by one entry
/// (`hops` = 1) or by following one entry to another (`hops` = 2). The same on every machine.
QuestionSet synthetic_questions(int hops);

}  // namespace elastic::datasets
