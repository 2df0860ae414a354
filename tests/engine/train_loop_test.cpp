// The training loop: resume after a kill, multipliers, errors that leave
// the last checkpoint, the exported model.

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <algorithm>
#include <cmath>
#include <csignal>

#include "base/csv.h"
#include "base/error.h"
#include "base/file.h"
#include "base/file_lock.h"
#include "base/interrupt.h"
#include "engine/api/train_router.h"
#include "engine/io/checkpoint.h"
#include "engine/io/safetensors.h"
#include "tests/engine/golden_run.h"
#include "tests/engine/train_run.h"
#include "tests/testing/folders.h"

namespace elastic::engine {
namespace {

namespace fs = std::filesystem;
using namespace elastic::testing;

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

TEST(TrainLoop, MinutesAreMinutes) {
  TrainOptions options = small_options({});
  options.steps = 1000000;
  options.max_minutes = 1e-3;
  const TrainResult result = train_backbone(options, made_source());
  EXPECT_EQ(result.end, TrainEnd::kTimeUp);
  EXPECT_GE(result.seconds, 0.06);
  EXPECT_LT(result.seconds, 5);
}

TEST(TrainLoop, BatchesAreAskedForByTheirPlace) {
  TrainOptions options = small_options({});
  options.steps = 4;
  options.micro_steps = 2;
  options.feed_threads = 1;
  BatchSource source = made_source();
  std::vector<std::pair<int, double>> places;  // micro step, progress
  source.draw = [&, draw = source.draw](const BatchPosition& at) {
    places.emplace_back(at.micro_step, at.progress);
    EXPECT_EQ(at.micro_steps, 2);
    return draw(at);
  };
  train_backbone(options, source);
  EXPECT_EQ(places, (std::vector<std::pair<int, double>>{
                        {0, 0}, {1, 0}, {0, .25}, {1, .25}, {0, .5}, {1, .5}, {0, .75}, {1, .75}}));
}

// Nothing was done, so nothing is written but the empty curves.
TEST(TrainLoop, ASignalBeforeTheFirstStepEndsWithoutOne) {
  const TemporaryFolder folder;
  const TrainOptions options = router_options(folder, "routed");
  const InterruptGuard guard("");
  BatchSource source = made_source();
  source.draw = [draw = source.draw](const BatchPosition& at) {
    if (at.step == 0) std::raise(SIGTERM);
    return draw(at);
  };
  const TrainResult result = train_router(options, source);
  EXPECT_EQ(result.end, TrainEnd::kInterrupted);
  EXPECT_EQ(result.signal, SIGTERM);
  EXPECT_EQ(result.steps, 0);
  EXPECT_FALSE(fs::exists(options.output / "state.safetensors"));
  EXPECT_FALSE(fs::exists(options.output / "model.safetensors"));
  EXPECT_EQ(parse_csv(read_file(options.output / "curves.csv"), "curves.csv").size(), 1u);
}

TEST(TrainLoop, ASignalEndsTheLoadingOfTheBase) {
  const TemporaryFolder folder;
  const TrainOptions options = router_options(folder, "routed");
  const InterruptGuard guard("");
  std::raise(SIGTERM);
  EXPECT_THROW(train_router(options, made_source()), Interrupted);
  EXPECT_THROW(Checkpoint(options.base).sha256(), Interrupted);
  EXPECT_FALSE(fs::exists(options.output / "curves.csv"));
}

TEST(TrainLoop, OneFolderHoldsOneTrainingAtATime) {
  const TemporaryFolder folder;
  TrainOptions options = small_options(folder / "a");
  options.steps = 1;
  create_folders(options.output);
  {
    const FileLock other(options.output / ".lock", FileLock::Wait::kNo);
    try {
      train_backbone(options, made_source());
      FAIL();
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::kInvalidArgument);
      EXPECT_EQ(std::string(error.what()),
                options.output.string() +
                    ": another process is writing into this folder; wait for it, or choose another "
                    "--output");
    }
    EXPECT_FALSE(fs::exists(options.output / "curves.csv"));
  }
  EXPECT_EQ(train_backbone(options, made_source()).steps, 1);
}

std::size_t column_of(const std::vector<std::vector<std::string>>& rows, const char* name) {
  return static_cast<std::size_t>(std::find(rows[0].begin(), rows[0].end(), name) -
                                  rows[0].begin());
}

// A step's gradient is the mean of its micro steps', not their sum.
TEST(TrainLoop, MicroStepsOfEqualBatchesHaveTheGradientOfOne) {
  const TemporaryFolder folder;
  BatchSource source = made_source();
  source.draw = [](const BatchPosition&) { return made_documents({420, 400}, 2, 5); };
  std::vector<double> norms, losses;
  for (const int micro_steps : {1, 3}) {
    TrainOptions options = small_options(folder / std::to_string(micro_steps));
    options.steps = 1;
    options.micro_steps = micro_steps;
    train_backbone(options, source);
    const auto rows = parse_csv(read_file(options.output / "curves.csv"), "curves.csv");
    ASSERT_EQ(rows.size(), 2u);
    norms.push_back(std::stod(rows[1][column_of(rows, "gradient_norm")]));
    losses.push_back(std::stod(rows[1][column_of(rows, "loss")]));
  }
  EXPECT_GT(norms[0], 0.1);
  EXPECT_NEAR(norms[1] / norms[0], 1, 1e-4);
  EXPECT_NEAR(losses[1] / losses[0], 1, 1e-6);
}

// One step of rate 1e-3 and decay 100 takes a tenth off every matrix and leaves norms near 1.
TEST(TrainLoop, WeightDecayShrinksMatricesAndSparesVectors) {
  const TemporaryFolder folder;
  TrainOptions options = small_options(folder / "a");
  options.config_json = small_config(true);  // norms of q and k as well
  options.steps = 1;
  options.optimizer.warmup = 0;
  options.optimizer.hold = 1;
  options.optimizer.weight_decay = 100;
  train_backbone(options, made_source());
  DecoderWeights fresh = initial_weights(parse_config(options.config_json), options.seed, at::kCPU);
  const SafetensorsFile state(folder / "a/state.safetensors");
  int vectors = 0, matrices = 0;
  for (const Parameter& p : backbone_parameters(fresh)) {
    SCOPED_TRACE(p.name);
    const std::vector<float> after = float_values(state.at("master." + p.name));
    const double kept = p.tensor.dim() > 1 ? 0.9 : 1;
    for (std::size_t i = 0; i < after.size(); ++i) {
      ASSERT_NEAR(after[i], kept * p.tensor.const_data_ptr<float>()[i], 1.1e-3);
    }
    ++(p.tensor.dim() > 1 ? matrices : vectors);
  }
  EXPECT_EQ(vectors, 2 * 4 + 1);
  EXPECT_EQ(matrices, 2 * 4 + 2);
}

// Behind one step of Adam every value has moved by the rate against the sign of its first moment:
// norms as well as matrices.
TEST(TrainLoop, WeightsDescendTheirGradient) {
  const TemporaryFolder folder;
  TrainOptions options = small_options(folder / "a");
  options.steps = 1;
  options.optimizer.warmup = 0;
  options.optimizer.weight_decay = 0;
  train_backbone(options, made_source());
  DecoderWeights fresh = initial_weights(parse_config(options.config_json), options.seed, at::kCPU);
  const SafetensorsFile state(folder / "a/state.safetensors");
  for (const Parameter& p : backbone_parameters(fresh)) {
    const std::vector<float> after = float_values(state.at("master." + p.name));
    const std::vector<float> first = float_values(state.at("adam.first." + p.name));
    int checked = 0;
    for (std::size_t i = 0; i < after.size(); ++i) {
      if (std::abs(first[i]) < 1e-5) continue;
      ASSERT_LT((after[i] - p.tensor.const_data_ptr<float>()[i]) * first[i], 0) << p.name;
      ++checked;
    }
    EXPECT_GT(checked, 0) << p.name;
  }
}

TEST(TrainLoop, TheModelIsStoredAsItsConfigSays) {
  const TemporaryFolder folder;
  for (const bool tied : {true, false}) {
    for (const auto& [name, type] :
         {std::pair{"float32", TensorType::kF32}, std::pair{"float16", TensorType::kF16},
          std::pair{"bfloat16", TensorType::kBF16}}) {
      SCOPED_TRACE(name);
      Json config = parse_json(small_config(!tied), "small");
      config["torch_dtype"] = name;
      TrainOptions options = small_options(folder / (std::string(name) + (tied ? "-tied" : "")));
      options.config_json = config.dump();
      options.steps = 1;
      train_backbone(options, made_source());
      const SafetensorsFile file(options.output / "model.safetensors");
      EXPECT_EQ(file.find("lm_head.weight") == nullptr, tied);
      for (const TensorView& tensor : file.tensors()) EXPECT_EQ(tensor.type, type) << tensor.name;
    }
  }
}

TEST(TrainLoop, MultipliersAscendAndTheModelRuns) {
  const TemporaryFolder folder;
  TrainOptions options = router_options(folder, "routers");
  options.regularizer.weight_decay = 0;
  train_router(options, made_source());
  const auto rows = parse_csv(read_file(options.output / "curves.csv"), "curves.csv");
  ASSERT_EQ(rows.size(), 7u);
  const auto column = [&](const char* name) { return column_of(rows, name); };
  for (const char* name :
       {"lambda1.needle", "lambda1.robust", "lambda2.needle", "lambda2.robust"}) {
    for (std::size_t r = 2; r < rows.size(); ++r) {
      EXPECT_GE(std::stod(rows[r][column(name)]), std::stod(rows[r - 1][column(name)])) << name;
    }
    EXPECT_GT(std::stod(rows.back()[column(name)]), std::stod(rows[1][column(name)])) << name;
  }
  for (std::size_t r = 1; r < rows.size(); ++r) {  // -p ln p is at most 1/e
    const double entropy = std::stod(rows[r][column("entropy")]);
    EXPECT_TRUE(entropy > 0 && entropy <= 0.3679) << entropy;
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
    EXPECT_NE(std::string(error.what()).find("state.safetensors: cannot write"), std::string::npos)
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
  expect([](TrainOptions& o, BatchSource&) { o.steps = 0; }, "`steps`");
  expect([](TrainOptions& o, BatchSource&) { o.optimizer.lr = -1; }, "`optimizer.lr`");
  expect([](TrainOptions&, BatchSource& s) { s.tasks[1].target_sparsity = 1.5; }, "robust");
}

}  // namespace
}  // namespace elastic::engine
