// The training loop: resume after a kill, multipliers, errors that leave the last checkpoint, the
// exported model.

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <algorithm>
#include <cmath>
#include <csignal>

#include "base/csv.h"
#include "base/error.h"
#include "base/file.h"
#include "engine/io/safetensors.h"
#include "engine/train/train_router.h"
#include "tests/engine/golden_run.h"
#include "tests/engine/train_model.h"
#include "tests/testing/folders.h"

namespace elastic::engine {
namespace {

namespace fs = std::filesystem;
using namespace elastic::testing;

// Two tasks; documents of 400 tokens, so that the window hides something.
BatchSource made_source(std::int64_t fails_at = -1) {
  BatchSource source;
  source.tasks = {{"needle", 0.6}, {"robust", 1.0}};
  source.draw = [fails_at](const BatchPosition& at) {
    if (at.step == fails_at) throw Error(ErrorKind::kCorrupt, "made.jsonl line 7: cut");
    return made_documents(
        {420, 400}, 2,
        mix_seed({static_cast<std::uint64_t>(at.step), static_cast<std::uint64_t>(at.micro_step)}));
  };
  return source;
}

TrainOptions small_options(const fs::path& output) {
  TrainOptions options;
  options.config_json = small_config(false);
  options.output = output;
  options.device = "cpu";
  options.steps = 6;
  options.log_every = 2;
  options.checkpoint_every = 2;
  options.feed_threads = 2;
  options.optimizer.lr = 1e-3;
  options.router.local = 128;
  return options;
}

// A checkpoint to train routers for.
fs::path small_checkpoint(const fs::path& folder, std::uint64_t seed = 42) {
  TrainOptions options = small_options(folder);
  options.steps = 1;
  options.seed = seed;
  train_backbone(options, made_source());
  return folder;
}

TrainOptions router_options(const TemporaryFolder& folder, std::string_view output) {
  TrainOptions options = small_options(folder / output);
  options.base = folder / "base";
  if (!fs::exists(options.base)) small_checkpoint(options.base);
  return options;
}

// A second stage starts from the first one's weights, not from new ones.
TEST(TrainLoop, ABackboneGoesOnFromACheckpoint) {
  const TemporaryFolder folder;
  TrainOptions options = small_options(folder / "second");
  options.base = small_checkpoint(folder / "first");
  options.steps = 1;
  options.optimizer.lr = 1e-14;
  train_backbone(options, made_source());
  const SafetensorsFile first(options.base / "model.safetensors");
  const SafetensorsFile second(options.output / "model.safetensors");
  for (const TensorView& tensor : first.tensors()) {
    EXPECT_TRUE(std::ranges::equal(tensor.bytes, second.at(tensor.name).bytes)) << tensor.name;
  }
  options.base = folder / "routed";
  TrainOptions routers = router_options(folder, "routed");
  routers.steps = 1;
  train_router(routers, made_source());
  options.output = folder / "third";
  EXPECT_THROW(train_backbone(options, made_source()), Error);
}

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

TEST(TrainLoop, ResumedRunsAreBitEqual) {
  const TemporaryFolder folder;
  check_resume(train_backbone, small_options(folder / "b1"), folder / "b2");
  check_resume(train_router, router_options(folder, "r1"), folder / "r2");
}

TEST(TrainLoop, ResumeRefusesOtherOptions) {
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

TEST(TrainLoop, ResumeRefusesAnotherBase) {
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

TEST(TrainLoop, TimeIsUpLeavesACheckpoint) {
  const TemporaryFolder folder;
  TrainOptions options = small_options(folder / "a");
  options.max_minutes = 1e-9;
  const TrainResult result = train_backbone(options, made_source());
  EXPECT_EQ(result.end, TrainEnd::kTimeUp);
  options.resume = true;
  options.max_minutes = 0;
  EXPECT_EQ(train_backbone(options, made_source()).end, TrainEnd::kFinished);
  const auto rows = parse_csv(read_file(folder / "a/curves.csv"), "curves.csv");
  EXPECT_EQ(rows.size(), 7u);
}

TEST(TrainLoop, MultipliersAscendAndTheModelRuns) {
  const TemporaryFolder folder;
  TrainOptions options = router_options(folder, "routers");
  options.regularizer.weight_decay = 0;
  train_router(options, made_source());
  const auto rows = parse_csv(read_file(options.output / "curves.csv"), "curves.csv");
  ASSERT_EQ(rows.size(), 7u);
  const auto column = [&](const std::string& name) {
    return static_cast<std::size_t>(std::find(rows[0].begin(), rows[0].end(), name) -
                                    rows[0].begin());
  };
  for (const char* name :
       {"lambda1.needle", "lambda1.robust", "lambda2.needle", "lambda2.robust"}) {
    for (std::size_t r = 2; r < rows.size(); ++r) {
      EXPECT_GE(std::stod(rows[r][column(name)]), std::stod(rows[r - 1][column(name)])) << name;
    }
    EXPECT_GT(std::stod(rows.back()[column(name)]), std::stod(rows[1][column(name)])) << name;
  }
  const SafetensorsFile base(options.base / "model.safetensors");
  const SafetensorsFile routed(options.output / "model.safetensors");
  for (const TensorView& tensor : base.tensors()) {
    EXPECT_TRUE(std::ranges::equal(tensor.bytes, routed.at(tensor.name).bytes)) << tensor.name;
  }
  const auto generator = cpu_generator(options.output);
  generator->set_mode("fa-ssa");
  Request request;
  request.ids = made_documents({500}, 1, 3)[0].ids;
  request.max_new_tokens = 2;
  EXPECT_EQ(generator->generate(request).trace.routing.size(), 2u);
  EXPECT_EQ(read_model_config(options.output).architecture, "PawLlamaForCausalLM");
}

TEST(TrainLoop, ALossThatIsNoNumberKeepsTheLastCheckpoint) {
  const TemporaryFolder folder;
  TrainOptions options = small_options(folder / "a");
  options.steps = 40;
  options.checkpoint_every = 1;
  options.optimizer.lr = 1e14;
  options.optimizer.warmup = 0;
  try {
    train_backbone(options, made_source());
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kInvalidArgument);
    EXPECT_NE(std::string(error.what()).find("not a number"), std::string::npos) << error.what();
  }
  const SafetensorsFile state(folder / "a/state.safetensors");
  for (const TensorView& tensor : state.tensors()) {
    if (tensor.type != TensorType::kF32) continue;
    for (const float value : float_values(tensor)) ASSERT_TRUE(std::isfinite(value)) << tensor.name;
  }
}

// The largest file this process may write, as a stand-in for a disk that is full.
class FileLimit {
 public:
  FileLimit() : handler_(std::signal(SIGXFSZ, SIG_IGN)) { getrlimit(RLIMIT_FSIZE, &before_); }
  ~FileLimit() {
    setrlimit(RLIMIT_FSIZE, &before_);
    std::signal(SIGXFSZ, handler_);
  }
  void set(rlim_t bytes) const {
    const rlimit limit{bytes, before_.rlim_max};
    setrlimit(RLIMIT_FSIZE, &limit);
  }

 private:
  rlimit before_{};
  void (*handler_)(int);
};

TEST(TrainLoop, AFullDiskKeepsTheLastCheckpoint) {
  const TemporaryFolder folder;
  TrainOptions options = small_options(folder / "a");
  options.feed_threads = 1;
  const FileLimit limit;
  BatchSource source = made_source();
  source.draw = [&, draw = source.draw](const BatchPosition& at) {
    if (at.step == 4) limit.set(20000);  // drawn after the checkpoint of step 2, before that of 4
    return draw(at);
  };
  try {
    train_backbone(options, source);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kIo);
    EXPECT_NE(std::string(error.what()).find("state.safetensors cannot be written"),
              std::string::npos)
        << error.what();
  }
  limit.set(RLIM_INFINITY);
  options.resume = true;
  EXPECT_EQ(train_backbone(options, made_source()).steps, 6);
  EXPECT_EQ(parse_csv(read_file(folder / "a/curves.csv"), "curves.csv").size(), 7u);
}

TEST(TrainLoop, RefusesOptionsThatMakeNoSense) {
  const TemporaryFolder folder;
  const auto expect = [&](const auto& change, const char* words) {
    TrainOptions options = router_options(folder, "x");
    BatchSource source = made_source();
    change(options, source);
    try {
      train_router(options, source);
      FAIL() << words;
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::kInvalidArgument);
      EXPECT_NE(std::string(error.what()).find(words), std::string::npos) << error.what();
    }
  };
  expect([](TrainOptions& o, BatchSource&) { o.loss.lm = "every"; }, "`every`");
  expect([](TrainOptions& o, BatchSource&) { o.steps = 0; }, "`steps`");
  expect([](TrainOptions& o, BatchSource&) { o.router.init = "xavier"; }, "`xavier`");
  expect([](TrainOptions& o, BatchSource&) { o.optimizer.lr = -1; }, "`optimizer.lr`");
  expect([](TrainOptions&, BatchSource& s) { s.tasks[1].target_sparsity = 1.5; }, "robust");
}

}  // namespace
}  // namespace elastic::engine
