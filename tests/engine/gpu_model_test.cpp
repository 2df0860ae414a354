// The demo model on the GPU beside the CPU, and batches beside their requests alone.

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "engine/api/make_generator.h"
#include "tests/engine/golden_run.h"
#include "tests/engine/gpu.h"
#include "tests/engine/jobs.h"

namespace elastic::engine {
namespace {

using elastic::testing::answered_alone;
using elastic::testing::cpu_generator;
using elastic::testing::demo;
using elastic::testing::expect_as_alone;
using elastic::testing::tensor_named;

// The demo's window of 256 and routers decide at these lengths;
// none is a multiple of a block but one.
constexpr std::int64_t kLengths[] = {1000, 1024, 1111};
constexpr const char* kModes[] = {"fa", "ssa", "xa", "fa-ssa", "fa-xa", "xa-ssa"};

std::unique_ptr<Generator> gpu_generator(const std::string& dtype, std::int64_t chunk_rows = 0) {
  return make_generator(
      {.model = demo(), .device = "cuda", .dtype = dtype, .chunk_rows = chunk_rows});
}

Request prompt(std::int64_t tokens, std::int64_t new_tokens) {
  Request request;
  std::uint64_t state = static_cast<std::uint64_t>(tokens);
  for (std::int64_t i = 0; i < tokens; ++i) {
    state = state * 6364136223846793005ull + 1442695040888963407ull;
    request.ids.push_back(3 + static_cast<std::int32_t>((state >> 33) % 6000));
  }
  request.max_new_tokens = new_tokens;
  request.ignore_eos = true;
  return request;
}

std::size_t top(const std::vector<float>& logits, std::size_t row, std::size_t vocab) {
  const auto begin = logits.begin() + static_cast<std::ptrdiff_t>(row * vocab);
  return static_cast<std::size_t>(
      std::max_element(begin, begin + static_cast<std::ptrdiff_t>(vocab)) - begin);
}

class Gpu_Model : public elastic::testing::GpuSuite {};

TEST_F(Gpu_Model, LogitsAndRoutingEqualTheCpu) {
  const auto cpu = cpu_generator(demo()), fp32 = gpu_generator("fp32"),
             bf16 = gpu_generator("bf16");
  for (const char* mode : kModes) {
    for (const std::int64_t tokens : kLengths) {
      SCOPED_TRACE(std::string(mode) + ", " + std::to_string(tokens) + " tokens");
      Request request = prompt(tokens, 12);
      request.all_logits = true;
      for (Generator* generator : {cpu.get(), fp32.get(), bf16.get()}) generator->set_mode(mode);
      const Result wanted = cpu->generate(request), exact = fp32->generate(request),
                   half = bf16->generate(request);
      EXPECT_EQ(exact.ids, wanted.ids);
      EXPECT_EQ(exact.trace.routing, wanted.trace.routing);
      const std::vector<float>&a = tensor_named(wanted, "logits").values,
            &b = tensor_named(exact, "logits").values, &c = tensor_named(half, "logits").values;
      ASSERT_EQ(a.size(), b.size());
      ASSERT_EQ(a.size(), c.size());
      double worst = 0;
      for (std::size_t i = 0; i < a.size(); ++i) {
        worst = std::max(worst, static_cast<double>(std::abs(a[i] - b[i])));
      }
      EXPECT_LT(worst, 2e-3);
      const auto vocab = static_cast<std::size_t>(cpu->model().vocab);
      // Of random ids, whose logits lie close together: bf16 turns the order of a few.
      std::size_t same = 0;
      for (std::size_t row = 0; row < a.size() / vocab; ++row) {
        same += top(a, row, vocab) == top(c, row, vocab) ? 1 : 0;
      }
      EXPECT_GT(static_cast<double>(same), 0.95 * static_cast<double>(tokens));
    }
  }
}

TEST_F(Gpu_Model, ChunksBehindOtherChunksDoNotChangeLogits) {
  const auto whole = gpu_generator("bf16"), chunked = gpu_generator("bf16", 256);
  for (const char* mode : kModes) {
    for (const std::int64_t tokens : kLengths) {
      SCOPED_TRACE(std::string(mode) + ", " + std::to_string(tokens) + " tokens");
      Request request = prompt(tokens, 1);
      request.all_logits = true;
      whole->set_mode(mode);
      chunked->set_mode(mode);
      const std::vector<float> a = tensor_named(whole->generate(request), "logits").values,
                               b = tensor_named(chunked->generate(request), "logits").values;
      ASSERT_EQ(a.size(), b.size());
      double square = 0, error = 0;
      for (std::size_t i = 0; i < a.size(); ++i) {
        square += static_cast<double>(a[i]) * a[i];
        error += static_cast<double>(a[i] - b[i]) * (a[i] - b[i]);
      }
      EXPECT_LT(std::sqrt(error / square), 1e-2);
    }
  }
}

TEST_F(Gpu_Model, ARaggedBatchEqualsItsRequestsAlone) {
  const auto generator = gpu_generator("fp32");
  const std::vector<Request> batch = {prompt(1111, 9), prompt(40, 3), prompt(700, 12),
                                      prompt(1, 5)};
  for (const char* mode : {"fa", "ssa", "fa-ssa", "fa-ssa:decode=sparse"}) {
    SCOPED_TRACE(mode);
    generator->set_mode(mode);
    const std::vector<Result> together = generator->generate(batch);
    ASSERT_EQ(together.size(), batch.size());
    for (std::size_t i = 0; i < batch.size(); ++i) {
      const Result alone = generator->generate(batch[i]);
      EXPECT_EQ(together[i].ids, alone.ids);
      EXPECT_EQ(together[i].trace.routing, alone.trace.routing);
    }
  }
}

TEST_F(Gpu_Model, DecisionsAndTokensOfARaggedBatchAreThoseOfItsRequestsInBf16) {
  const auto generator = gpu_generator("bf16");
  const std::vector<Request> batch = {prompt(1111, 9), prompt(40, 3), prompt(2048, 12),
                                      prompt(1, 5)};
  for (const char* mode : {"fa-ssa", "fa-xa", "xa-ssa:decode=sparse"}) {
    SCOPED_TRACE(mode);
    generator->set_mode(mode);
    const std::vector<Result> together = generator->generate(batch);
    for (std::size_t i = 0; i < batch.size(); ++i) {
      const Result alone = generator->generate(batch[i]);
      EXPECT_EQ(together[i].ids, alone.ids);
      EXPECT_EQ(together[i].trace.routing, alone.trace.routing);
      EXPECT_EQ(together[i].trace.block_density, alone.trace.block_density);
    }
  }
}

// bf16, the model's own dtype: every token of every answer, however many were in flight.
TEST_F(Gpu_Model, RequestsInFlightAreAnsweredAsIfEachWereAlone) {
  const auto generator = gpu_generator("bf16");
  std::vector<elastic::testing::Job> jobs;
  for (std::int64_t i = 0; i < 40; ++i) {
    jobs.push_back(answered_alone(*generator, prompt(1 + i * 97 % 2500, 1 + i * 13 % 50),
                                  i % 2 == 0 ? "fa" : "fa-ssa:decode=sparse"));
  }
  for (const std::int64_t most : {5, 32}) {
    EXPECT_GT(expect_as_alone(*generator, jobs, most), most / 2);
  }
}

// More memory than any card has, refused without harm to the next request.
TEST_F(Gpu_Model, OutOfMemoryIsItsOwnErrorAndTheDeviceGoesOn) {
  const auto generator = gpu_generator("bf16");
  const std::vector<std::int32_t> before = generator->generate(prompt(100, 4)).ids;
  try {
    generator->generate(prompt(80'000'000, 1));
    FAIL() << "80 M tokens fit";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kOutOfMemory) << error.what();
  }
  EXPECT_EQ(generator->generate(prompt(100, 4)).ids, before);
}

}  // namespace
}  // namespace elastic::engine
