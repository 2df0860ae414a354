#include "base/file.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <fstream>

#include "base/error.h"
#include "tests/testing/folders.h"

namespace elastic {
namespace {

namespace fs = std::filesystem;

TEST(File, AtomicWriteReplacesAndLeavesNothingBeside) {
  const testing::TemporaryFolder folder;
  write_file_atomic(folder / "a.txt", "one");
  write_file_atomic(folder / "a.txt", "two");
  EXPECT_EQ(read_file(folder / "a.txt"), "two");
  EXPECT_EQ(std::distance(fs::directory_iterator(folder.path()), fs::directory_iterator()), 1);
}

TEST(File, ErrorsNamePathAndReason) {
  const testing::TemporaryFolder folder;
  try {
    read_file(folder / "absent");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kNotFound);
    EXPECT_NE(std::string(error.what()).find("absent: cannot open: No such file"),
              std::string::npos);
  }
  EXPECT_THROW(read_file(folder.path()), Error);
  EXPECT_THROW(MappedFile{folder.path()}, Error);
  EXPECT_THROW(write_file_atomic(folder / "no" / "such" / "folder", "x"), Error);
}

TEST(File, MapsEmptyAndOrdinaryFiles) {
  const testing::TemporaryFolder folder;
  write_file_atomic(folder / "empty", "");
  write_file_atomic(folder / "data", std::string("\0\1\2", 3));
  EXPECT_TRUE(MappedFile(folder / "empty").bytes().empty());
  const MappedFile file(folder / "data");
  ASSERT_EQ(file.bytes().size(), 3u);
  EXPECT_EQ(file.bytes()[2], 2);
}

// A full disk, as a file size limit in a child process: the record that does not fit must leave no
// part of itself behind.
TEST(File, FailedAppendLeavesTheFileAsItWas) {
  const testing::TemporaryFolder folder;
  const fs::path path = folder / "log.jsonl";
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    std::signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{20, 20};
    setrlimit(RLIMIT_FSIZE, &limit);
    AppendFile file(path);
    file.append("0123456789\n");
    try {
      file.append("a line that does not fit\n");
    } catch (const Error&) {
      _exit(42);
    }
    _exit(1);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 42);
  EXPECT_EQ(read_file(path), "0123456789\n");
}

}  // namespace
}  // namespace elastic
