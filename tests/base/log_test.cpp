#include "base/log.h"

#include <gtest/gtest.h>

#include <ctime>
#include <string>

#include "base/clock.h"

namespace elastic {
namespace {

std::string all_kinds() {
  ::testing::internal::CaptureStderr();
  log_info("a");
  log_warning("b");
  log_error("c");
  return ::testing::internal::GetCapturedStderr();
}

TEST(Log, RanksBehindTheFirstTellErrorsAlone) {
  EXPECT_EQ(all_kinds(), "a\nwarning: b\nerror: c\n");
  set_log_rank(1);
  EXPECT_EQ(all_kinds(), "error: c\n");
  set_log_rank(0);
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
