#include "reports/training_curves.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "base/file.h"
#include "reports/render/render.h"
#include "tests/testing/folders.h"

namespace elastic::reports {
namespace {

class CurvesFile : public ::testing::Test {
 protected:
  TrainingCurves read(const std::string& text) const {
    write_file_atomic(folder_ / "curves.csv", text);
    return read_training_curves(folder_.path());
  }
  std::string error(const std::string& text) const {
    try {
      read(text);
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  }
  testing::TemporaryFolder folder_;
};

TEST_F(CurvesFile, ColumnsRowsAndGaps) {
  const TrainingCurves curves = read("step,loss,msr.a\n0,2,\n1,1.5,0.5\n2,1,0.75\n");
  EXPECT_EQ(curves.columns, (std::vector<std::string>{"step", "loss", "msr.a"}));
  EXPECT_FALSE(curves.values.at("msr.a")[0].has_value());
  EXPECT_DOUBLE_EQ(*curves.values.at("msr.a")[2], 0.75);
}

TEST_F(CurvesFile, LastTenthLeavesGapsOut) {
  std::string text = "step,loss,msr.a,msr.b\n";
  for (int step = 0; step < 20; ++step) {
    text += std::to_string(step) + "," + std::to_string(step) + (step == 18 ? ",0.4,\n" : ",,\n");
  }
  const TrainingCurves curves = read(text);
  EXPECT_DOUBLE_EQ(*last_mean(curves, "loss"), 18.5);  // steps 18 and 19
  EXPECT_DOUBLE_EQ(*last_mean(curves, "msr.a"), 0.4);
  EXPECT_FALSE(last_mean(curves, "msr.b").has_value());
  EXPECT_FALSE(last_mean(curves, "reg").has_value());
}

TEST_F(CurvesFile, DocumentShowsWhatTheFileHas) {
  const Document document =
      training_document({read("step,loss,lm,reg,tau,msr.a\n0,2,1,1,1.5,0.5\n1,1,1,0,1.4,0.6\n")});
  ASSERT_EQ(document.figures.size(), 1u);
  EXPECT_EQ(document.figures[0].panels.size(), 4u);  // loss, reg, MSR, tau; no multipliers
  ASSERT_EQ(document.sheets.size(), 1u);
  EXPECT_EQ(document.sheets[0].rows.size(), 2u);
}

TEST_F(CurvesFile, ALossThatDivergedIsAGap) {
  const TrainingCurves curves = read("step,loss\n0,2\n1,nan\n2,inf\n3,1e308\n4,-1e31\n");
  EXPECT_FALSE(curves.values.at("loss")[1]);
  EXPECT_FALSE(curves.values.at("loss")[2]);
  for (const OutputFile& file : render_svg(std::vector{training_document({curves})})) {
    EXPECT_EQ(file.bytes.find("nan"), std::string::npos);
    EXPECT_EQ(file.bytes.find("inf"), std::string::npos);
  }
}

TEST_F(CurvesFile, BadFilesNameTheLine) {
  EXPECT_NE(error("loss\n1\n").find("starts with `step`"), std::string::npos);
  EXPECT_NE(error("").find("starts with `step`"), std::string::npos);
  EXPECT_NE(error("step,loss\n0,1\n1\n").find("line 3: 1 fields"), std::string::npos);
  EXPECT_NE(error("step,loss,loss\n0,1,2\n").find("two columns are named `loss`"),
            std::string::npos);
  EXPECT_NE(error("step,loss\n0,much\n").find("line 2: loss: `much`"), std::string::npos);
}

}  // namespace
}  // namespace elastic::reports
