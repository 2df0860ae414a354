#include "base/interrupt.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <stdexcept>

namespace elastic {
namespace {

TEST(Interrupt, FirstSignalIsNotedAndForgottenWithTheGuard) {
  EXPECT_EQ(interrupted(), std::nullopt);
  {
    const InterruptGuard guard("");
    EXPECT_EQ(interrupted(), std::nullopt);
    std::raise(SIGINT);
    EXPECT_EQ(interrupted(), SIGINT);
  }
  EXPECT_EQ(interrupted(), std::nullopt) << "else the next loop without a guard stops at once";
  const InterruptGuard again("");
  EXPECT_EQ(interrupted(), std::nullopt);
}

TEST(Interrupt, StopsAPreparationWithTheSignalThatCame) {
  const InterruptGuard guard("");
  stop_if_interrupted();
  std::raise(SIGTERM);
  try {
    stop_if_interrupted();
    FAIL();
  } catch (const Interrupted& stop) {
    EXPECT_EQ(stop.signal, SIGTERM);
  }
}

TEST(Interrupt, TheFirstSignalIsAnsweredOnStandardError) {
  for (const int signal : {SIGINT, SIGTERM}) {
    ::testing::internal::CaptureStderr();
    {
      const InterruptGuard guard("stopping\n");
      std::raise(signal);
    }
    EXPECT_EQ(::testing::internal::GetCapturedStderr(), "stopping\n");
  }
}

TEST(Interrupt, TheFormerHandlersAreBack) {
  static int noted = 0;
  std::signal(SIGINT, [](int) { noted += 1; });
  std::signal(SIGTERM, [](int) { noted += 10; });
  {
    const InterruptGuard guard("");
    EXPECT_THROW(InterruptGuard second(""), std::logic_error) << "one at a time";
    std::raise(SIGINT);
  }
  EXPECT_EQ(noted, 0);
  std::raise(SIGINT);
  EXPECT_EQ(noted, 1);
  std::raise(SIGTERM);
  EXPECT_EQ(noted, 11);
  std::signal(SIGINT, SIG_DFL);
  std::signal(SIGTERM, SIG_DFL);
}

TEST(Interrupt, AReadInProgressIsFinished) {
  int pipes[2];
  ASSERT_EQ(::pipe(pipes), 0);
  const InterruptGuard guard("");
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    ::usleep(30'000);
    ::kill(::getppid(), SIGINT);
    ::usleep(30'000);
    _exit(::write(pipes[1], "x", 1) == 1 ? 0 : 1);
  }
  char byte = 0;
  EXPECT_EQ(::read(pipes[0], &byte, 1), 1);
  EXPECT_EQ(interrupted(), SIGINT);
  waitpid(child, nullptr, 0);
  for (const int fd : pipes) ::close(fd);
}

TEST(Interrupt, SecondSignalEndsTheProcess) {
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    const InterruptGuard guard("");
    std::raise(SIGTERM);
    std::raise(SIGTERM);
    _exit(1);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 143);
}

}  // namespace
}  // namespace elastic
