// The numbers of the paper that the program carries: against the shared file of them, which was
// read off the paper twice, number by number; and what is known to be wrong with some.

#include "reports/published.h"

#include <gtest/gtest.h>

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "base/json.h"
#include "tests/testing/folders.h"

namespace elastic::reports {
namespace {

// "model|row|column|quantity" -> value.
using Cells = std::map<std::string, double>;

void add(Cells& cells, const std::string& model, const std::string& row, const std::string& column,
         const std::string& quantity, const Json& value) {
  if (value.is_number()) cells[fmt::format("{}|{}|{}|{}", model, row, column, quantity)] = value;
}

Cells ours(std::string_view experiment) {
  Cells cells;
  for (const PublishedNumber& n : published_numbers(experiment)) {
    add(cells, n.model, n.row, n.column, n.quantity, n.value);
  }
  return cells;
}

std::string row_name(const std::string& experiment, const Json& row) {
  const Json& setting = row.at("setting");
  if (experiment == "table3") return setting.at("hidden").get<std::string>().substr(0, 1);
  if (experiment == "table5") return fmt::format("{}", setting.at("msr").get<double>());
  return row.at("method");
}

// Of a table's "values": {"Code": {"perf", "msr"}}, {"8K": 87.49}, {"ruler": {...}, ...}.
Cells of_table(const Json& table) {
  const std::map<std::string, std::string> names = {
      {"LongBench", "LongBench-E"}, {"LongBench-V2", "LongBench-v2"}, {"overall", "LongBench-v2"}};
  const std::string id = table.at("id"), quantity = id == "table5" ? "kept" : "score";
  const auto named = [&names](const std::string& key) {
    return names.contains(key) ? names.at(key) : key;
  };
  Cells cells;
  for (const Json& row : table.at("rows")) {
    const std::string model = row.at("model"), method = row_name(id, row);
    for (const auto& [key, value] : row.at("values").items()) {
      if (key.find("_recomputed") != std::string::npos) continue;
      if (key == "ruler" || key == "longbench_v2") {
        const std::string whole = key == "ruler" ? "RULER" : "LongBench-v2";
        for (const auto& [column, number] : value.items()) {
          if (column.find("_recomputed") != std::string::npos) continue;
          const bool msr = column == "msr";
          add(cells, model, method, msr || column == "avg" ? whole : named(column),
              msr ? "msr" : quantity, number);
        }
      } else if (value.is_object()) {
        add(cells, model, method, key, "score", value.at("perf"));
        add(cells, model, method, key, "msr", value.at("msr"));
      } else {
        add(cells, model, method, named(key), quantity, value);
      }
    }
  }
  return cells;
}

class PublishedFile : public ::testing::Test {
 protected:
  void SetUp() override {
    const auto folder = testing::golden_folder("../published");
    if (folder.empty()) GTEST_SKIP() << "folder absent: published";
    file_ = read_json(folder / "elastic_attention_tables.json");
  }

  const Json& figure(std::string_view id) const {
    for (const Json& one : file_.at("figures")) {
      if (one.at("id") == id) return one;
    }
    throw std::out_of_range(std::string(id));
  }

  // Panels of one figure: {method: {length: value}}.
  void add_panel(Cells& cells, std::string_view id, const std::string& quantity) const {
    for (const auto& [method, values] : figure(id).at("series").items()) {
      for (const auto& [length, value] : values.items()) {
        add(cells, "Llama-3.1-8B-Instruct", method, length, quantity, value);
      }
    }
  }

  // Figures 7 and 14: {"msr": {setting: {category: value}}, "perf": ...}.
  Cells settings(std::string_view id) const {
    Cells cells;
    for (const auto& [key, quantity] : {std::pair("perf", "score"), std::pair("msr", "msr")}) {
      for (const auto& [setting, values] : figure(id).at(key).items()) {
        std::string row = setting.starts_with("t_sen=") ? setting.substr(6) : setting;
        if (row == "dense") row = "FA";
        if (row == "All") row = "all";
        for (const auto& [column, value] : values.items()) {
          add(cells, "Qwen3-4B", row, column == "Overall" ? "avg" : column, quantity, value);
        }
      }
    }
    return cells;
  }

  Json file_;
};

TEST_F(PublishedFile, EveryTableCellIsThePapers) {
  int compared = 0;
  for (const Json& table : file_.at("tables")) {
    const std::string id = table.at("id");
    if (id == "table6" || id == "table9") continue;  // settings: below
    const Cells expected = of_table(table);
    ASSERT_FALSE(expected.empty()) << id;
    EXPECT_EQ(ours(id), expected) << id;
    compared += static_cast<int>(expected.size());
  }
  EXPECT_GT(compared, 1200);
}

TEST_F(PublishedFile, EveryFigureIsThePapers) {
  Cells cells;
  const std::map<std::string, std::string> points = {{"Qwen3-8B (dense)", "FA"},
                                                     {"XAttention (top-p 0.9)", "XAttention 0.9"},
                                                     {"XAttention (top-p 0.7)", "XAttention 0.7"}};
  for (const auto& [name, point] : figure("fig1").at("points").items()) {
    const std::string row = points.contains(name) ? points.at(name) : name;
    add(cells, "Qwen3-8B", row, "LongBench-v2", "score", point.at("lbv2_overall"));
    add(cells, "Qwen3-8B", row, "LongBench-v2", "speedup", point.at("speedup"));
  }
  EXPECT_EQ(ours("fig1"), cells);
  cells.clear();
  for (const auto& [length, values] : figure("fig4").at("series").items()) {
    for (const auto& [msr, value] : values.items()) add(cells, "", length, msr, "speedup", value);
  }
  EXPECT_EQ(ours("fig4"), cells);
  for (const std::string id : {"fig8", "fig12"}) {
    cells.clear();
    for (const auto& [panel, quantity] :
         {std::pair("a", "score"), std::pair("b", "speedup"), std::pair("c", "esr")}) {
      add_panel(cells, id + panel, quantity);
    }
    EXPECT_EQ(ours(id), cells) << id;
  }
  cells.clear();
  for (const auto& [length, value] : figure("fig10").at("series").items()) {
    add(cells, "", "router", length, "ms", value);
  }
  EXPECT_EQ(ours("fig10"), cells);
  for (const char* id : {"fig7", "fig14"}) EXPECT_EQ(ours(id), settings(id)) << id;
}

TEST_F(PublishedFile, SimilaritiesAndCurvesAreThePapers) {
  Cells five, nine, thirteen;
  const Json& order = figure("fig9").at("order");
  for (const char* when : {"before", "after"}) {
    for (const auto& [pair, value] : figure("fig5").at(when).items()) {
      add(five, "Qwen3-4B", when, pair, "similarity", value);
    }
    for (std::size_t i = 0; i < order.size(); ++i) {
      for (std::size_t j = i + 1; j < order.size(); ++j) {
        add(nine, "Qwen3-4B", when,
            fmt::format("{} / {}", order[i].get<std::string>(), order[j].get<std::string>()),
            "similarity", figure("fig9").at(when).at(i).at(j));
      }
    }
  }
  EXPECT_EQ(ours("fig5"), five);
  EXPECT_EQ(ours("fig9"), nine);
  const Json& curves = figure("fig13");
  const auto add_curve = [&](const std::string& row, const Json& values) {
    for (const auto& [step, value] : values.items()) {
      add(thirteen, "Qwen3-4B", row, step, "value", value);
    }
  };
  add_curve("lm loss", curves.at("lm_loss"));
  add_curve("reg loss", curves.at("reg_loss"));
  for (const auto& [task, values] : curves.at("msr_by_task").items()) {
    add_curve("MSR " + task, values);
  }
  for (const auto& [task, values] : curves.at("lambda1_by_task").items()) {
    add_curve("lambda1 " + task, values);
  }
  EXPECT_EQ(ours("fig13"), thirteen);
}

TEST_F(PublishedFile, SettingsAreThePapers) {
  for (const Json& table : file_.at("tables")) {
    if (table.at("id") == "table6") {
      const Cells cells = ours("table6");
      int found = 0;
      for (const Json& row : table.at("rows")) {
        for (const auto& [key, value] : row.at("values").items()) {
          if (!value.is_number()) continue;
          EXPECT_EQ(
              cells.at(fmt::format("|{}|{}|setting", row.at("method").get<std::string>(), key)),
              value.get<double>());
          ++found;
        }
      }
      EXPECT_EQ(found, static_cast<int>(cells.size()) - 2);  // and Adam's two betas
    }
    if (table.at("id") != "table9") continue;
    const Json& values = table.at("rows").at(0).at("values");
    EXPECT_EQ(ours("table9").at("|RULER|samples|setting"),
              values.at("samples_per_task_and_length"));
    EXPECT_EQ(ours("table9").at("|RULER|tasks|setting"), values.at("tasks").size());
    EXPECT_EQ(ours("table9").at("|RULER|lengths|setting"), values.at("context_windows").size());
  }
}

TEST(Published, NumbersKnowTheirSlipsAndTolerances) {
  const auto find = [](std::string_view experiment, std::string_view row, std::string_view column,
                       std::string_view quantity) {
    const auto& numbers = published_numbers(experiment);
    return *std::find_if(numbers.begin(), numbers.end(), [&](const PublishedNumber& n) {
      return n.row == row && n.column == column && n.quantity == quantity;
    });
  };
  EXPECT_EQ(find("fig4", "16K", "0.875", "speedup").value, 2.23);
  EXPECT_EQ(find("fig4", "16K", "0.875", "speedup").tolerance, .003);
  EXPECT_EQ(find("table7", "MoBA", "Qasper", "score").slips,
            (std::vector<std::string>{
                "Qasper of MoBA and NSA look exchanged: averages and table 8 want 33.90 here"}));
  EXPECT_TRUE(find("table7", "MoBA", "Lcc", "score").slips.empty());
  EXPECT_TRUE(find("fig8", "FA-SSA", "8K", "speedup").slips.empty());  // scores have one
  EXPECT_FALSE(find("fig8", "FA-SSA", "8K", "score").slips.empty());
  EXPECT_EQ(find("table1", "FA-SSA", "Code", "score").slips.size(), 2u);
  EXPECT_TRUE(published_numbers("fig3").empty());
}

}  // namespace
}  // namespace elastic::reports
