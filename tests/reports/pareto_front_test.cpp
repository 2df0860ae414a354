#include "reports/pareto_front.h"

#include <gtest/gtest.h>

namespace elastic::reports {
namespace {

using Front = std::vector<bool>;

Front front(const std::vector<Objectives>& candidates) { return pareto_front(candidates); }

TEST(ParetoFront, DominatedPointsAreOff) {
  // (score, msr): the third is beaten by the second in both, the fourth by the second in score only
  // at equal MSR.
  EXPECT_EQ(front({{{90.0, 0.0}}, {{88.0, 0.6}}, {{50.0, 0.5}}, {{87.0, 0.6}}, {{30.0, 1.0}}}),
            (Front{true, true, false, false, true}));
}

TEST(ParetoFront, EqualPointsStayBoth) {
  EXPECT_EQ(front({{{90.0, 0.5}}, {{90.0, 0.5}}, {{89.0, 0.5}}}), (Front{true, true, false}));
}

TEST(ParetoFront, AThirdObjectiveCanSaveAPoint) {
  EXPECT_EQ(front({{{90.0, 0.0, 1.0}}, {{91.0, 0.6, 0.8}}}), (Front{true, true}));
  EXPECT_EQ(front({{{90.0, 0.0, 1.0}}, {{91.0, 0.6, 1.0}}}), (Front{false, true}));
}

TEST(ParetoFront, UnknownCoordinatesTakeNoPart) {
  EXPECT_EQ(front({{{90.0, std::nullopt}}, {{80.0, 0.9}}}), (Front{true, false}));
  EXPECT_EQ(front({{{std::nullopt, 1.0}}, {{80.0, 0.9}}}), (Front{false, true}));
  EXPECT_EQ(front({}), Front{});
}

}  // namespace
}  // namespace elastic::reports
