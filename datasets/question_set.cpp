#include "datasets/question_set.h"

#include <algorithm>
#include <string_view>

#include <fmt/format.h>
#include <simdjson.h>

#include "base/error.h"
#include "base/file.h"

namespace elastic::datasets {
namespace {

namespace dom = simdjson::dom;

void sort_documents(QuestionSet& set) {
  std::sort(set.documents.begin(), set.documents.end());
  set.documents.erase(std::unique(set.documents.begin(), set.documents.end()), set.documents.end());
}

std::size_t index_of(const QuestionSet& set, std::string_view document) {
  const auto it = std::lower_bound(set.documents.begin(), set.documents.end(), document);
  return static_cast<std::size_t>(it - set.documents.begin());
}

// The article's other paragraphs in order, `own` left out; paragraphs may repeat.
std::vector<std::size_t> others(const std::vector<std::size_t>& article, std::size_t own) {
  std::vector<std::size_t> rest;
  std::copy_if(article.begin(), article.end(), std::back_inserter(rest),
               [own](std::size_t document) { return document != own; });
  return rest;
}

void read_squad_article(dom::element article, QuestionSet& set) {
  std::vector<std::size_t> paragraphs;
  for (const dom::element paragraph : dom::array(article["paragraphs"])) {
    paragraphs.push_back(index_of(set, std::string_view(paragraph["context"])));
  }
  std::size_t position = 0;
  for (const dom::element paragraph : dom::array(article["paragraphs"])) {
    const std::size_t own = paragraphs[position++];
    for (const dom::element entry : dom::array(paragraph["qas"])) {
      bool impossible = false;
      if (entry["is_impossible"].get(impossible) == simdjson::SUCCESS && impossible) continue;
      Question question{.text = std::string(std::string_view(entry["question"])),
                        .answers = {},
                        .gold = {own},
                        .related = others(paragraphs, own)};
      for (const dom::element answer : dom::array(entry["answers"])) {
        question.answers.emplace_back(std::string_view(answer["text"]));
      }
      set.questions.push_back(std::move(question));
    }
  }
}

std::string hotpot_document(dom::element paragraph) {
  const dom::array parts(paragraph);
  std::string text(std::string_view(parts.at(0)));
  text += '\n';
  for (const dom::element sentence : dom::array(parts.at(1))) text += std::string_view(sentence);
  return text;
}

// Parses the file and runs `read` on its root, errors named.
template <typename Read>
QuestionSet read_questions(const std::filesystem::path& file, const char* schema, Read read) {
  const simdjson::padded_string text(read_file(file));
  try {
    dom::parser parser;
    QuestionSet set;
    read(dom::element(parser.parse(text)), set);
    return set;
  } catch (const simdjson::simdjson_error& error) {
    throw Error(ErrorKind::kCorrupt,
                fmt::format("{}: not a {} file: {}", file.string(), schema, error.what()));
  }
}

}  // namespace

QuestionSet load_squad(const std::filesystem::path& file) {
  return read_questions(file, "SQuAD 2.0", [](dom::element root, QuestionSet& set) {
    for (const dom::element article : dom::array(root["data"])) {
      for (const dom::element paragraph : dom::array(article["paragraphs"])) {
        set.documents.emplace_back(std::string_view(paragraph["context"]));
      }
    }
    sort_documents(set);
    for (const dom::element article : dom::array(root["data"])) read_squad_article(article, set);
  });
}

QuestionSet load_hotpotqa(const std::filesystem::path& file) {
  return read_questions(file, "HotpotQA", [](dom::element root, QuestionSet& set) {
    for (const dom::element entry : dom::array(root)) {
      for (const dom::element paragraph : dom::array(entry["context"])) {
        set.documents.push_back(hotpot_document(paragraph));
      }
    }
    sort_documents(set);
    for (const dom::element entry : dom::array(root)) {
      Question question{.text = std::string(std::string_view(entry["question"])),
                        .answers = {std::string(std::string_view(entry["answer"]))},
                        .gold = {},
                        .related = {}};
      for (const dom::element paragraph : dom::array(entry["context"])) {
        question.gold.push_back(index_of(set, hotpot_document(paragraph)));
      }
      set.questions.push_back(std::move(question));
    }
  });
}

}  // namespace elastic::datasets
