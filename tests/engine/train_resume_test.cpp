// What a resumed training must share with the one it goes on from.

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <string>
#include <vector>

#include "base/csv.h"
#include "base/error.h"
#include "base/file.h"
#include "engine/io/safetensors.h"
#include "engine/io/state_header.h"
#include "engine/train/train_options.h"
#include "tests/engine/train_run.h"

namespace elastic::engine {
namespace {

namespace fs = std::filesystem;
using namespace elastic::testing;

using Train = TrainResult (*)(const TrainOptions&, const BatchSource&);

// A run whose data fails at step 5 has its checkpoint of step 4; resumed it writes the same rows.
void check_resume(Train train, TrainOptions options, const fs::path& other) {
  options.micro_steps = 2;
  EXPECT_EQ(train(options, made_source()).steps, 6);
  TrainOptions killed = options;
  killed.output = other;
  try {
    train(killed, made_source(5));
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kCorrupt);
    EXPECT_STREQ(error.what(), "step 5: made.jsonl line 7: cut");
  }
  EXPECT_THROW(train(killed, made_source()), Error);  // without --resume
  killed.resume = true;
  EXPECT_EQ(train(killed, made_source()).steps, 6);
  EXPECT_EQ(read_file(options.output / "curves.csv"), read_file(other / "curves.csv"));
  EXPECT_EQ(read_file(options.output / "state.safetensors"),
            read_file(other / "state.safetensors"));
  EXPECT_EQ(read_file(options.output / "model.safetensors"),
            read_file(other / "model.safetensors"));
}

TEST(TrainResume, ResumedRunsAreBitEqual) {
  const TemporaryFolder folder;
  check_resume(train_backbone, small_options(folder / "b1"), folder / "b2");
  check_resume(train_router, router_options(folder, "r1"), folder / "r2");
}

TEST(TrainResume, ResumeRefusesOtherOptions) {
  const TemporaryFolder folder;
  TrainOptions options = small_options(folder / "a");
  train_backbone(options, made_source());
  options.resume = true;
  options.optimizer.lr = 2e-3;
  try {
    train_backbone(options, made_source());
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("`optimizer.lr` 0.001, now it is 0.002"),
              std::string::npos)
        << error.what();
  }
}

TEST(TrainResume, ResumeRefusesAnotherBase) {
  const TemporaryFolder folder;
  TrainOptions options = router_options(folder, "r");
  train_router(options, made_source());
  options.resume = true;
  fs::remove_all(options.base);
  small_checkpoint(options.base, 7);  // the same shape, other weights
  try {
    train_router(options, made_source());
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("`weights of the base, sha256`"), std::string::npos)
        << error.what();
  }
}

// A row that a kill cut short is dropped, not continued.
TEST(TrainResume, ATornRowIsDropped) {
  const TemporaryFolder folder;
  TrainOptions options = small_options(folder / "a");
  EXPECT_THROW(train_backbone(options, made_source(5)), Error);  // rows 0 .. 3, checkpoint of 4
  const fs::path path = options.output / "curves.csv";
  const std::string text = read_file(path);
  write_file_atomic(path, std::string_view(text).substr(0, text.size() - 9));
  options.resume = true;
  train_backbone(options, made_source());
  const auto rows = parse_csv(read_file(path), "curves.csv");
  std::vector<std::string> steps;
  for (const auto& row : rows) {
    EXPECT_EQ(row.size(), rows[0].size());
    steps.push_back(row[0]);
  }
  EXPECT_EQ(steps, (std::vector<std::string>{"step", "0", "1", "2", "4", "5"}));
}

TEST(TrainResume, AStateOfAnotherTypeIsRefused) {
  const TemporaryFolder folder;
  TrainOptions options = small_options(folder / "a");
  options.steps = 1;
  train_backbone(options, made_source());
  const fs::path path = options.output / "state.safetensors";
  {
    const SafetensorsFile file(path);
    std::vector<TensorView> tensors = file.tensors();
    const auto norm = std::find_if(tensors.begin(), tensors.end(),
                                   [](const auto& t) { return t.name == "master.final_norm"; });
    ASSERT_NE(norm, tensors.end());
    norm->type = TensorType::kBF16;  // the same shape in half the bytes
    norm->bytes = norm->bytes.first(norm->bytes.size() / 2);
    write_safetensors(path, tensors);
  }
  options.resume = true;
  try {
    train_backbone(options, made_source());
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kCorrupt);
    EXPECT_NE(std::string(error.what()).find("`master.final_norm`"), std::string::npos);
  }
}

// What compare_state_options() says when `change` was made in between; empty where nothing.
std::string refusal(const std::function<void(Training&, std::vector<TrainingTask>&)>& change) {
  std::vector<TrainingTask> tasks = {{"needle", 0.6}, {"robust", 1.0}};
  Training training;
  const std::string before = identity(training, tasks);
  change(training, tasks);
  try {
    compare_state_options("state", before, identity(training, tasks));
  } catch (const Error& error) {
    return error.what();
  }
  return {};
}

TEST(TrainResume, EveryOptionThatChangesTheNumbersIsNamed) {
  struct Change {
    const char* name;
    std::function<void(TrainOptions&)> change;
  };
  const std::vector<Change> changes = {
      {"seed", [](auto& o) { o.seed = 7; }},
      {"steps", [](auto& o) { o.steps = 301; }},
      {"micro_steps x processes", [](auto& o) { o.micro_steps = 2; }},
      {"micro_steps x processes", [](auto& o) { o.processes.world = 2; }},
      {"dtype", [](auto& o) { o.dtype = TrainType::kBf16; }},
      {"data", [](auto& o) { o.data = "others"; }},
      {"loss.lm", [](auto& o) { o.loss.lm = LossRows::kMix; }},
      {"loss.other_share", [](auto& o) { o.loss.other_share = .5; }},
      {"loss.other_weight", [](auto& o) { o.loss.other_weight = .5; }},
      {"optimizer.lr", [](auto& o) { o.optimizer.lr = .5; }},
      {"optimizer.beta1", [](auto& o) { o.optimizer.beta1 = .5; }},
      {"optimizer.beta2", [](auto& o) { o.optimizer.beta2 = .5; }},
      {"optimizer.eps", [](auto& o) { o.optimizer.eps = .5; }},
      {"optimizer.weight_decay", [](auto& o) { o.optimizer.weight_decay = .5; }},
      {"optimizer.clip", [](auto& o) { o.optimizer.clip = .5; }},
      {"optimizer.warmup", [](auto& o) { o.optimizer.warmup = .5; }},
      {"optimizer.hold", [](auto& o) { o.optimizer.hold = .5; }},
      {"optimizer.floor", [](auto& o) { o.optimizer.floor = .5; }},
      {"router.expansion", [](auto& o) { o.router.expansion = 2; }},
      {"router.init", [](auto& o) { o.router.init = RouterInit::kHe; }},
      {"router.pooling", [](auto& o) { o.router.pooling = RouterPooling::kFull; }},
      {"router.pool_rows", [](auto& o) { o.router.pool_rows = 50; }},
      {"router.tau_schedule", [](auto& o) { o.router.tau_schedule = TauSchedule::kExponential; }},
      {"router.tau_start", [](auto& o) { o.router.tau_start = .5; }},
      {"router.tau_end", [](auto& o) { o.router.tau_end = .5; }},
      {"router.tau_share", [](auto& o) { o.router.tau_share = .5; }},
      {"router.tau_rate", [](auto& o) { o.router.tau_rate = .5; }},
      {"regularizer.signed_form", [](auto& o) { o.regularizer.signed_form = true; }},
      {"regularizer.lr", [](auto& o) { o.regularizer.lr = .7; }},
      {"regularizer.weight_decay", [](auto& o) { o.regularizer.weight_decay = .7; }},
      {"regularizer.initial", [](auto& o) { o.regularizer.initial = .7; }}};
  for (const Change& c : changes) {
    const std::string text = refusal([&](Training& t, auto&) { c.change(t.options); });
    EXPECT_NE(text.find(std::string("`") + c.name + "`"), std::string::npos) << c.name << text;
  }
}

TEST(TrainResume, ModelBaseAndTargetsAreNamedToo) {
  EXPECT_NE(refusal([](Training& t, auto&) { t.config_json = "{}"; }).find("`model config`"),
            std::string::npos);
  EXPECT_NE(refusal([](Training& t, auto&) { t.base_sha256 = "00"; }).find("weights of the base"),
            std::string::npos);
  EXPECT_NE(refusal([](Training&, auto& tasks) {
              tasks[1].target_sparsity = .5;
            }).find("`target of robust`"),
            std::string::npos);
  EXPECT_NE(refusal([](Training&, auto& tasks) {
              tasks.push_back({"new", 1});
            }).find("`target of"),
            std::string::npos);
}

// Where and how fast a training runs may change between two commands.
TEST(TrainResume, PlacesAndPaceMayChange) {
  EXPECT_EQ(refusal([](Training& t, auto&) {
              TrainOptions& o = t.options;
              o.base = "elsewhere";
              o.tokenizer = "elsewhere";
              o.output = "elsewhere";
              o.device = "cpu";
              o.resume = true;
              o.recompute = false;
              o.log_every = o.checkpoint_every = 7;
              o.feed_threads = 3;
              o.max_minutes = 2;
            }),
            "");
}

}  // namespace
}  // namespace elastic::engine
