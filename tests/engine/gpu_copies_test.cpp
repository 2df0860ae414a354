// What a forward pass brings from the GPU to the host: the same few copies whatever the number of
// layers, for neither decisions nor masks nor counts stop it on the way.

#include <ATen/ops/zeros.h>
#include <c10/core/InferenceMode.h>
#include <dlfcn.h>

#include <atomic>
#include <string>
#include <vector>

#include "engine/attention/attention_plan.h"
#include "engine/config/model_config.h"
#include "engine/device/stage_clock.h"
#include "engine/model/decoder.h"
#include "tests/engine/gpu.h"
#include "tests/engine/small_config.h"

namespace {
std::atomic<int> copies_to_host{0};
}

// In front of the CUDA runtime's own, which it calls: the program's symbols come first.
extern "C" int cudaMemcpyAsync(void* to, const void* from, std::size_t bytes, int kind,
                               void* stream) {
  constexpr int kDeviceToHost = 2;
  using Copy = int (*)(void*, const void*, std::size_t, int, void*);
  static const auto copy = reinterpret_cast<Copy>(
      dlsym(dlopen("libcudart.so.13", RTLD_LAZY | RTLD_NOLOAD), "cudaMemcpyAsync"));
  if (kind == kDeviceToHost) ++copies_to_host;
  return copy(to, from, bytes, kind, stream);
}

namespace elastic::engine {
namespace {

class Gpu_Copies : public elastic::testing::GpuSuite {
 protected:
  // Of one prefill in bf16, the first of its shape included.
  int copies(std::int64_t layers, const std::string& mode, std::int64_t tokens) const {
    const ModelConfig config = elastic::testing::small_config(layers);
    Decoder decoder(random_weights(config, at::kBFloat16, device_, 5), 1024);
    PlanContext context;
    context.layers = layers;
    context.heads_q = config.heads_q;
    context.heads_kv = config.heads_kv;
    context.routers = decoder.weights().routers;
    const AttentionPlan plan = make_attention_plan(mode, context);
    const std::vector<std::int32_t> ids(static_cast<std::size_t>(tokens), 7);
    const c10::InferenceMode no_gradients;
    Sequence sequence = decoder.start(tokens);
    StageClock clock(device_);
    copies_to_host = 0;
    decoder.prefill(sequence, ids, plan, clock);
    EXPECT_EQ(sequence.decisions.size(), static_cast<std::size_t>(layers));
    for (const HeadDecision& decision : sequence.decisions) EXPECT_TRUE(decision.on_host());
    return copies_to_host;
  }
};

TEST_F(Gpu_Copies, DoNotGrowWithLayers) {
  for (const char* mode : {"fa", "ssa", "xa", "fa-ssa:local=256", "fa-ssa:decode=sparse,local=256",
                           "fa-xa", "xa-ssa"}) {
    for (const std::int64_t tokens : {700, 2048, 3001}) {
      const int few = copies(2, mode, tokens), many = copies(9, mode, tokens);
      EXPECT_EQ(few, many) << mode << ", " << tokens << " tokens";
      EXPECT_LE(many, 2) << mode << ", " << tokens << " tokens";
    }
  }
  copies_to_host = 0;
  at::zeros({3}, at::TensorOptions(device_)).cpu();
  EXPECT_EQ(copies_to_host, 1) << "the counter does not count";
}

}  // namespace
}  // namespace elastic::engine
