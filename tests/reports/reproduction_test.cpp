// Verdicts on numbers beside the paper's, and the document of them.

#include "reports/reproduction.h"

#include <gtest/gtest.h>

#include "reports/render/render.h"

namespace elastic::reports {
namespace {

ReproducedNumber number(double published, double measured,
                        std::optional<runs::Interval> interval = std::nullopt) {
  ReproducedNumber out{.row = "FA", .column = "Code", .quantity = "score"};
  out.published = published;
  out.measured = runs::Estimate{measured, interval, 10, ""};
  return out;
}

TEST(Reproduction, VerdictsOfNumbers) {
  EXPECT_EQ(verdict(number(50, 48, runs::Interval{45, 51})), "within noise");
  EXPECT_EQ(verdict(number(51.004, 48, runs::Interval{45, 51})), "within noise");  // as printed
  EXPECT_EQ(verdict(number(51.02, 48, runs::Interval{45, 51})), "outside");
  EXPECT_EQ(verdict(number(44, 48, runs::Interval{45, 51})), "outside");
  EXPECT_EQ(verdict(number(50, 50.1)), "outside");  // nothing says how sure it is
  ReproducedNumber digitised = number(50, 50.1);
  digitised.tolerance = .1 + 1e-9;
  EXPECT_EQ(verdict(digitised), "within noise");
  ReproducedNumber unlike = number(50, 50);
  unlike.obstacles = {"another model"};
  EXPECT_EQ(verdict(unlike), "not comparable");
  unlike.published.reset();
  EXPECT_EQ(verdict(unlike), "not in the paper");
  unlike.measured.reset();
  EXPECT_EQ(verdict(unlike), "not measured");
}

TEST(Reproduction, VerdictsOfSettingsAreExact) {
  ReproducedNumber setting = number(.0005, .0005);
  setting.quantity = "setting";
  EXPECT_EQ(verdict(setting), "same");
  setting.measured->value = .0006;
  EXPECT_EQ(verdict(setting), "differs");
}

TEST(Reproduction, VerdictsOfDifferencesSaySomethingOnAnyModel) {
  const auto between = [](double published, double measured, runs::Interval interval) {
    ReproducedNumber out = number(published, measured, interval);
    out.between_rows = true;
    out.obstacles = {"another model"};
    return verdict(out);
  };
  EXPECT_EQ(between(-2, -1, {-3, 1}), "within noise");
  EXPECT_EQ(between(-2, -5, {-6, -4}), "same sign");
  EXPECT_EQ(between(-2, 5, {4, 6}), "other sign");
  EXPECT_EQ(between(-2, 1, {-1, 3}), "no difference seen");
}

TEST(Reproduction, TheDocumentFoldsWhatIsNotMeasuredAndNumbersItsNotes) {
  Reproduction made{.experiment = "table1",
                    .title = "a table",
                    .model = "demo",
                    .paper_model = "Qwen3-4B",
                    .how = "By hand."};
  made.numbers.push_back(number(50, 48, runs::Interval{45, 51}));
  made.numbers.back().samples = 600;
  made.numbers.back().obstacles = {"another model"};
  made.numbers.back().slips = {"misprinted"};
  for (const char* column : {"Code", "Summ", "avg"}) {
    ReproducedNumber absent{.row = "NSA", .column = column, .quantity = "score"};
    absent.published = 1;
    absent.obstacles = {"not run"};
    made.numbers.push_back(absent);
  }
  ReproducedNumber difference = number(-1, -2, runs::Interval{-3, -1.5});
  difference.row = "NSA - FA";
  difference.between_rows = true;
  difference.obstacles = {"another model"};
  made.numbers.push_back(difference);

  const Document document = reproduction_document(made);
  EXPECT_EQ(document.id, "reproduce_table1");
  EXPECT_NE(document.intro.find("By hand. Numbers of arXiv 2601.17367, Qwen3-4B beside those of "
                                "demo: 1 not comparable, 3 not measured, 1 same sign."),
            std::string::npos)
      << document.intro;
  ASSERT_EQ(document.tables.size(), 3u);
  EXPECT_EQ(
      markdown_table(document.tables[0]),
      R"(| Row | Column    | Paper |                            Here | Difference | Verdict        | Notes |
|-----|-----------|------:|--------------------------------:|-----------:|----------------|-------|
| FA  | Code      | 50.00 | 48.00 (45.00-51.00) n 10 of 600 |      -2.00 | not comparable | 1, 2  |
| NSA | 3 columns |     – |                               – |          – | not measured   | 3     |
)");
  EXPECT_EQ(document.tables[1].id, "table1_differences");
  EXPECT_EQ(std::get<std::string>(document.tables[2].rows[1][1].value),
            "slip of the paper: misprinted");
  // The sheet has every number.
  ASSERT_EQ(document.sheets.size(), 1u);
  EXPECT_EQ(document.sheets[0].id, "reproduce_table1");
  ASSERT_EQ(document.sheets[0].rows.size(), 5u);
  EXPECT_EQ(std::get<std::string>(document.sheets[0].rows[4][3]), "difference");
}

TEST(Reproduction, RatiosStandBesideTimesAndSettingsAreShort) {
  Reproduction made{.experiment = "fig10", .title = "times"};
  made.numbers.push_back(number(.2, .05));
  made.numbers.back().quantity = "ms";
  made.numbers.push_back(number(.0005, .0005));
  made.numbers.back().quantity = "setting";
  const Document document = reproduction_document(made);
  ASSERT_EQ(document.tables.size(), 2u);
  EXPECT_NE(markdown_table(document.tables[0]).find("|         0.25 | outside |"),
            std::string::npos)
      << markdown_table(document.tables[0]);
  EXPECT_NE(markdown_table(document.tables[1]).find("| 0.0005 | 0.0005 | same    |"),
            std::string::npos)
      << markdown_table(document.tables[1]);
}

}  // namespace
}  // namespace elastic::reports
