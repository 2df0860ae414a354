#include "base/log.h"

#include <gtest/gtest.h>

#include <ctime>
#include <string>

#include "base/clock.h"

namespace elastic {
namespace {

std::string all_levels() {
  ::testing::internal::CaptureStderr();
  log_debug("a");
  log_info("b");
  log_warning("c");
  log_error("d");
  return ::testing::internal::GetCapturedStderr();
}

TEST(Log, LevelsAndRanksSilenceWhatIsBelow) {
  EXPECT_EQ(all_levels(), "b\nwarning: c\nerror: d\n");
  set_log_level(LogLevel::kDebug);
  EXPECT_EQ(all_levels(), "debug: a\nb\nwarning: c\nerror: d\n");
  set_log_rank(1);
  EXPECT_EQ(all_levels(), "error: d\n");
  set_log_rank(0);
  set_log_level(LogLevel::kError);
  EXPECT_EQ(all_levels(), "error: d\n");
  set_log_level(LogLevel::kInfo);
}

TEST(Clock, NowIsNowInUtc) {
  const std::time_t before = std::time(nullptr);
  const std::string text = utc_now();
  const std::time_t after = std::time(nullptr);
  std::tm parts{};
  ASSERT_EQ(strptime(text.c_str(), "%Y-%m-%dT%H:%M:%SZ", &parts), text.c_str() + text.size());
  EXPECT_GE(timegm(&parts), before);
  EXPECT_LE(timegm(&parts), after);
}

}  // namespace
}  // namespace elastic
