#include "base/interrupt.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

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
