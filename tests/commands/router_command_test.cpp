// `train router` with "export": "adapter", and --router of the commands that run a model, as a user
// calls them.

#include <gtest/gtest.h>

#include "base/file.h"
#include "base/json.h"
#include "tests/commands/small_training.h"

namespace elastic {
namespace {

namespace fs = std::filesystem;
using testing::Program;
using testing::ProgramResult;

class RouterCommand : public testing::SmallTraining {
 protected:
  void SetUp() override {
    SmallTraining::SetUp();
    if (IsSkipped()) return;
    ASSERT_EQ(train("backbone", "backbone.json", "base").code, 0);
    train_adapter("first", 42);
  }

  void train_adapter(const std::string& name, int seed) const {
    Json config = router();
    config["seed"] = seed;
    config["export"] = "adapter";
    write_config(name + ".json", config);
    const ProgramResult result = train("router", name + ".json", name);
    ASSERT_EQ(result.code, 0) << result.err;
  }

  static ProgramResult call(const std::vector<std::string>& arguments) {
    return Program(ELASTIC_BENCH_BINARY, arguments, {{"OMP_NUM_THREADS", "1"}}).wait();
  }
  ProgramResult run_with(const std::string& router, const std::string& command = "run") const {
    std::vector<std::string> arguments{
        command,         "--model",          path("base"), "--tasks",  "ruler/vt", "--modes",
        "fa,fa-ssa",     "--lengths",        "1k",         "--limit",  "1",        "--profile",
        "ruler@builtin", "--max-new-tokens", "4",          "--device", "cpu",      "--output",
        path("run")};
    if (!router.empty()) arguments.insert(arguments.end(), {"--router", path(router)});
    return call(arguments);
  }
};

TEST_F(RouterCommand, AnAdapterIsTwoSmallFilesThatRunOnTheirBase) {
  EXPECT_TRUE(fs::exists(path("first/router.json")));
  EXPECT_FALSE(fs::exists(path("first/model.safetensors")));
  EXPECT_LT(fs::file_size(path("first/router.safetensors")),
            fs::file_size(path("base/model.safetensors")));
  const ProgramResult answer =
      call({"generate", "--model", path("base"), "--router", path("first"), "--mode", "fa-ssa",
            "--prompt", "Which word?", "--max-new-tokens", "2", "--json"});
  ASSERT_EQ(answer.code, 0) << answer.err;
  EXPECT_TRUE(parse_json(answer.out, "answer")["msr"].is_number()) << answer.out;
}

TEST_F(RouterCommand, ARunRecordsItsRoutersAndGoesOnWithNoOthers) {
  const ProgramResult plan = run_with("first", "plan");
  ASSERT_EQ(plan.code, 0) << plan.err;
  EXPECT_TRUE(plan.says("model base+first")) << plan.out;
  const ProgramResult first = run_with("first");
  ASSERT_EQ(first.code, 0) << first.err;
  const ProgramResult report =
      call({"report", path("run"), "--output", path("report"), "--format", "csv"});
  ASSERT_EQ(report.code, 0) << report.err;
  EXPECT_NE(read_file(path("report/results.csv")).find("base+first,fa-ssa,"), std::string::npos);
  const Json run = read_json(path("run/run.json"));
  EXPECT_EQ(run["settings"]["router_sha256"].get<std::string>().size(), 64u);
  EXPECT_EQ(run["settings"]["router_config_sha256"].get<std::string>().size(), 64u);
  EXPECT_EQ(run["environment"]["router"], path("first"));
  const ProgramResult again = run_with("first");
  EXPECT_EQ(again.code, 0) << again.err;
  EXPECT_TRUE(again.says("nothing to do")) << again.err;
  train_adapter("second", 43);
  const ProgramResult other = run_with("second");
  EXPECT_EQ(other.code, 2) << other.err;
  EXPECT_TRUE(other.says("`router_sha256` was `")) << other.err;
}

TEST_F(RouterCommand, RoutedModesWithoutRoutersSayHowToGetSome) {
  for (const char* command : {"run", "plan"}) {
    const ProgramResult result = run_with("", command);
    EXPECT_EQ(result.code, 2) << result.err;
    EXPECT_TRUE(result.says("mode `fa-ssa` needs routers")) << result.err;
    EXPECT_TRUE(result.says("--router DIR")) << result.err;
    EXPECT_TRUE(result.says("elastic-bench train router")) << result.err;
  }
}

TEST_F(RouterCommand, OtherBasesAndBrokenAdaptersAreRefused) {
  Json backbone_of_two = backbone();
  backbone_of_two["model"]["num_hidden_layers"] = 2;
  write_config("two.json", backbone_of_two);
  ASSERT_EQ(train("backbone", "two.json", "two").code, 0);
  const auto generate = [&](const std::string& model) {
    return call({"generate", "--model", path(model), "--router", path("first"), "--prompt", "?"});
  };
  const ProgramResult layers = generate("two");
  EXPECT_EQ(layers.code, 2);
  EXPECT_TRUE(layers.says("has layers 2 instead of 1")) << layers.err;
  Json backbone_of_seed = backbone();
  backbone_of_seed["seed"] = 7;
  write_config("seed.json", backbone_of_seed);
  ASSERT_EQ(train("backbone", "seed.json", "seed").code, 0);
  const ProgramResult weights = generate("seed");
  EXPECT_EQ(weights.code, 2);
  EXPECT_TRUE(weights.says("these routers are for the base `base`, weights sha256 "))
      << weights.err;
  const ProgramResult bench = call({"bench", "prefill", "--model", path("two"), "--router",
                                    path("first"), "--lengths", "64", "-r", "1"});
  EXPECT_EQ(bench.code, 2);
  EXPECT_TRUE(bench.says("has layers 2 instead of 1")) << bench.err;
  write_file_atomic(path("first/router.json"), "{}");
  const ProgramResult broken = generate("base");
  EXPECT_EQ(broken.code, 3) << broken.err;
  EXPECT_TRUE(broken.says("router.json: key `schema_version` is missing")) << broken.err;
}

}  // namespace
}  // namespace elastic
