// LongBench exactly: where rows are looked for and what is said about bad ones, samples of the
// second version, what wraps training text, templates and their refusals.

#include <gtest/gtest.h>

#include <fmt/format.h>

#include <functional>

#include "base/error.h"
#include "base/file.h"
#include "base/text.h"
#include "datasets/catalog.h"
#include "tasks/longbench/prompt.h"
#include "tasks/longbench/rows.h"
#include "tasks/registry.h"
#include "tasks/training/task_wrapping.h"
#include "tests/testing/folders.h"
#include "tests/testing/zip_writer.h"

namespace elastic::tasks {
namespace {

namespace fs = std::filesystem;

class LongbenchRules : public ::testing::Test {
 protected:
  void write(const fs::path& name, const std::string& bytes) const {
    create_folders((folder_.path() / name).parent_path());
    write_file_atomic(folder_.path() / name, bytes);
  }

  // What `act` says, or why not, without the folder of the test.
  std::string said(const std::function<std::string()>& act) const {
    std::string text;
    try {
      text = act();
    } catch (const Error& error) {
      text = fmt::format("{} {}", static_cast<int>(error.kind()), error.what());
    }
    for (const char* data : {"longbench/data", "longbench_v2/data"}) {
      text = replace_all(text, datasets::missing_data(data), "MISSING");
    }
    return replace_all(text, folder_.path().string(), "ROOT") + "\n";
  }

  // Where the rows of trec lie, and how many the first `limit` are: counted, and read.
  std::string rows(std::int64_t limit = 0) const {
    return said([&] {
      const RowSource source = find_longbench_rows(folder_.path(), "trec");
      const std::vector<Json> read = read_longbench_rows(source, limit);
      return fmt::format("{} {} {} {}", source.name, count_longbench_rows(source, limit),
                         read.size(), read.back().at("input").dump());
    });
  }

  std::vector<Sample> load_v2() const {
    return make_task("longbench_v2")
        ->load({.profile = "longbench-v2@builtin",
                .data_dir = folder_.path(),
                .cache_dir = {},
                .tokenizer = nullptr});
  }

  const testing::TemporaryFolder folder_;
};

std::string row(std::string_view input, std::string_view more = "") {
  return fmt::format(R"({{"input": "{}", "context": "c", "answers": ["a"]{}}})", input, more) +
         "\n";
}

TEST_F(LongbenchRules, RowsAreLookedForInOrder) {
  std::string all = "\n" + rows();
  write("longbench/rows/trec.txt", row("text"));
  write("longbench/rows/trec2.a.jsonl", row("another set"));
  all += rows();
  for (const char* name : {"derived_rows/trec.jsonl", "rows/trec.b.jsonl", "rows/trec.a.jsonl",
                           "rows/trec.c.jsonl", "rows/trec.jsonl"}) {
    write(fs::path("longbench") / name, row(name));
    all += rows();
  }
  testing::write_zip(folder_ / "longbench/data.zip",
                     {{"data/trec.jsonl", "\n" + row("one") + " \n" + row("two") + row("three")}});
  for (const std::int64_t limit : {-1, 0, 1, 2, 3, 4}) all += rows(limit);
  EXPECT_EQ(all, R"(
1 no rows of trec under ROOT/longbench (data.zip, rows/trec.jsonl or derived_rows/trec.jsonl): MISSING
1 no rows of trec under ROOT/longbench (data.zip, rows/trec.jsonl or derived_rows/trec.jsonl): MISSING
longbench/derived_rows/trec.jsonl 1 1 "derived_rows/trec.jsonl"
longbench/rows/trec.b.jsonl 1 1 "rows/trec.b.jsonl"
longbench/rows/trec.a.jsonl 1 1 "rows/trec.a.jsonl"
longbench/rows/trec.a.jsonl 1 1 "rows/trec.a.jsonl"
longbench/rows/trec.jsonl 1 1 "rows/trec.jsonl"
longbench/data.zip 3 3 "three"
longbench/data.zip 3 3 "three"
longbench/data.zip 1 1 "one"
longbench/data.zip 2 2 "two"
longbench/data.zip 3 3 "three"
longbench/data.zip 3 3 "three"
)");
}

TEST_F(LongbenchRules, BadRowsAreNamedByFileAndLine) {
  const std::string bad[] = {
      "",
      "\n\n" + row("i", R"(, "all_classes": null)") + row("i", R"(, "all_classes": ["c"])"),
      row("i") + "\n" + row("i", R"(, "all_classes": "c")"),
      "[1]\n",
      row("i") + R"({"input": 1, "context": "c", "answers": []})",
      R"({"input": "i", "context": "c", "answers": "a"})",
      R"({"input": "i", "context": "c", "answers": ["a", 1]})",
      R"({"input": "i", "answers": ["a"]})",
  };
  std::string all = "\n";
  for (const std::string& bytes : bad) {
    write("longbench/rows/trec.jsonl", bytes);
    all += rows();
  }
  for (const std::string& bytes : bad) {
    fs::remove(folder_ / "longbench/data.zip");
    testing::write_zip(folder_ / "longbench/data.zip", {{"data/trec.jsonl", bytes}});
    all += rows();
  }
  EXPECT_EQ(all, R"(
2 longbench/rows/trec.jsonl: holds no rows
longbench/rows/trec.jsonl 2 2 "i"
2 ROOT/longbench/rows/trec.jsonl, line 3: key `all_classes` is neither null nor a list
2 ROOT/longbench/rows/trec.jsonl, line 1: expected a JSON object
2 ROOT/longbench/rows/trec.jsonl, line 2: key `input` is 1, expected a string
2 ROOT/longbench/rows/trec.jsonl, line 1: key `answers` is no list of texts
2 ROOT/longbench/rows/trec.jsonl, line 1: key `answers` is no list of texts
2 ROOT/longbench/rows/trec.jsonl, line 1: key `context` is missing
2 longbench/data.zip: holds no rows
longbench/data.zip 2 2 "i"
2 longbench/data.zip, data/trec.jsonl, line 3: key `all_classes` is neither null nor a list
2 longbench/data.zip, data/trec.jsonl, line 1: expected a JSON object
2 longbench/data.zip, data/trec.jsonl, line 2: key `input` is 1, expected a string
2 longbench/data.zip, data/trec.jsonl, line 1: key `answers` is no list of texts
2 longbench/data.zip, data/trec.jsonl, line 1: key `answers` is no list of texts
2 longbench/data.zip, data/trec.jsonl, line 1: key `context` is missing
)");
}

TEST_F(LongbenchRules, FilesOfTheSecondVersionComeByName) {
  const auto files = [&] {
    return said([&] {
      std::string names;
      for (const fs::path& file : find_v2_rows(folder_.path())) names += "<" + file.string() + ">";
      return names;
    });
  };
  std::string all = "\n" + files();
  write("longbench_v2/a.json", "");
  write("longbench_v2/c.jsonl", "");
  write("longbench_v2/b.jsonl", "");
  all += files();
  write("longbench_v2/data.json", "");
  all += files();
  EXPECT_EQ(all, R"(
1 ROOT/longbench_v2/data.json: MISSING
<ROOT/longbench_v2/b.jsonl><ROOT/longbench_v2/c.jsonl>
<ROOT/longbench_v2/data.json>
)");
}

std::string choice(const std::string& changes = "{}") {
  Json row = {{"_id", "1"},        {"domain", "d"},   {"sub_domain", "s"}, {"difficulty", "easy"},
              {"length", "short"}, {"question", "q"}, {"choice_A", "a"},   {"choice_B", "b"},
              {"choice_C", "c"},   {"choice_D", "e"}, {"answer", "A"},     {"context", " ctx "}};
  row.merge_patch(parse_json(changes, "changes"));  // null takes a key out
  return dump_line(row) + "\n";
}

TEST_F(LongbenchRules, SamplesOfTheSecondVersionNameTheirContextByHash) {
  write("longbench_v2/a.jsonl",
        choice() + choice(R"({"_id": null, "answer": "D"})") + choice(R"({"_id": null})"));
  std::string all = "\n";
  for (const Sample& s : load_v2()) {
    all += fmt::format("{} {} {}", s.index, join(s.references, ","), s.input);
    for (const auto& [key, value] : s.strata) all += fmt::format(" {}={}", key, value);
    all += "\n";
  }
  EXPECT_EQ(all, R"(
0 A {"_id":"1","domain":"d","sub_domain":"s","difficulty":"easy","length":"short","question":"q","choice_A":"a","choice_B":"b","choice_C":"c","choice_D":"e","answer":"A","context":"33d2908f1fb833f8a5ee0758ad339ff945c38455ee6a058edac6a6dd2662a595"} difficulty=easy document=33d2908f1fb8 domain=d length=short sub_domain=s
1 D {"domain":"d","sub_domain":"s","difficulty":"easy","length":"short","question":"q","choice_A":"a","choice_B":"b","choice_C":"c","choice_D":"e","answer":"D","context":"33d2908f1fb833f8a5ee0758ad339ff945c38455ee6a058edac6a6dd2662a595"} difficulty=easy document=33d2908f1fb8 domain=d length=short sub_domain=s
2 A {"domain":"d","sub_domain":"s","difficulty":"easy","length":"short","question":"q","choice_A":"a","choice_B":"b","choice_C":"c","choice_D":"e","answer":"A","context":"33d2908f1fb833f8a5ee0758ad339ff945c38455ee6a058edac6a6dd2662a595"} difficulty=easy document=33d2908f1fb8 domain=d length=short sub_domain=s
)");
}

TEST_F(LongbenchRules, BadRowsOfTheSecondVersionAreNamed) {
  std::string all = "\n";
  for (const char* changes :
       {R"({"answer": "E"})", R"({"answer": "a"})", R"({"answer": "AB"})", R"({"answer": ""})",
        R"({"answer": null})", R"({"question": null})", R"({"choice_D": 3})",
        R"({"context": null})", R"({"difficulty": null})", R"({"sub_domain": null})",
        R"({"_id": "0"})"}) {
    write("longbench_v2/data.json", "[" + choice(R"({"_id": "0"})") + "," + choice(changes) + "]");
    all += said([&] { return fmt::format("{}", load_v2().size()); });
  }
  write("longbench_v2/data.json", "[]");
  all += said([&] { return fmt::format("{}", load_v2().size()); });
  EXPECT_EQ(all, R"(
2 ROOT/longbench_v2/data.json, row 1: key `answer` is `E`, expected A, B, C or D
2 ROOT/longbench_v2/data.json, row 1: key `answer` is `a`, expected A, B, C or D
2 ROOT/longbench_v2/data.json, row 1: key `answer` is `AB`, expected A, B, C or D
2 ROOT/longbench_v2/data.json, row 1: key `answer` is ``, expected A, B, C or D
2 ROOT/longbench_v2/data.json, row 1: key `answer` is missing
2 ROOT/longbench_v2/data.json, row 1: key `question` is missing
2 ROOT/longbench_v2/data.json, row 1: key `choice_D` is 3, expected a string
2 ROOT/longbench_v2/data.json, row 1: key `context` is missing
2 ROOT/longbench_v2/data.json, row 1: key `difficulty` is missing
2 ROOT/longbench_v2/data.json, row 1: key `sub_domain` is missing
2 ROOT/longbench_v2/data.json, row 1: `_id` "0" is also that of ROOT/longbench_v2/data.json, row 0
2 longbench_v2: the data hold no rows
)");
}

TEST_F(LongbenchRules, ALetterIsRightWhereItIsTheFirstReference) {
  const auto task = make_task("longbench_v2");
  const auto score = [&](std::vector<std::string> references, std::string_view prediction) {
    return task->score({.references = std::move(references)}, prediction);
  };
  EXPECT_EQ(score({"A"}, "The correct answer is (A)"), 1);
  EXPECT_EQ(score({"A", "B"}, "The correct answer is (A)"), 1);
  EXPECT_EQ(score({"B", "A"}, "The correct answer is (A)"), 0);
  EXPECT_EQ(score({"AB"}, "The correct answer is (A)"), 0);
  EXPECT_EQ(score({"A"}, "A"), 0);
  EXPECT_EQ(score({}, "The correct answer is (A)"), 0);
  EXPECT_EQ(score({}, ""), 0);
}

TEST_F(LongbenchRules, AnEmptyReasoningIsNoQuestion) {
  write("longbench_v2/data.json", "[" + choice() + "]");
  for (const char* name :
       {"model2maxlen.json", "prompts/0shot_cot.txt", "prompts/0shot_cot_ans.txt"})
    write(fs::path("longbench_config/v2") / name, "{}");
  const auto task = make_task("longbench_v2");
  const auto samples = task->load({.profile = "longbench-v2-cot", .data_dir = folder_.path()});
  EXPECT_EQ(said([&] {
              task->follow_up(samples[0], {.profile = "longbench-v2-cot"}, "");
              return std::string("no error");
            }),
            "0 the reasoning is empty; the official code drops such a question\n");
}

TEST_F(LongbenchRules, WhatWrapsTrainingTextIsCutFromPrompts) {
  const std::pair<std::string, std::string> prompts[] = {
      {" One. \n{context}\n\nTwo:", "Go on. \n{context}"},
      {"One. Two.", "Go."},
      {"One {x}.\n\nTwo", "Go"},
      {"One\n\nTwo {x}", "Go"},
      {"One\n\nTwo", "{Go"},
      {"One\n\n{context}\n\n", ""},
  };
  std::string all = "\n";
  const auto told = [&](const fs::path& data_dir) {
    all += said([&] {
      std::string text;
      for (const auto& [task, w] : task_wrappings("longbench-official", data_dir)) {
        text += fmt::format(" {} [{}][{}]", task, w.before, w.behind);
      }
      return replace_all(text, "\n", "/");
    });
  };
  const auto config = [&](int i, const Json& json) {
    const fs::path data = std::to_string(i);  // a profile is read once for a folder
    write(data / "longbench_config/v1/dataset2maxlen.json", "{}");
    write(data / "longbench_config/v1/model2maxlen.json", "{}");
    write(data / "longbench_config/v1/dataset2prompt.json", json.dump());
    told(folder_.path() / data);
  };
  int i = 0;
  for (const auto& [news, code] : prompts) config(i++, {{"multi_news", news}, {"lcc", code}});
  config(i++, {{"multi_news", "a"}});
  config(i++, {{"lcc", "a"}});
  EXPECT_EQ(all, R"(
 Code [Go on.][] Summarization [One.][//Two:]
 Code [Go.][] Summarization [One. Two.][]
2 profile longbench-official: the prompts of multi_news and lcc must begin with a line, and multi_news end with a paragraph, without a field; found `One {x}.`
2 profile longbench-official: the prompts of multi_news and lcc must begin with a line, and multi_news end with a paragraph, without a field; found `

Two {x}`
2 profile longbench-official: the prompts of multi_news and lcc must begin with a line, and multi_news end with a paragraph, without a field; found `{Go`
 Code [][] Summarization [One][//]
2 profile longbench-official: no prompt for the set lcc
2 profile longbench-official: no prompt for the set multi_news
)");
}

TEST_F(LongbenchRules, TemplatesAreFilledOrRefused) {
  const Json row = {{"a", "{b}"}, {"n", -3}, {"x", 1.5}, {"l", Json::array()}};
  std::string all = "\n";
  for (const char* format :
       {"",   "{a}", "{a}{n}|{a}", "{{a}}",  "}}{{",  "{{{a}}}", "a{",  "}",   "a}b", "{",
        "{a", "{}",  "{a.b}",      "{a[0]}", "{a!r}", "{n:3}",   "{m}", "{x}", "{l}", "{{a}"}) {
    all += said([&] { return fill_template(format, row); });
  }
  EXPECT_EQ(all, R"(

{b}
{b}-3|{b}
{a}
}{
{{b}}
2 prompt template: a `{` without its `}`
2 prompt template: a `}` without its `{`
2 prompt template: a `}` without its `{`
2 prompt template: a `{` without its `}`
2 prompt template: a `{` without its `}`
2 prompt template: a field without a name
2 prompt template: field `a.b` uses syntax that prompts do not have
2 prompt template: field `a[0]` uses syntax that prompts do not have
2 prompt template: field `a!r` uses syntax that prompts do not have
2 prompt template: field `n:3` uses syntax that prompts do not have
2 prompt template: the row has no field `m`
2 prompt template: field `x` is neither a text nor an integer
2 prompt template: field `l` is neither a text nor an integer
2 prompt template: a `}` without its `{`
)");
}

}  // namespace
}  // namespace elastic::tasks
