// Processes that train together, as threads of this one: their numbers are those of one process
// that draws the same batches.

#include <gtest/gtest.h>

#include <future>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/file.h"
#include "tests/engine/train_run.h"
#include "tests/testing/free_port.h"

namespace elastic::engine {
namespace {

using namespace elastic::testing;

// Two processes of one micro step each draw what one process draws in two.
TEST(TrainProcesses, TrainAsOneProcessDoes) {
  const TemporaryFolder folder;
  const auto source = [] {
    BatchSource made = made_source();
    made.draw = [](const BatchPosition& at) {
      const int batch = at.micro_step * at.world + at.rank;
      return made_documents(
          {300, 200}, 2,
          mix_seed({static_cast<std::uint64_t>(at.step), static_cast<std::uint64_t>(batch)}));
    };
    return made;
  };
  TrainOptions alone = router_options(folder, "alone");
  alone.steps = 3;
  alone.micro_steps = 2;
  const TrainResult wanted = train_router(alone, source());
  TrainOptions together = alone;
  together.output = folder / "together";
  together.micro_steps = 1;
  together.processes = {.rank = 0, .world = 2, .port = free_port()};
  std::vector<std::future<TrainResult>> ranks;
  for (const int rank : {0, 1}) {
    together.processes.rank = rank;
    ranks.push_back(std::async(std::launch::async,
                               [&source, o = together] { return train_router(o, source()); }));
  }
  for (auto& rank : ranks) {
    const TrainResult result = rank.get();
    EXPECT_EQ(result.end, TrainEnd::kFinished);
    EXPECT_EQ(result.steps, 3);
    EXPECT_EQ(result.tokens, wanted.tokens);
    EXPECT_DOUBLE_EQ(result.loss, wanted.loss);
  }
  EXPECT_EQ(read_file(folder / "together/curves.csv"), read_file(folder / "alone/curves.csv"));
  EXPECT_EQ(read_file(folder / "together/model.safetensors"),
            read_file(folder / "alone/model.safetensors"));
}

// Time that is up in both ends both, behind the step that told them.
TEST(TrainProcesses, StopTogether) {
  TrainOptions options = small_options({});
  options.steps = 100000;
  options.max_minutes = 1e-3;
  options.processes = {.rank = 0, .world = 2, .port = free_port()};
  std::vector<std::future<TrainResult>> ranks;
  for (const int rank : {0, 1}) {
    options.processes.rank = rank;
    options.max_minutes = rank == 0 ? 1e-3 : 0;  // rank 1 has all the time there is
    ranks.push_back(
        std::async(std::launch::async, [o = options] { return train_backbone(o, made_source()); }));
  }
  const TrainResult first = ranks[0].get(), second = ranks[1].get();
  EXPECT_EQ(first.end, TrainEnd::kTimeUp);
  EXPECT_EQ(second.end, TrainEnd::kTimeUp);
  EXPECT_EQ(first.steps, second.steps);
  EXPECT_GT(first.steps, 0);
  EXPECT_LT(first.steps, 100000);
}

// What every rank says where the ranks' options and data are these.
std::vector<std::string> errors_of(const std::vector<TrainOptions>& ranks,
                                   const std::vector<BatchSource>& sources) {
  std::vector<std::future<std::string>> said;
  for (std::size_t rank = 0; rank < ranks.size(); ++rank) {
    said.push_back(std::async(std::launch::async, [&, rank]() -> std::string {
      try {
        train_router(ranks[rank], sources[rank]);
        return "";
      } catch (const Error& error) {
        return error.kind() == ErrorKind::kInvalidArgument ? error.what() : "another kind";
      }
    }));
  }
  std::vector<std::string> errors;
  errors.reserve(said.size());
  for (auto& one : said) errors.push_back(one.get());
  return errors;
}

class TrainProcessesThatDiffer : public ::testing::Test {
 protected:
  TrainProcessesThatDiffer() : ranks_(2, router_options(folder_, "out")) {
    const int port = free_port();
    for (const int rank : {0, 1}) {
      ranks_[static_cast<std::size_t>(rank)].processes = {.rank = rank, .world = 2, .port = port};
    }
  }
  // Both ranks say it, and nothing was trained.
  void expect(const std::string& part, const std::vector<BatchSource>& sources) const {
    for (const std::string& error : errors_of(ranks_, sources)) {
      EXPECT_NE(error.find(part), std::string::npos) << error;
    }
    EXPECT_FALSE(std::filesystem::exists(folder_ / "out/state.safetensors"));
  }
  TemporaryFolder folder_;
  std::vector<TrainOptions> ranks_;
};

TEST_F(TrainProcessesThatDiffer, InAnOption) {
  ranks_[1].optimizer.lr = 0.25;
  expect("`optimizer.lr` is 0.001 for rank 0 and 0.25 for rank 1", {made_source(), made_source()});
}

TEST_F(TrainProcessesThatDiffer, InTheirSeed) {
  ranks_[1].seed = 43;
  expect("`seed` is 42 for rank 0 and 43 for rank 1", {made_source(), made_source()});
}

TEST_F(TrainProcessesThatDiffer, InTheBasesWeights) {
  ranks_[1].base = small_checkpoint(folder_ / "other", 7);
  expect("weights", {made_source(), made_source()});
}

TEST_F(TrainProcessesThatDiffer, InWhatTheirFilesHold) {
  BatchSource other = made_source();
  other.draw = [](const BatchPosition&) { return made_documents({420, 400}, 2, 99); };
  expect("`first batch sha256` is ", {made_source(), other});
}

}  // namespace
}  // namespace elastic::engine
