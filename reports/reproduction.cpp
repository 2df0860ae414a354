#include "reports/reproduction.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <string_view>
#include <utility>

#include "base/text.h"
#include "reports/cells.h"

namespace elastic::reports {
namespace {

constexpr double kRounded = .005;  // printed numbers have two decimals
constexpr std::string_view kSetting = "setting";

struct Quantity {
  std::string_view name, title;
  int digits;
  bool ratio;  // shown as measured / published
};

constexpr Quantity kQuantities[] = {
    {"score", "score (0-100)", 2, false},
    {"msr", "MSR", 3, false},
    {"speedup", "speed-up", 3, true},
    {"esr", "ESR", 3, false},
    {"ms", "milliseconds", 4, true},
    {"kept", "score kept, in percent of dense attention", 2, false},
    {"similarity", "similarity", 3, false},
    {"value", "value", 3, false},
    {kSetting, "settings", 0, false},
};

const Quantity& quantity_of(std::string_view name) {
  const auto* found = std::find_if(std::begin(kQuantities), std::end(kQuantities),
                                   [name](const Quantity& q) { return q.name == name; });
  return found == std::end(kQuantities) ? *std::begin(kQuantities) : *found;
}

bool is_within_noise(const ReproducedNumber& number) {
  const double slack = number.quantity == kSetting ? 0 : std::max(kRounded, number.tolerance);
  const double value = number.measured->value;
  const runs::Interval interval = number.measured->interval.value_or(runs::Interval{value, value});
  return *number.published >= interval.low - slack && *number.published <= interval.high + slack;
}

std::string verdict_between_rows(const ReproducedNumber& number) {
  if (is_within_noise(number)) return "within noise";
  const std::optional<runs::Interval>& interval = number.measured->interval;
  if (!interval || (interval->low <= 0 && interval->high >= 0)) return "no difference seen";
  return (*number.published < 0) == (number.measured->value < 0) ? "same sign" : "other sign";
}

std::optional<double> difference_of(const ReproducedNumber& number) {
  if (!number.published || !number.measured) return std::nullopt;
  return number.measured->value - *number.published;
}

std::optional<double> ratio_of(const ReproducedNumber& number) {
  if (!number.published || !number.measured || *number.published == 0) return std::nullopt;
  return number.measured->value / *number.published;
}

// Obstacles and slips of all numbers, each once, in the order in which they come up.
class Notes {
 public:
  // "1, 3" of one number; empty where there is nothing to say.
  std::string of(const ReproducedNumber& number) {
    std::vector<std::size_t> marks;
    for (const std::string& obstacle : number.obstacles) marks.push_back(mark(obstacle));
    for (const std::string& slip : number.slips)
      marks.push_back(mark("slip of the paper: " + slip));
    std::sort(marks.begin(), marks.end());
    return fmt::format("{}", fmt::join(marks, ", "));
  }

  Table table() const {
    Table table{"notes", "Notes", "", {{"note", ""}, {"text", ""}}, {}, {}};
    for (std::size_t i = 0; i < texts_.size(); ++i) {
      table.rows.push_back({cell(count(static_cast<std::int64_t>(i + 1))), cell(texts_[i])});
    }
    return table;
  }

 private:
  std::size_t mark(const std::string& text) {
    const auto known = std::find(texts_.begin(), texts_.end(), text);
    const auto number = static_cast<std::size_t>(known - texts_.begin()) + 1;
    if (known == texts_.end()) texts_.push_back(text);
    return number;
  }

  std::vector<std::string> texts_;
};

// Ends of the interval; unknown where there is none.
Value bound_of(const ReproducedNumber& one, double runs::Interval::*end) {
  if (!one.measured || !one.measured->interval) return {};
  return number((*one.measured->interval).*end);
}

Cell measured_cell(const ReproducedNumber& number) {
  Cell out;
  if (!number.measured) return out;
  out.planned = number.samples;
  out.value = number.measured->value;
  out.interval = number.measured->interval;
  out.n = number.measured->n;
  return out;
}

// Of one quantity; columns of a row that are not measured for one reason are one line, without
// what the paper has there. Settings are few and stay apart; the sheet has every number.
std::vector<ReproducedNumber> shown_numbers(const Reproduction& reproduction,
                                            std::string_view quantity) {
  std::vector<ReproducedNumber> shown;
  int folded = 0;
  for (const ReproducedNumber& number : reproduction.numbers) {
    if (number.between_rows || quantity_of(number.quantity).name != quantity) continue;
    ReproducedNumber* last = shown.empty() ? nullptr : &shown.back();
    if (last != nullptr && quantity != kSetting && last->row == number.row && !last->measured &&
        !number.measured && last->obstacles == number.obstacles) {
      last->column = fmt::format("{} columns", ++folded);
      last->published.reset();
      last->slips.clear();
      continue;
    }
    folded = 1;
    shown.push_back(number);
  }
  return shown;
}

// "0.0005", "262144"
Value shortest(std::optional<double> value) {
  return value ? Value(fmt::format("{:.10g}", *value)) : Value();
}

Table quantity_table(const Reproduction& reproduction, const Quantity& quantity, Notes& notes) {
  Table table{reproduction.experiment + "_" + std::string(quantity.name),
              fmt::format("{}: {}", reproduction.experiment, quantity.title),
              "",
              {{"row", "Row"}, {"column", "Column"}},
              {},
              {}};
  const bool setting = quantity.name == kSetting;
  table.columns.push_back({"published", "Paper", quantity.digits});
  table.columns.push_back({"measured", "Here", quantity.digits});
  if (!setting) table.columns.push_back({"difference", "Difference", quantity.digits});
  if (quantity.ratio) table.columns.push_back({"ratio", "Here / paper", 2});
  table.columns.push_back({"verdict", "Verdict"});
  table.columns.push_back({"notes", "Notes"});
  for (const ReproducedNumber& number : shown_numbers(reproduction, quantity.name)) {
    const bool next =
        !table.rows.empty() && std::get<std::string>(table.rows.back()[0].value) != number.row;
    if (next) table.rules.push_back(table.rows.size());
    std::vector<Cell> row{cell(number.row), cell(number.column)};
    if (setting) {
      row.push_back(cell(shortest(number.published)));
      row.push_back(
          cell(shortest(number.measured ? std::optional(number.measured->value) : std::nullopt)));
    } else {
      row.push_back(cell(reports::number(number.published)));
      row.push_back(measured_cell(number));
      row.push_back(cell(reports::number(difference_of(number))));
    }
    if (quantity.ratio) row.push_back(cell(reports::number(ratio_of(number))));
    row.push_back(cell(verdict(number)));
    row.push_back(cell(notes.of(number)));
    table.rows.push_back(std::move(row));
  }
  return table;
}

Table differences_table(const Reproduction& reproduction, Notes& notes) {
  Table table{reproduction.experiment + "_differences",
              reproduction.experiment + ": differences between rows",
              "Ours are of the samples that both rows answered, pair by pair, with 95 % intervals.",
              {{"rows", "Rows"},
               {"column", "Column"},
               {"published", "Paper", 2},
               {"measured", "Here", 2},
               {"ci_low", "from", 2},
               {"ci_high", "to", 2},
               {"verdict", "Verdict"},
               {"notes", "Notes"}},
              {},
              {}};
  for (const ReproducedNumber& number : reproduction.numbers) {
    if (!number.between_rows) continue;
    Cell measured = measured_cell(number);
    measured.interval.reset();  // in columns of its own: its ends may be negative
    table.rows.push_back({cell(number.row), cell(number.column),
                          cell(reports::number(number.published)), std::move(measured),
                          cell(bound_of(number, &runs::Interval::low)),
                          cell(bound_of(number, &runs::Interval::high)), cell(verdict(number)),
                          cell(notes.of(number))});
  }
  return table;
}

Sheet sheet_of(const Reproduction& reproduction) {
  Sheet sheet{"reproduce_" + reproduction.experiment, {}, {}, {}};
  for (const char* key : {"experiment", "model", "paper_model", "kind", "row", "column", "quantity",
                          "published", "measured", "ci_low", "ci_high", "n", "samples_of_paper",
                          "difference", "ratio", "verdict", "obstacles", "slips"}) {
    sheet.columns.push_back({key, ""});
  }
  for (const ReproducedNumber& one : reproduction.numbers) {
    const auto& measured = one.measured;
    sheet.rows.push_back(
        {reproduction.experiment, text_or_null(reproduction.model),
         text_or_null(reproduction.paper_model),
         std::string(one.between_rows ? "difference" : "number"), one.row, one.column, one.quantity,
         number(one.published), measured ? number(measured->value) : Value(),
         bound_of(one, &runs::Interval::low), bound_of(one, &runs::Interval::high),
         measured ? count(measured->n) : Value(), one.samples > 0 ? count(one.samples) : Value(),
         number(difference_of(one)), number(ratio_of(one)), verdict(one),
         text_or_null(join(one.obstacles, "; ")), text_or_null(join(one.slips, "; "))});
  }
  return sheet;
}

// "3 within noise, 2 outside"
std::string counts_of(const Reproduction& reproduction) {
  std::vector<std::pair<std::string, int>> counts;
  for (const ReproducedNumber& number : reproduction.numbers) {
    const std::string text = verdict(number);
    auto known = std::find_if(counts.begin(), counts.end(),
                              [&](const auto& count) { return count.first == text; });
    if (known == counts.end()) known = counts.insert(known, {text, 0});
    ++known->second;
  }
  std::vector<std::string> parts;
  parts.reserve(counts.size());
  for (const auto& [text, n] : counts) parts.push_back(fmt::format("{} {}", n, text));
  return join(parts, ", ");
}

}  // namespace

void set_published(const PublishedNumber* published, ReproducedNumber& number) {
  if (published == nullptr) return;
  number.published = published->value;
  number.tolerance = published->tolerance;
  number.slips = published->slips;
}

ReproducedNumber number_beside(const PublishedNumber& printed) {
  ReproducedNumber number{
      .row = printed.row, .column = printed.column, .quantity = printed.quantity};
  set_published(&printed, number);
  return number;
}

std::string verdict(const ReproducedNumber& number) {
  if (!number.measured) return "not measured";
  if (!number.published) return "not in the paper";
  if (number.between_rows) return verdict_between_rows(number);
  const bool within = is_within_noise(number);
  if (number.quantity == kSetting) return within ? "same" : "differs";
  if (!number.obstacles.empty()) return "not comparable";
  return within ? "within noise" : "outside";
}

Document reproduction_document(const Reproduction& reproduction) {
  Document document{"reproduce_" + reproduction.experiment,
                    fmt::format("{}: {}", reproduction.experiment, reproduction.title),
                    "",
                    {sheet_of(reproduction)},
                    {},
                    {}};
  document.intro =
      fmt::format("{}{}Numbers of arXiv 2601.17367{} beside {}: {}.", reproduction.how,
                  reproduction.how.empty() ? "" : " ",
                  reproduction.paper_model.empty() ? "" : ", " + reproduction.paper_model,
                  reproduction.model.empty() ? "ours" : "those of " + reproduction.model,
                  counts_of(reproduction));
  Notes notes;
  for (const Quantity& quantity : kQuantities) {
    Table table = quantity_table(reproduction, quantity, notes);
    if (!table.rows.empty()) document.tables.push_back(std::move(table));
  }
  Table differences = differences_table(reproduction, notes);
  if (!differences.rows.empty()) document.tables.push_back(std::move(differences));
  Table said = notes.table();
  if (!said.rows.empty()) document.tables.push_back(std::move(said));
  return document;
}

}  // namespace elastic::reports
