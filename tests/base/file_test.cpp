#include "base/file.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <fstream>
#include <functional>
#include <string>

#include "base/error.h"
#include "base/hash.h"
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

TEST(File, ReadsWholeFilesOfManyBuffers) {
  const testing::TemporaryFolder folder;
  std::string bytes;
  for (int i = 0; bytes.size() < 200000; ++i) bytes += std::to_string(i) + '\n';
  write_file_atomic(folder / "long", bytes);
  EXPECT_EQ(read_file(folder / "long"), bytes);
}

TEST(File, AFailedWriteLeavesNothingBeside) {
  const testing::TemporaryFolder folder;
  fs::create_directories(folder / "taken/by a folder");
  EXPECT_THROW(write_file_atomic(folder / "taken", "x"), Error);
  EXPECT_EQ(std::distance(fs::directory_iterator(folder.path()), fs::directory_iterator()), 1);
  write_file_atomic(folder / "file", "x");
  EXPECT_THROW(create_folders(folder / "file/below"), Error);
}

TEST(File, AppendsBehindWhatIsThere) {
  const testing::TemporaryFolder folder;
  for (const char* line : {"a\n", "b\n"}) {
    AppendFile file(folder / "log");
    file.append(line);
    file.append("c\n");
  }
  EXPECT_EQ(read_file(folder / "log"), "a\nc\nb\nc\n");
}

TEST(File, AMovedMappingStaysMapped) {
  const testing::TemporaryFolder folder;
  write_file_atomic(folder / "data", "abc");
  MappedFile from(folder / "data");
  const MappedFile to(std::move(from));
  ASSERT_EQ(to.bytes().size(), 3u);
  EXPECT_EQ(to.bytes()[2], 'c');
}

ErrorKind kind_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const Error& error) {
    return error.kind();
  }
  ADD_FAILURE() << "no error";
  return ErrorKind::kIo;
}

TEST(File, AFolderInAFilesPlaceAndAPlaceThatCannotBe) {
  const testing::TemporaryFolder folder;
  write_file_atomic(folder / "file", "x");
  EXPECT_EQ(kind_of([&] { read_file(folder.path()); }), ErrorKind::kInvalidArgument);
  EXPECT_EQ(kind_of([&] { MappedFile{folder.path()}; }), ErrorKind::kInvalidArgument);
  EXPECT_EQ(kind_of([&] { open_binary(folder.path()); }), ErrorKind::kInvalidArgument);
  for (const char* place : {"no/such/folder", "file/below"}) {
    EXPECT_EQ(kind_of([&] { write_file_atomic(folder / place, "x"); }), ErrorKind::kInvalidArgument)
        << place;
    EXPECT_EQ(kind_of([&] { AppendFile{folder / place}; }), ErrorKind::kInvalidArgument) << place;
  }
  EXPECT_EQ(kind_of([&] { write_file_atomic(folder.path(), "x"); }), ErrorKind::kInvalidArgument);
  EXPECT_EQ(kind_of([&] { create_folders(folder / "file/below"); }), ErrorKind::kInvalidArgument);
  EXPECT_EQ(kind_of([&] { create_folders(folder / "file"); }), ErrorKind::kInvalidArgument);
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

// A pipe would be waited for without end, a device read without end.
TEST(File, RefusesWhatIsNoFile) {
  const testing::TemporaryFolder folder;
  const fs::path pipe = folder / "pipe";
  ASSERT_EQ(mkfifo(pipe.c_str(), 0600), 0);
  for (const auto& [path, what] : {std::pair<fs::path, const char*>{pipe, "is a pipe"},
                                   {"/dev/zero", "is a device"},
                                   {folder.path(), "is a folder"}}) {
    for (const std::function<void(const fs::path&)>& read :
         {std::function<void(const fs::path&)>(require_file),
          {[](const fs::path& p) { read_file(p); }},
          {[](const fs::path& p) { open_binary(p); }},
          {[](const fs::path& p) { MappedFile{p}; }},
          {[&](const fs::path& p) { copy_file_atomic(p, folder / "copy"); }},
          {[](const fs::path& p) { sha256_file(p); }}}) {
      try {
        read(path);
        ADD_FAILURE() << path;
      } catch (const Error& error) {
        EXPECT_EQ(error.kind(), ErrorKind::kInvalidArgument);
        EXPECT_NE(std::string(error.what()).find(what), std::string::npos) << error.what();
      }
    }
  }
  EXPECT_NO_THROW(read_file("/proc/self/cmdline"));
}

TEST(File, WhatLiesBelowAFileIsNotThere) {
  const testing::TemporaryFolder folder;
  write_file_atomic(folder / "a.txt", "one");
  try {
    read_file(folder / "a.txt/b.txt");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kNotFound);
  }
}

// Whoever may write to the folder can guess the next temporary name and put a link there.
TEST(File, AtomicWriteFollowsNoPlantedLink) {
  const testing::TemporaryFolder folder;
  const fs::path target = folder / "a.txt", victim = folder / "victim";
  write_file_atomic(victim, "precious");
  std::string used;
  {
    const AtomicFile probe(target);
    for (const auto& entry : fs::directory_iterator(folder.path())) {
      if (entry.path() != victim) used = entry.path().string();
    }
  }
  const std::size_t dash = used.rfind('-');
  ASSERT_NE(dash, std::string::npos) << used;
  const int number = std::stoi(used.substr(dash + 1));
  fs::create_symlink(victim, used.substr(0, dash + 1) + std::to_string(number + 1));
  write_file_atomic(target, "new");
  EXPECT_EQ(read_file(victim), "precious");
  EXPECT_EQ(read_file(target), "new");
  EXPECT_FALSE(fs::is_symlink(target));
}

TEST(File, AtomicFileWithoutCommitLeavesNothing) {
  const testing::TemporaryFolder folder;
  {
    AtomicFile file(folder / "a.txt");
    file.write("half");
  }
  EXPECT_TRUE(fs::is_empty(folder.path()));
  EXPECT_THROW(write_file_atomic(folder.path(), "x"), Error);  // a folder cannot be replaced
  EXPECT_TRUE(fs::is_empty(folder.path()));
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
