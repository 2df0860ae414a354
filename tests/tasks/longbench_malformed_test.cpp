// Files that are not what LongBench's readers expect: each is an error that names file and key,
// none a crash.

#include <gtest/gtest.h>

#include "base/error.h"
#include "base/file.h"
#include "datasets/chinese_words.h"
#include "datasets/object_stream.h"
#include "tasks/longbench/profile.h"
#include "tasks/longbench/rows.h"
#include "tasks/scoring/evaluate.h"
#include "tasks/scoring/v2_scores.h"
#include "tests/testing/folders.h"
#include "tests/testing/zip_writer.h"

namespace elastic::tasks {
namespace {

namespace fs = std::filesystem;

struct Case {
  std::string_view bytes;
  std::string_view says;  // part of the error
};

template <typename Read>
void expect_errors(std::span<const Case> cases, const fs::path& file, Read read) {
  for (const Case& c : cases) {
    write_file_atomic(file, c.bytes);
    try {
      read(file);
      ADD_FAILURE() << "no error for: " << c.bytes;
    } catch (const Error& error) {
      EXPECT_NE(std::string_view(error.what()).find(c.says), std::string_view::npos)
          << c.bytes << ": " << error.what();
    }
  }
}

TEST(LongbenchMalformed, Predictions) {
  const Case cases[] = {
      {"", "the file is empty"},
      {"\n\n", "the file is empty"},
      {"[]\n", "expected a JSON object"},
      {"{\n", "not valid JSON"},
      {"{\"pred\": \"a\"", "cut off"},
      {"{}\n", "key `pred` is missing"},
      {"{\"pred\": 1, \"answers\": [], \"all_classes\": null}\n", "key `pred` is no text"},
      {"{\"pred\": \"a\", \"all_classes\": null}\n", "key `answers` is missing"},
      {"{\"pred\": \"a\", \"answers\": \"b\", \"all_classes\": null}\n",
       "key `answers` is no list"},
      {"{\"pred\": \"a\", \"answers\": [1], \"all_classes\": null}\n", "no text"},
      {"{\"pred\": \"a\", \"answers\": []}\n", "key `all_classes` is missing"},
      {"{\"pred\": \"a\", \"answers\": [], \"all_classes\": 3}\n", "key `all_classes` is no list"},
      {"{\"pred\": \"a\", \"answers\": [], \"all_classes\": [2]}\n", "no text"},
      {"{\"pred\": \"a\", \"answers\": [], \"all_classes\": null, \"length\": \"x\"}\n",
       "key `length` is no number"},
      {"{\"pred\": \"\xff\", \"answers\": [], \"all_classes\": null}\n", "not valid JSON"},
  };
  const testing::TemporaryFolder folder;
  expect_errors(cases, folder / "qasper.jsonl", [](const fs::path& file) {
    evaluate_longbench_file({file, "qasper"}, {});
  });
}

TEST(LongbenchMalformed, PredictionsThatASetCannotScore) {
  const testing::TemporaryFolder folder;
  const Case null_classes[] = {
      {"{\"pred\": \"a\", \"answers\": [\"b\"], \"all_classes\": null}\n", "all_classes"}};
  expect_errors(null_classes, folder / "trec.jsonl", [](const fs::path& file) {
    evaluate_longbench_file({file, "trec"}, {});
  });
  const Case no_paragraph[] = {
      {"{\"pred\": \"1\", \"answers\": [\"7\"], \"all_classes\": null}\n", "names no paragraph"}};
  expect_errors(no_paragraph, folder / "x.jsonl", [](const fs::path& file) {
    evaluate_longbench_file({file, "passage_retrieval_en"}, {});
  });
  const Case unknown[] = {{"{}\n", "LongBench set `nq`"}};
  expect_errors(unknown, folder / "nq.jsonl", [](const fs::path& file) {
    evaluate_longbench_file({file, "nq"}, {});
  });
  EXPECT_THROW(find_longbench_predictions(folder / "absent"), Error);
}

TEST(LongbenchMalformed, V2Results) {
  const Case cases[] = {
      {"", "holds no predictions"},
      {"[]", "holds no predictions"},
      {"[1]", "expected a JSON object"},
      {"[{\"difficulty\": \"easy\"}", "not valid JSON"},
      {"{\"pred\": \"A\", \"judge\": true, \"length\": \"short\"}\n",
       "key `difficulty` is missing"},
      {"{\"pred\": \"A\", \"judge\": true, \"difficulty\": \"easy\"}\n", "key `length` is missing"},
      {"{\"judge\": true, \"difficulty\": \"easy\", \"length\": \"short\"}\n", "key `pred`"},
      {"{\"pred\": 1, \"judge\": true, \"difficulty\": \"easy\", \"length\": \"short\"}\n",
       "key `pred`"},
      {"{\"pred\": null, \"difficulty\": \"easy\", \"length\": \"short\"}\n", "`judge` is missing"},
      {"{\"pred\": null, \"judge\": \"no\", \"difficulty\": \"easy\", \"length\": \"short\"}\n",
       "true or false"},
  };
  const testing::TemporaryFolder folder;
  expect_errors(cases, folder / "model.jsonl",
                [](const fs::path& file) { read_v2_predictions(file); });
}

TEST(LongbenchMalformed, Rows) {
  const Case cases[] = {
      {"", "holds no rows"},
      {"{\"context\": \"c\", \"answers\": []}\n", "key `input` is missing"},
      {"{\"input\": \"i\", \"answers\": []}\n", "key `context` is missing"},
      {"{\"input\": \"i\", \"context\": 3, \"answers\": []}\n", "key `context`"},
      {"{\"input\": \"i\", \"context\": \"c\"}\n", "key `answers`"},
      {"{\"input\": \"i\", \"context\": \"c\", \"answers\": [null]}\n", "key `answers`"},
      {"{\"input\": \"i\", \"context\": \"c\", \"answers\": [], \"all_classes\": 1}\n",
       "key `all_classes`"},
  };
  const testing::TemporaryFolder folder;
  create_folders(folder / "longbench/rows");
  expect_errors(cases, folder / "longbench/rows/trec.jsonl", [&](const fs::path&) {
    read_longbench_rows(find_longbench_rows(folder.path(), "trec"), 0);
  });
  EXPECT_THROW(find_longbench_rows(folder.path(), "qasper"), Error);
  EXPECT_THROW(find_v2_rows(folder.path()), Error);
}

TEST(LongbenchMalformed, Archive) {
  const testing::TemporaryFolder folder;
  create_folders(folder / "longbench");
  const fs::path archive = folder / "longbench/data.zip";
  const auto read = [&] { read_longbench_rows(find_longbench_rows(folder.path(), "trec"), 0); };
  write_file_atomic(archive, "PK\3\4 no archive at all");
  EXPECT_THROW(read(), Error);
  for (const char* name : {"../data/trec.jsonl", "/data/trec.jsonl", "data/../../trec.jsonl"}) {
    fs::remove(archive);
    testing::write_zip(archive, {{name, "{}\n"}, {"data/trec.jsonl", "{}\n"}});
    EXPECT_THROW(read(), Error) << name;
  }
  fs::remove(archive);
  testing::write_zip(archive, {{"data/hotpotqa.jsonl", "{}\n"}});
  EXPECT_THROW(read(), Error);  // no such member
  fs::remove(archive);
  testing::write_zip(archive,
                     {{"data/trec.jsonl",
                       "{\"input\": \"i\", \"context\": \"c\", \"answers\": [\"a\"]}\r\n\r\n"}});
  EXPECT_NO_THROW(read());
}

TEST(LongbenchMalformed, ObjectStream) {
  const Case cases[] = {
      {"x", "expected an object"},
      {"[{\"a\": 1}, 2]", "expected an object"},
      {"[{\"a\": 1}, {\"b\": ", "ends within an object"},
      {"{\"a\": \"}", "ends within an object"},
      {"null", "expected an object"},
      {"[{\"a\": 1}", "ends before the array is closed"},
      {"[{\"a\": 1},", "ends before the array is closed"},
      {"[{\"a\": 1},\n", "ends before the array is closed"},
      {"[", "ends before the array is closed"},
      {"[{\"a\": 1} {\"b\": 2}]", "byte 10: expected a comma"},
      {"[{\"a\": 1}\n{\"b\": 2}]", "expected a comma"},
      {"[{\"a\": 1},,{\"b\": 2}]", "expected an object"},
      {"[{\"a\": 1},]", "expected an object"},
      {"[,{\"a\": 1}]", "expected an object"},
      {"[{\"a\": 1}] {\"b\": 2}", "expected nothing behind the array"},
      {"[]]", "expected nothing behind the array"},
      {"{\"a\": 1}{\"b\": 2}", "expected a line end"},
      {"{\"a\": 1},\n{\"b\": 2}", "expected a line end"},
      {"{\"a\": 1}\n]", "expected an object"},
  };
  const testing::TemporaryFolder folder;
  expect_errors(cases, folder / "rows.json", [](const fs::path& file) {
    datasets::ObjectStream rows(file);
    while (rows.next()) {
    }
  });
  for (const auto& [bytes, count] : {std::pair("", 0),
                                     {" \n", 0},
                                     {"[]", 0},
                                     {"\xEF\xBB\xBF[ ]\n", 0},
                                     {"[{\"a\": \"}\"},\r\n {\"b\": 2} ]\n", 2},
                                     {"{\"a\": 1}\r\n\n{\"b\": {}}", 2}}) {
    write_file_atomic(folder / "rows.json", bytes);
    datasets::ObjectStream rows(folder / "rows.json");
    int found = 0;
    while (rows.next()) ++found;
    EXPECT_EQ(found, count) << bytes;
    EXPECT_FALSE(rows.next()) << bytes;
  }
  write_file_atomic(folder / "rows.json", "{\"a\": \"a long text\"}");
  EXPECT_THROW(datasets::ObjectStream(folder / "rows.json", 8).next(), Error);
  EXPECT_THROW(datasets::read_object(folder / "rows.json", 4, 1000), Error);
  EXPECT_THROW(datasets::ObjectStream(folder / "absent.json"), Error);
}

TEST(LongbenchMalformed, ConfigurationFiles) {
  const testing::TemporaryFolder folder;
  EXPECT_THROW(longbench_profile("longbench-official", folder.path()), Error);
  EXPECT_THROW(longbench_profile("longbench-unofficial", folder.path()), Error);
  create_folders(folder / "longbench_config/v1");
  for (const char* name : {"dataset2maxlen.json", "model2maxlen.json"}) {
    write_file_atomic(folder / "longbench_config/v1" / name, "{}");
  }
  const Case cases[] = {
      {"{\"trec\": 3}", "key `trec`"},
      {"{", "not valid JSON"},
      {"", "not valid JSON"},
  };
  expect_errors(cases, folder / "longbench_config/v1/dataset2prompt.json",
                [&](const fs::path&) { longbench_profile("longbench-official", folder.path()); });
}

TEST(LongbenchMalformed, ChineseModel) {
  const std::string_view start = "P={'B': -0.1, 'E': -3.14e+100}", trans = "P={'B': {'E': -0.5}}",
                         emit = "P={'B': {'\\u4e00': -3.6}}", words = "\u4e00\u4e8c 3 n\n";
  EXPECT_NO_THROW(datasets::parse_chinese_model({words, start, trans, emit}));
  for (const std::string_view bad : {"", "\u4e00\u4e8c\n", "\u4e00 x n\n", "\u4e00 -1 n\n"}) {
    EXPECT_THROW(datasets::parse_chinese_model({bad, start, trans, emit}), Error) << bad;
  }
  for (const std::string_view bad : {"", "P={", "P={'X': 1}", "P={'B': }", "P=['B']"}) {
    EXPECT_THROW(datasets::parse_chinese_model({words, bad, trans, emit}), Error) << bad;
  }
  EXPECT_THROW(datasets::parse_chinese_model({words, start, trans, "P={'B': {'\\uzzzz': 1}}"}),
               Error);
  const testing::TemporaryFolder folder;
  for (const char* name : {"dict.txt", "prob_start.py", "prob_trans.py", "prob_emit.py"}) {
    write_file_atomic(folder / name, words);
  }
  EXPECT_THROW(datasets::load_chinese_model(folder.path()), Error);  // other bytes than jieba's
}

}  // namespace
}  // namespace elastic::tasks
