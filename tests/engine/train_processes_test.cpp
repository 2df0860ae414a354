// Processes that train together, as threads of this one: their numbers are those of one process
// that draws the same batches.

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <ATen/ops/tensor.h>

#include <future>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/file.h"
#include "engine/train/process_group.h"
#include "tests/engine/train_run.h"

namespace elastic::engine {
namespace {

using namespace elastic::testing;

// A port that nobody listens on.
int free_port() {
  const int listener = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  EXPECT_EQ(bind(listener, reinterpret_cast<sockaddr*>(&address), size), 0);
  EXPECT_EQ(getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size), 0);
  close(listener);
  return ntohs(address.sin_port);
}

TEST(TrainProcesses, SumsAreThoseOfAllRanks) {
  constexpr int kWorld = 3, kRounds = 5;
  const int port = free_port();
  std::vector<std::future<void>> ranks;
  for (int rank = 0; rank < kWorld; ++rank) {
    ranks.push_back(std::async(std::launch::async, [=] {
      ProcessGroup group({.rank = rank, .world = kWorld, .port = port});
      EXPECT_EQ(group.rank(), rank);
      EXPECT_EQ(group.world(), kWorld);
      for (int round = 1; round <= kRounds; ++round) {
        const auto own = static_cast<float>(round * (rank + 1));
        const at::Tensor a = at::tensor(std::vector<float>{own, 2 * own, 3 * own, 4 * own});
        const at::Tensor b = at::tensor(std::vector<float>{10 * own});
        group.sum({a.view({2, 2}), b});
        const auto all = static_cast<float>(round * 6);
        EXPECT_TRUE(a.equal(at::tensor(std::vector<float>{all, 2 * all, 3 * all, 4 * all})));
        EXPECT_EQ(b.item<float>(), 10 * all);
      }
    }));
  }
  for (auto& rank : ranks) rank.get();
}

TEST(TrainProcesses, UnknownHostsAreNamedAtOnce) {
  try {
    const ProcessGroup group({.rank = 0, .world = 2, .address = "", .port = 1});
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kInvalidArgument);
    EXPECT_TRUE(std::string(error.what()).starts_with("MASTER_ADDR is ``: ")) << error.what();
  }
}

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

}  // namespace
}  // namespace elastic::engine
