// What files, locks and standard streams do with the system's descriptors: none is lost, number 0
// is one like any other, and what the system refuses is said.

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <fstream>
#include <functional>
#include <iostream>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/file.h"
#include "base/file_lock.h"
#include "base/hash.h"
#include "base/interrupt.h"
#include "base/standard_streams.h"
#include "tests/testing/folders.h"

namespace elastic {
namespace {

namespace fs = std::filesystem;
using testing::TemporaryFolder;

std::ptrdiff_t entries(const fs::path& folder) {
  return std::distance(fs::directory_iterator(folder), fs::directory_iterator());
}

// What `action` throws, as "kind: text"; empty where nothing.
std::string fault_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const Error& error) {
    return std::string(to_string(error.kind())) + ": " + error.what();
  }
  return "";
}

// Exit status of a child that runs `action`; 1 where it throws.
int status_of_child(const std::function<void()>& action) {
  const pid_t child = fork();
  if (child == 0) {
    try {
      action();
    } catch (...) {
      _exit(1);
    }
    _exit(0);
  }
  int status = -1;
  waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

void use_everything(const fs::path& folder) {
  write_file_atomic(folder / "a", "one");
  copy_file_atomic(folder / "a", folder / "b");
  require_file(folder / "b");
  check(read_file(folder / "b") == "one", "the copy");
  check(open_binary(folder / "b").good(), "the stream");
  check(MappedFile(folder / "a").bytes().size() == 3, "the map");
  check(sha256_file(folder / "a") == sha256_hex("one"), "the hash");
  { AtomicFile(folder / "half").write("never"); }
  AppendFile(folder / "log").append("x");
  const FileLock lock(folder / "lock", FileLock::Wait::kYes);
  try {
    const FileLock second(folder / "lock", FileLock::Wait::kNo);
    check(false, "a lock that is held");
  } catch (const Error&) {
  }
}

TEST(Descriptors, NoneIsLost) {
  const TemporaryFolder folder;
  const std::ptrdiff_t before = entries("/proc/self/fd");
  use_everything(folder.path());
  EXPECT_EQ(entries("/proc/self/fd"), before);
  EXPECT_EQ(entries(folder.path()), 4) << "a, b, log, lock";
}

TEST(Descriptors, NumberZeroIsOneLikeAnyOther) {
  const TemporaryFolder folder;
  EXPECT_EQ(status_of_child([&] {
              ::close(STDIN_FILENO);
              const std::ptrdiff_t before = entries("/proc/self/fd");
              use_everything(folder.path());
              check(entries("/proc/self/fd") == before, "descriptors are closed");
            }),
            0);
  EXPECT_EQ(entries(folder.path()), 4);
}

// Calls that succeed leave errno as it was: it is no sign of a failure.
TEST(Descriptors, AnOldErrorNumberMeansNothing) {
  const TemporaryFolder folder;
  write_file_atomic(folder / "a", "one");
  errno = EINTR;
  EXPECT_EQ(read_file(folder / "a"), "one");
  errno = EINTR;
  copy_file_atomic(folder / "a", folder / "b");
  EXPECT_EQ(read_file(folder / "b"), "one");
  AppendFile log(folder / "b");
  errno = EIO;
  log.append("+");
  EXPECT_EQ(read_file(folder / "b"), "one+");
}

TEST(Descriptors, FilesAreReadableByAll) {
  const TemporaryFolder folder;
  const mode_t mask = ::umask(0);
  use_everything(folder.path());
  ::umask(mask);
  for (const char* name : {"a", "b", "log", "lock"}) {
    struct stat status {};
    ASSERT_EQ(::stat((folder / name).c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 07777U, 0644U) << name;
  }
}

TEST(Descriptors, WhatTheSystemRefusesIsSaid) {
  const TemporaryFolder folder;
  fs::create_symlink(folder / "loop", folder / "loop");
  const std::string loop = (folder / "loop").string(), long_name(300, 'x');
  constexpr const char* kLoop = "Too many levels of symbolic links";
  EXPECT_EQ(fault_of([&] { read_file(loop); }),
            "input/output: " + loop + ": cannot open: " + kLoop);
  EXPECT_EQ(fault_of([&] { FileLock(loop, FileLock::Wait::kNo); }),
            "input/output: " + loop + ": cannot create: " + kLoop);
  EXPECT_EQ(fault_of([&] { AppendFile{loop}; }),
            "input/output: " + loop + ": cannot open for appending: " + kLoop);
  EXPECT_EQ(fault_of([&] { create_folders(loop + "/a"); }),
            "input/output: " + loop + "/a: cannot create the folder: " + kLoop);
  EXPECT_NE(
      fault_of([&] { write_file_atomic(folder / long_name, "x"); }).find("File name too long"),
      std::string::npos);
  EXPECT_EQ(fault_of([&] { AppendFile{folder.path()}; }),
            "invalid argument: " + folder.path().string() +
                ": cannot open for appending: Is a directory");
  // Nothing is mapped where this file begins.
  for (const auto& read : {std::function<void()>([] { read_file("/proc/self/mem"); }),
                           {[&] { copy_file_atomic("/proc/self/mem", folder / "copy"); }}}) {
    EXPECT_EQ(fault_of(read), "input/output: /proc/self/mem: cannot read: Input/output error");
  }
  EXPECT_FALSE(fs::exists(folder / "copy"));
}

TEST(Descriptors, AHundredNamesLeftByOthersAreOneTooMany) {
  const TemporaryFolder folder;
  const std::string target = (folder / "a").string();
  const auto last_number = [&] {
    const AtomicFile probe(target);
    const std::string name = fs::directory_iterator(folder.path())->path().string();
    return std::stoi(name.substr(name.rfind('-') + 1));
  };
  for (const int taken : {99, 100}) {
    const int first = last_number() + 1;
    for (int i = 0; i < taken; ++i) {
      const std::string number = std::to_string(first + i);
      std::ofstream(target + ".tmp" + std::to_string(::getpid()) + "-" + number) << "left";
    }
    EXPECT_EQ(fault_of([&] { AtomicFile file(target); }).starts_with("invalid argument"),
              taken == 100);
    for (const auto& entry : fs::directory_iterator(folder.path())) fs::remove(entry.path());
  }
}

TEST(Descriptors, CopiesAndHashesOfFilesOfAnyLength) {
  const TemporaryFolder folder;
  for (const std::size_t size : {std::size_t{0}, std::size_t{1}, kReadChunk - 1, kReadChunk,
                                 kReadChunk + 1, 3 * kReadChunk + 5}) {
    std::string bytes(size, '\0');
    for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<char>(i * i % 251);
    write_file_atomic(folder / "from", bytes);
    copy_file_atomic(folder / "from", folder / "to");
    EXPECT_EQ(read_file(folder / "to"), bytes);
    EXPECT_EQ(sha256_file(folder / "to"), sha256_hex(bytes));
    EXPECT_EQ(MappedFile(folder / "to").bytes().size(), size);
  }
}

TEST(Descriptors, ASignalStopsCopiesAndHashes) {
  const TemporaryFolder folder;
  write_file_atomic(folder / "from", "x");
  {
    const InterruptGuard guard("");
    std::raise(SIGINT);
    EXPECT_THROW(copy_file_atomic(folder / "from", folder / "to"), Interrupted);
    EXPECT_THROW(sha256_file(folder / "from"), Interrupted);
  }
  EXPECT_EQ(entries(folder.path()), 1);
}

TEST(Descriptors, AMapEndsWithItsObject) {
  const TemporaryFolder folder;
  write_file_atomic(folder / "mapped", "abc");
  const auto mapped = [&] {
    return read_file("/proc/self/maps").find((folder / "mapped").string()) != std::string::npos;
  };
  {
    const MappedFile file(folder / "mapped");
    EXPECT_TRUE(mapped());
  }
  EXPECT_FALSE(mapped());
}

TEST(FileLock, OneAtATime) {
  const TemporaryFolder folder;
  const fs::path path = folder / "lock";
  {
    const FileLock held(path, FileLock::Wait::kNo);
    EXPECT_EQ(fault_of([&] { const FileLock second(path, FileLock::Wait::kNo); }),
              "invalid argument: " + folder.path().string() +
                  ": another process is writing into this folder; wait for it, or choose another "
                  "--output");
  }
  EXPECT_EQ(fault_of([&] { const FileLock next(path, FileLock::Wait::kNo); }), "");
}

TEST(FileLock, WaitsForTheOneBefore) {
  const TemporaryFolder folder;
  const fs::path path = folder / "lock", done = folder / "done";
  int ready[2];
  ASSERT_EQ(::pipe(ready), 0);
  const pid_t child = fork();
  if (child == 0) {
    const FileLock held(path, FileLock::Wait::kYes);
    if (::write(ready[1], "x", 1) != 1) _exit(1);
    ::usleep(100'000);
    write_file_atomic(done, "");
    _exit(0);
  }
  char byte = 0;
  ASSERT_EQ(::read(ready[0], &byte, 1), 1);
  const FileLock next(path, FileLock::Wait::kYes);
  EXPECT_TRUE(fs::exists(done));
  waitpid(child, nullptr, 0);
  for (const int fd : ready) ::close(fd);
}

TEST(StandardStreams, ClosedOnesAreOpenedAndNoOthers) {
  for (const std::vector<int>& closed : {std::vector<int>{}, {0}, {1}, {2}, {0, 1, 2}, {0, 2}}) {
    EXPECT_EQ(status_of_child([&] {
                const std::ptrdiff_t before = entries("/proc/self/fd");
                for (const int fd : closed) ::close(fd);
                open_standard_descriptors();
                check(entries("/proc/self/fd") == before, "as many as there were");
                for (const int fd : closed) {
                  check(fs::read_symlink("/proc/self/fd/" + std::to_string(fd)) == "/dev/null",
                        "nothing is lost in nothing");
                }
              }),
              0)
        << closed.size();
  }
}

TEST(StandardStreams, AFullDiskIsSaid) {
  const auto flushed = [](const char* device, const std::function<void()>& print) {
    return status_of_child([&] {
      ::dup2(::open(device, O_WRONLY), STDOUT_FILENO);
      std::cout.clear();
      print();
      const std::string text = fault_of(flush_standard_output);
      const std::string lost = "input/output: standard output: writing failed, results are lost";
      if (text.empty()) _exit(40);
      _exit(text == lost ? 41 : text == lost + ": No space left on device" ? 42 : 43);
    });
  };
  EXPECT_EQ(flushed("/dev/null", [] { std::fputs("x", stdout); }), 40);
  EXPECT_EQ(flushed("/dev/null", [] { std::cout.setstate(std::ios::failbit); }), 41);
  EXPECT_EQ(flushed("/dev/full", [] { std::cout << "x"; }), 41);
  EXPECT_EQ(flushed("/dev/full",
                    [] {
                      std::ios::sync_with_stdio(false);
                      std::fputs("x", stdout);
                    }),
            42);
  EXPECT_EQ(flushed("/dev/full",
                    [] {
                      std::fputs("x", stdout);
                      std::fflush(stdout);
                    }),
            41)
      << "lost before";
}

}  // namespace
}  // namespace elastic
