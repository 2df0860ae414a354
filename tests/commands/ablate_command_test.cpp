// `ablate` on a model of a few thousand parameters: trainings, runs and the report, resumed.

#include <gtest/gtest.h>

#include "base/csv.h"
#include "tests/commands/small_training.h"

namespace elastic {
namespace {

namespace fs = std::filesystem;
using testing::Program;
using testing::ProgramResult;

class AblateCommand : public testing::SmallTraining {
 protected:
  void SetUp() override {
    data_ = testing::word_list_folder();
    if (data_.empty()) GTEST_SKIP() << testing::kNoWordLists;
    testing::SmallTraining::SetUp();
    if (IsSkipped()) return;
    ASSERT_EQ(train("backbone", "backbone.json", "base").code, 0);
    write_config("ablation.json", config());
  }

  Json config() const {
    return {{"training", router()},
            {"evaluation",
             {{"tasks", "ruler/niah_single_1,ruler/fwe"},
              {"profile", "ruler@builtin"},
              {"lengths", "512"},
              {"limit", 1},
              {"max_new_tokens", 4},
              {"cache_dir", path("cache")}}}};
  }

  ProgramResult ablate(const std::string& axis, const std::vector<std::string>& more = {}) const {
    std::vector<std::string> arguments{
        "ablate",    axis,       "--config", path("ablation.json"), "--output",
        path("out"), "--device", "cpu",      "--data-dir",          data_.string()};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return Program(ELASTIC_BENCH_BINARY, arguments, {{"OMP_NUM_THREADS", "1"}}).wait();
  }

  fs::path data_;
};

TEST_F(AblateCommand, TrainsRunsAndReportsEachSetting) {
  ProgramResult result = ablate("hidden-size", {"--values", "2,4"});
  ASSERT_EQ(result.code, 0) << result.err;
  const auto rows = parse_csv(read_file(path("out/report/ablation_hidden-size.csv")), "csv");
  ASSERT_EQ(rows.size(), 5u);  // header, fa, ssa, two settings
  EXPECT_EQ(rows[3][0], "2");
  EXPECT_EQ(rows[3][6], "60.67");  // the paper's RULER mean at 2 d
  EXPECT_EQ(rows[4][0], "4");
  EXPECT_FALSE(rows[4][1].empty());  // a score
  const std::string page = read_file(path("out/report/report.html"));
  EXPECT_NE(page.find("Ablation: hidden-size"), std::string::npos);
  EXPECT_NE(page.find("Training curves: hidden-size-2"), std::string::npos);
  EXPECT_EQ(parse_csv(read_file(path("out/report/task_similarity.csv")), "csv").size(), 9u);
  EXPECT_NE(fs::file_size(path("out/training/hidden-size-2/model.safetensors")),
            fs::file_size(path("out/training/hidden-size-4/model.safetensors")));

  EXPECT_NE(ablate("hidden-size", {"--values", "2,4"}).code, 0);  // the folder holds one already
  result = ablate("hidden-size", {"--values", "2,4,6", "--resume"});
  ASSERT_EQ(result.code, 0) << result.err;
  EXPECT_TRUE(result.says("nothing to do")) << result.err;
  EXPECT_EQ(parse_csv(read_file(path("out/report/ablation_hidden-size.csv")), "csv").size(), 6u);
}

TEST_F(AblateCommand, TimeUpKeepsWhatIsDone) {
  const ProgramResult result =
      ablate("pool-budget", {"--values", "50,all", "--max-minutes", "0.0001"});
  EXPECT_EQ(result.code, 0) << result.err;
  EXPECT_TRUE(result.says("0 of 2 settings done")) << result.err;
  const ProgramResult resumed = ablate("pool-budget", {"--values", "50,all", "--resume"});
  ASSERT_EQ(resumed.code, 0) << resumed.err;
  EXPECT_TRUE(fs::exists(path("out/runs/pool-budget-all/run.json")));
}

TEST_F(AblateCommand, GoesOnWithItsWordListsElsewhere) {
  Json made = config();
  made["training"]["steps"] = 1;
  made["training"]["data"] = {{"kind", "synthetic"}, {"tokens_per_batch", 2048}};
  write_config("ablation.json", made);
  ProgramResult result = ablate("target-sparsity", {"--values", "0.5"});
  ASSERT_EQ(result.code, 0) << result.err;
  fs::create_directory_symlink(data_, path("elsewhere"));
  data_ = path("elsewhere");
  result = ablate("target-sparsity", {"--values", "0.5", "--resume"});
  EXPECT_EQ(result.code, 0) << result.err;
  EXPECT_TRUE(result.says("nothing to do")) << result.err;
}

TEST_F(AblateCommand, BadSettingsAreRefusedBeforeTheWork) {
  const auto refused = [&](const std::vector<std::string>& more, const char* words) {
    const ProgramResult result = ablate("target-sparsity", more);
    EXPECT_NE(result.code, 0);
    EXPECT_TRUE(result.says(words)) << result.err;
    EXPECT_FALSE(fs::exists(path("out/training")));
  };
  refused({"--values", "half"}, "`half` is no number");
  Json bad = config();
  bad["evaluation"]["modes"] = "fa";
  write_config("ablation.json", bad);
  refused({"--values", "0.5"}, "key `modes`");
  bad = config();
  bad["evaluations"] = Json::object();
  write_config("ablation.json", bad);
  refused({"--values", "0.5"}, "unknown key `evaluations`");
}

}  // namespace
}  // namespace elastic
