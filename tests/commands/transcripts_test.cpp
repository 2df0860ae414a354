// What commands say, word for word: tests/data/commands/<name>.txt holds command lines and what
// they print. Each runs in a shell whose folder is fresh for the file, after the ones above it.
//
//   $ elastic-bench tasks ruler/vt
//   standard output
//   ! standard error
//   = 0, the exit code
//
// Whoever changes a text on purpose writes the files anew: ELASTIC_TRANSCRIPTS_TO=FOLDER.

#include <gtest/gtest.h>
#include <sched.h>

#include <cstdlib>
#include <regex>

#include "base/file.h"
#include "base/text.h"
#include "tests/testing/program.h"

namespace elastic {
namespace {

namespace fs = std::filesystem;
using testing::Program;
using testing::ProgramResult;

class Transcripts : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!testing::kHasEngine) GTEST_SKIP() << testing::kNoEngine;
    if (testing::word_list_folder().empty()) GTEST_SKIP() << testing::kNoWordLists;
    fs::create_directories(folder_ / "bin");
    fs::create_directories(folder_ / "here");
    fs::create_symlink(ELASTIC_BENCH_BINARY, folder_ / "bin/elastic-bench");
  }

  ProgramResult shell(const std::string& command) const {
    const char* path = std::getenv("PATH");
    return Program("/bin/sh", {"-c", "cd " + here() + " && " + command},
                   {{"PATH", (folder_ / "bin").string() + ":" + (path == nullptr ? "" : path)},
                    {"FIXTURES", fixtures()},
                    {"LISTS", lists()},
                    {"HOME", folder_.path().string()},
                    {"LC_ALL", "C"},
                    {"XDG_DATA_HOME", ""},
                    {"HF_HUB_CACHE", ""},
                    {"HF_HOME", ""},
                    {"ELASTIC_DATA_DIR", (folder_ / "data").string()},
                    {"ELASTIC_CACHE_DIR", (folder_ / "cache").string()},
                    {"CPU", std::to_string(sched_getcpu())},  // for taskset: one thread
                    {"OMP_NUM_THREADS", "1"}})
        .wait();
  }

  static std::string fixtures() { return (testing::source_folder() / "tests/data").string(); }
  static std::string lists() { return fs::absolute(testing::word_list_folder()).string(); }
  std::string here() const { return (folder_ / "here").string(); }

  // Without what differs between folders, commits and hours.
  std::string plain(const std::string& text) const {
    std::string all = replace_all(text, fixtures(), "FIXTURES");
    for (const auto& [path, name] : {std::pair(fs::path(lists()), "LISTS"),
                                     {testing::source_folder(), "SOURCE"},
                                     {folder_ / "here", "HERE"},
                                     {folder_.path(), "FOLDER"}}) {
      all = replace_all(all, path.string(), name);
    }
    static const std::regex kCommit("commit [0-9a-f]+(, uncommitted changes)?, \\w+"),
        kTime("ready after [^\n]*");
    all = std::regex_replace(all, kCommit, "commit HASH");
    return std::regex_replace(all, kTime, "ready after a while");
  }

  std::string transcript(const std::string& command) const {
    const ProgramResult result = shell(command);
    std::string all = "$ " + command + "\n" + plain(result.out);
    if (!all.ends_with('\n')) all += '\n';
    const std::string err = plain(result.err);
    for (const std::string_view line : split(strip(err), '\n')) {
      if (!err.empty()) all += "! " + std::string(line) + "\n";
    }
    return all + "= " + std::to_string(result.code) + "\n";
  }

  void expect_as_stored(const std::string& name) const {
    const std::string file = "commands/" + name + ".txt";
    const std::string stored = read_file(testing::fixture(file));
    std::string now;
    for (std::size_t begin = 0; begin < stored.size();) {
      const std::size_t next = stored.find("\n$ ", begin);
      const std::size_t end = next == std::string::npos ? stored.size() : next + 1;
      const std::string expected = stored.substr(begin, end - begin);
      const std::string actual =
          transcript(expected.substr(2, std::min(expected.find('\n'), expected.size()) - 2));
      EXPECT_EQ(actual, expected) << file;
      now += actual;
      begin = end;
    }
    if (const char* to = std::getenv("ELASTIC_TRANSCRIPTS_TO")) {
      write_file_atomic(fs::path(to) / (name + ".txt"), now);
    }
  }

  const testing::TemporaryFolder folder_;
};

TEST_F(Transcripts, Help) { expect_as_stored("help"); }
TEST_F(Transcripts, RefusedNumbers) { expect_as_stored("refused_numbers"); }
TEST_F(Transcripts, RefusedArguments) { expect_as_stored("refused_arguments"); }
TEST_F(Transcripts, TasksAndPlans) { expect_as_stored("tasks_and_plans"); }
TEST_F(Transcripts, Prompts) { expect_as_stored("prompts"); }
TEST_F(Transcripts, Answers) { expect_as_stored("answers"); }
TEST_F(Transcripts, DataFolders) {
  if (std::getenv("ELASTIC_DATA_DIR") != nullptr) {
    GTEST_SKIP() << "ELASTIC_DATA_DIR names another folder than the one that set-up fills";
  }
  expect_as_stored("data_folders");
}
TEST_F(Transcripts, GeneratedData) { expect_as_stored("generated_data"); }
TEST_F(Transcripts, Reports) { expect_as_stored("reports"); }
TEST_F(Transcripts, Runs) { expect_as_stored("runs"); }

}  // namespace
}  // namespace elastic
