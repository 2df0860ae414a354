#include "base/progress.h"

#include <gtest/gtest.h>

namespace elastic {
namespace {

TEST(Progress, EstimatesByWorkNotByItems) {
  // 32 items of 4 done, one of 128 left: half the work.
  const std::string text = progress_text({.name = "run",
                                          .items = 32,
                                          .total_items = 33,
                                          .work = 128,
                                          .total_work = 256,
                                          .seconds = 60,
                                          .label = "fa ruler/vt 128k"});
  EXPECT_EQ(text, "run 32/33  50% of tokens  1 min 0 s, 1 min 0 s left  fa ruler/vt 128k");
}

TEST(Progress, SaysNothingOfTheEndBeforeAnyWorkOrAfterAll) {
  EXPECT_EQ(progress_text({.name = "run", .total_items = 3, .total_work = 9}).find("left"),
            std::string::npos);
  const std::string done = progress_text(
      {.name = "run", .items = 3, .total_items = 3, .work = 9, .total_work = 9, .seconds = 2});
  EXPECT_EQ(done.find("left"), std::string::npos);
  EXPECT_NE(done.find("100%"), std::string::npos);
}

// A resumed training: 10 of the 40 steps left took a minute, so the others take three.
TEST(Progress, ItemsWeighAlikeWithoutWorkAndEarlierOnesTookNoTime) {
  const std::string text = progress_text({.name = "train",
                                          .items = 70,
                                          .total_items = 100,
                                          .items_before = 60,
                                          .seconds = 60,
                                          .label = "loss 2.5"});
  EXPECT_EQ(text, "train 70/100  1 min 0 s, 3 min 0 s left  loss 2.5");
}

TEST(Progress, PlainLinesAreBounded) {
  ::testing::internal::CaptureStderr();
  {
    Progress progress("run", 1000, 1000);
    for (int i = 0; i < 1000; ++i) progress.advance(1, "x");
  }
  const std::string text = ::testing::internal::GetCapturedStderr();
  const auto lines = std::count(text.begin(), text.end(), '\n');
  EXPECT_GE(lines, 2) << "the first and the last";
  EXPECT_LE(lines, 5) << text;
  EXPECT_NE(text.find("run 1000/1000"), std::string::npos);
}

}  // namespace
}  // namespace elastic
