// What memory a request is said to have taken, and what a refused allocation is called.

#include <ATen/ops/empty.h>
#include <gtest/gtest.h>

#include <c10/util/Exception.h>

#include <new>

#include "base/error.h"
#include "engine/config/memory_estimate.h"
#include "engine/device/device_errors.h"
#include "engine/device/memory_meter.h"
#include "tests/engine/golden_run.h"

namespace elastic::engine {
namespace {

constexpr std::int64_t kMiB = std::int64_t{1} << 20;

TEST(Memory, CountsWhatTheAllocatorHandsOut) {
  count_cpu_memory();
  const MemoryMeter outer(at::kCPU);
  {
    const at::Tensor kept = at::empty({4 * kMiB}, at::kByte);
    { const at::Tensor passing = at::empty({8 * kMiB}, at::kByte); }
    const at::Tensor later = at::empty({2 * kMiB}, at::kByte);
  }
  EXPECT_EQ(outer.peak_bytes(), 12 * kMiB) << "not the sum of all that came and went";
  const at::Tensor before = at::empty({16 * kMiB}, at::kByte);
  const MemoryMeter next(at::kCPU);
  EXPECT_EQ(next.peak_bytes(), 0) << "what was in use at the start is not its own";
  { const at::Tensor own = at::empty({kMiB}, at::kByte); }
  EXPECT_EQ(next.peak_bytes(), kMiB);
}

TEST(Memory, OfARequestIsTheSameEveryTime) {
  const auto generator =
      elastic::testing::cpu_generator(elastic::testing::fixture("routed/paw_llama_small"));
  Request request;
  for (std::int32_t i = 0; i < 500; ++i) request.ids.push_back(3 + i * 7 % 90);
  request.max_new_tokens = 3;
  request.ignore_eos = true;
  generator->generate(request);  // makes the rotary table, which stays
  const Result second = generator->generate(request), third = generator->generate(request);
  EXPECT_GT(second.peak_bytes, second.kv_bytes);
  EXPECT_EQ(second.peak_bytes, third.peak_bytes);
}

// What `plan` says of a mode that sees whole prompts: no less than it takes, and not twice as much.
TEST(Memory, OfAChoiceOverAWholePromptIsForeseen) {
  const auto generator = elastic::testing::cpu_generator(elastic::testing::demo());
  const ModelConfig config = read_model_config(elastic::testing::demo());
  for (const std::int64_t tokens : {2000, 3500}) {
    SCOPED_TRACE(tokens);
    MemoryRequest request{.prompt_tokens = tokens, .new_tokens = 1, .whole_prompt = true};
    const MemoryEstimate whole = estimate_memory(config, request);
    request.whole_prompt = false;
    generator->set_mode("flexprefill");
    const Request prompt = elastic::testing::request_of(elastic::testing::some_ids(tokens, 7), 1);
    generator->generate(prompt);  // makes the rotary table, which stays
    const std::int64_t peak = generator->generate(prompt).peak_bytes;
    RecordProperty("peak", std::to_string(peak));
    EXPECT_LE(peak, whole.kv + whole.activations);
    EXPECT_GT(2 * peak, whole.kv + whole.activations);
    EXPECT_GE(whole.activations, estimate_memory(config, request).activations);
  }
}

ErrorKind kind_of(void (*body)()) {
  try {
    with_device_errors("cpu", body);
  } catch (const Error& error) {
    EXPECT_TRUE(std::string(error.what()).starts_with("cpu: ")) << error.what();
    EXPECT_EQ(std::string(error.what()).find('\n'), std::string::npos);
    return error.kind();
  }
  ADD_FAILURE() << "nothing was thrown";
  return ErrorKind::kIo;
}

TEST(Memory, RefusedAllocationsAreToldFromOtherErrorsByTheirType) {
  count_cpu_memory();
  EXPECT_EQ(kind_of([] { at::empty({std::int64_t{1} << 50}, at::kByte); }),
            ErrorKind::kOutOfMemory);
  EXPECT_EQ(kind_of([] { throw std::bad_alloc(); }), ErrorKind::kOutOfMemory);
  EXPECT_EQ(kind_of([] { TORCH_CHECK_WITH(OutOfMemoryError, false, "CUDA out of memory"); }),
            ErrorKind::kOutOfMemory);
  EXPECT_EQ(kind_of([] { TORCH_CHECK(false, "CUDA error: an illegal memory access"); }),
            ErrorKind::kDevice);
}

}  // namespace
}  // namespace elastic::engine
