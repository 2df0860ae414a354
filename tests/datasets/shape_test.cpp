// What passes as a data file where no hash tells: every condition of a form decides by itself.

#include <gtest/gtest.h>

#include <fmt/format.h>

#include "base/file.h"
#include "base/json.h"
#include "datasets/import.h"
#include "tests/testing/folders.h"

namespace elastic::datasets {
namespace {

std::string word_table(int count) {
  Json words = Json::object();
  for (int i = 0; i < count; ++i) words[std::to_string(i)] = "word";
  return words.dump();
}

std::string without(std::string_view json, std::string_view key) {
  Json object = parse_json(json, "row");
  object.erase(std::string(key));
  return object.dump();
}

constexpr std::string_view kQuestion =
    R"({"question": "q", "answer": "a", "context": [["t", ["s"]]]})";
constexpr std::string_view kRow = R"({"input": "i", "context": "c", "answers": ["a"]})";
constexpr std::string_view kChoice =
    R"({"question": "q", "choice_A": "a", "choice_D": "d", "context": "c", "answer": "A"})";

struct Form {
  std::string name;
  Shape shape;
  std::string bytes;
  std::string reason;  // empty: accepted
};

std::vector<Form> forms() {
  const std::string squad = "it has no list `data` with `paragraphs`";
  const std::string hotpot = "it is no list of question, answer, context";
  const std::string table = "it is no table of words by number";
  const std::string essays = "it has no string `text`";
  const std::string rows = "its lines are no LongBench rows";
  const std::string choices = "its lines are no LongBench-V2 rows";
  std::string number_first = word_table(1001);
  number_first.replace(number_first.find("\"word\""), 6, "1");
  std::vector<Form> all = {
      {"any", Shape::kAny, "\xff", ""},
      {"lines", Shape::kLines, "a\nb\n", ""},
      {"lines_empty", Shape::kLines, "", "it is not a list of lines"},
      {"lines_with_zero", Shape::kLines, std::string("a\0b", 3), "it is not a list of lines"},
      {"essays", Shape::kEssays, R"({"text": "t"})", ""},
      {"essays_list", Shape::kEssays, "[]", essays},
      {"essays_without_text", Shape::kEssays, R"({"texts": "t"})", essays},
      {"essays_number", Shape::kEssays, R"({"text": 1})", essays},
      {"essays_pack", Shape::kEssays, R"({"text": "t", "profile": "p"})", essays},
      {"squad", Shape::kSquad, R"({"data": [{"paragraphs": []}]})", ""},
      {"squad_list", Shape::kSquad, R"([{"paragraphs": []}])", squad},
      {"squad_without_data", Shape::kSquad, R"({"dat": [{"paragraphs": []}]})", squad},
      {"squad_object", Shape::kSquad, R"({"data": {"0": {"paragraphs": []}}})", squad},
      {"squad_empty", Shape::kSquad, R"({"data": []})", squad},
      {"squad_of_numbers", Shape::kSquad, R"({"data": [1]})", squad},
      {"squad_without_paragraphs", Shape::kSquad, R"({"data": [{"title": "t"}]})", squad},
      {"hotpot", Shape::kHotpot, fmt::format("[{}]", kQuestion), ""},
      {"hotpot_object", Shape::kHotpot, std::string(kQuestion), hotpot},
      {"hotpot_empty", Shape::kHotpot, "[]", hotpot},
      {"hotpot_of_numbers", Shape::kHotpot, "[1]", hotpot},
      {"hotpot_text_context", Shape::kHotpot,
       R"([{"question": "q", "answer": "a", "context": "c"}])", hotpot},
      {"word_table", Shape::kWordTable, word_table(1001), ""},
      {"word_table_short", Shape::kWordTable, word_table(1000), table},
      {"word_table_list", Shape::kWordTable, "[\"a\"]", table},
      {"word_table_of_numbers", Shape::kWordTable, number_first, table},
      {"word_table_from_one", Shape::kWordTable, without(word_table(1002), "0"), table},
      {"word_table_without_one", Shape::kWordTable, without(word_table(1002), "1"), table},
      {"rows", Shape::kRows, std::string(kRow), ""},
      {"rows_none", Shape::kRows, "", rows},
      {"rows_number", Shape::kRows, R"({"input": 1, "context": "c"})", rows},
      {"choices", Shape::kChoiceRows, std::string(kChoice), ""},
      {"no_json", Shape::kEssays, "{", "line 1"},
      {"prompt_pack", Shape::kPromptPack, "{}", "schema_version"},
  };
  for (const char* key : {"question", "answer", "context"}) {
    all.push_back({fmt::format("hotpot_without_{}", key), Shape::kHotpot,
                   fmt::format("[{}]", without(kQuestion, key)), hotpot});
  }
  for (const char* key : {"input", "context"}) {
    all.push_back({fmt::format("rows_without_{}", key), Shape::kRows, without(kRow, key), rows});
  }
  for (const char* key : {"question", "choice_A", "choice_D", "context", "answer"}) {
    all.push_back({fmt::format("choices_without_{}", key), Shape::kChoiceRows,
                   without(kChoice, key), choices});
  }
  return all;
}

TEST(Shape, EveryConditionDecidesByItself) {
  const testing::TemporaryFolder folder;
  for (const auto& [name, shape, bytes, expected] : forms()) {
    write_file_atomic(folder / "file", bytes);
    std::string reason;
    EXPECT_EQ(has_shape(folder / "file", shape, reason), expected.empty()) << name;
    EXPECT_NE(reason.find(expected), std::string::npos) << name << ": " << reason;
    EXPECT_EQ(reason.empty(), expected.empty()) << name;
  }
}

}  // namespace
}  // namespace elastic::datasets
