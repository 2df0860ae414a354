// Rows of LongBench and LongBench-V2 in a data folder: how many, and which are refused.

#include <gtest/gtest.h>

#include "base/error.h"
#include "base/file.h"
#include "tasks/registry.h"
#include "tests/testing/folders.h"
#include "tests/testing/zip_writer.h"

namespace elastic::tasks {
namespace {

namespace fs = std::filesystem;

std::string choice_row(std::string_view id) {
  return "{\"_id\": \"" + std::string(id) +
         R"(", "domain": "d", "sub_domain": "s", "difficulty": "easy", "length": "short", )"
         R"("question": "q", "choice_A": "a", "choice_B": "b", "choice_C": "c", "choice_D": "d", )"
         R"("answer": "A", "context": "c"})";
}

class LongbenchRows : public ::testing::Test {
 protected:
  void write(const fs::path& name, const std::string& bytes) const {
    create_folders((folder_.path() / name).parent_path());
    write_file_atomic(folder_.path() / name, bytes);
  }

  LoadRequest request(const std::string& profile, std::int64_t limit = 0) const {
    return {.profile = profile,
            .limit = limit,
            .data_dir = folder_.path(),
            .cache_dir = {},
            .tokenizer = nullptr};
  }

  // What a plan counts is what a run loads.
  void expect_count(const std::string& task, const std::string& profile, std::int64_t limit,
                    std::int64_t expected) const {
    const auto made = make_task(task);
    EXPECT_EQ(made->count(request(profile, limit)), expected);
    EXPECT_EQ(static_cast<std::int64_t>(made->load(request(profile, limit)).size()), expected);
  }

  const testing::TemporaryFolder folder_;
};

TEST_F(LongbenchRows, ArePlannedAsTheyAreLoaded) {
  const std::string row = R"({"input": "i", "context": "c", "answers": ["a"]})";
  write("longbench/derived_rows/trec.jsonl", row + "\n\n" + row + "\n" + row);
  expect_count("longbench/trec", "longbench@builtin", 0, 3);
  expect_count("longbench/trec", "longbench@builtin", 2, 2);
  expect_count("longbench/trec", "longbench@builtin", 9, 3);
  testing::write_zip(folder_ / "longbench/data.zip",
                     {{"data/trec.jsonl", row + "\n" + row + "\n"}});
  expect_count("longbench/trec", "longbench@builtin", 0, 2);
  EXPECT_THROW(make_task("longbench/qasper")->count(request("longbench@builtin")), Error);
}

TEST_F(LongbenchRows, OfTheSecondVersionArePlannedAsTheyAreLoaded) {
  write("longbench_v2/a.jsonl", choice_row("1") + "\n" + choice_row("2") + "\n");
  write("longbench_v2/b.jsonl", choice_row("3"));
  for (const auto& [limit, expected] : {std::pair(0, 3), {1, 1}, {2, 2}, {3, 3}, {9, 3}}) {
    expect_count("longbench_v2", "longbench-v2@builtin", limit, expected);
  }
  write("longbench_v2/data.json", "[" + choice_row("1") + "]");
  expect_count("longbench_v2", "longbench-v2@builtin", 0, 1);
}

TEST_F(LongbenchRows, AnIdThatComesAgainIsRefused) {
  const auto task = make_task("longbench_v2");
  write("longbench_v2/a.jsonl", choice_row("1") + "\n" + choice_row("2") + "\n");
  write("longbench_v2/b.jsonl", choice_row("1"));
  try {
    task->load(request("longbench-v2@builtin"));
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kCorrupt);
    const std::string text = error.what();
    EXPECT_NE(text.find("b.jsonl, row 0: `_id` \"1\" is also that of "), std::string::npos) << text;
    EXPECT_NE(text.find("a.jsonl, row 0"), std::string::npos) << text;
  }
  write("longbench_v2/data.json", "[" + choice_row("1") + ",\n" + choice_row("2"));
  EXPECT_THROW(task->load(request("longbench-v2@builtin")), Error) << "cut between rows";
}

}  // namespace
}  // namespace elastic::tasks
