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

TEST(Progress, TheFirstAndTheLastLineAreSaid) {
  ::testing::internal::CaptureStderr();
  {
    Progress progress("run", 3, 6);
    progress.advance(1, "a");
    progress.advance(2, "b");
    progress.advance(3, "c");
  }
  EXPECT_EQ(::testing::internal::GetCapturedStderr(),
            "run 1/3  17% of tokens  0.0 s, 0.0 s left  a\n"
            "run 3/3  100% of tokens  0.0 s  c\n");
  ::testing::internal::CaptureStderr();
  {
    Progress progress("train", 5, 0, 3);
    progress.advance(7, "");
    progress.advance(7, "");
  }
  EXPECT_EQ(::testing::internal::GetCapturedStderr(),
            "train 4/5  0.0 s, 0.0 s left\ntrain 5/5  0.0 s\n");
}

TEST(Progress, SharesStayBetweenNothingAndAll) {
  ProgressState state{
      .name = "run", .items = 1, .total_items = 2, .work = -3, .total_work = 10, .seconds = 9};
  EXPECT_EQ(progress_text(state), "run 1/2  0% of tokens  9.0 s");
  state.work = 30;
  EXPECT_EQ(progress_text(state), "run 1/2  100% of tokens  9.0 s, 0.0 s left");
  state.work = 1;
  EXPECT_EQ(progress_text(state), "run 1/2  10% of tokens  9.0 s, 1 min 21 s left");
  state.total_work = 0;
  state.items_before = 1;
  EXPECT_EQ(progress_text(state), "run 1/2  9.0 s");
  state.total_items = 1;
  EXPECT_EQ(progress_text(state), "run 1/1  9.0 s");
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

TEST(Progress, OfADownloadEveryQuarterIsSaidOnce) {
  ::testing::internal::CaptureStderr();
  {
    ByteProgress progress("plotly");
    for (const std::int64_t done : {0, 100, 250, 300, 600, 700, 1000}) progress.update(done, 1000);
    progress.update(400, 0);  // no total: nothing to be a quarter of
  }
  EXPECT_EQ(::testing::internal::GetCapturedStderr(),
            "plotly: 250 B of 1000 B\nplotly: 600 B of 1000 B\n");
}

}  // namespace
}  // namespace elastic
