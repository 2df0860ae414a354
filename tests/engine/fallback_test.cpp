// Prompts that are too short for a method: its heads are dense, and the trace says how many.

#include <gtest/gtest.h>

#include <string>

#include "tests/engine/golden_run.h"

namespace elastic::engine {
namespace {

struct FallbackCase {
  std::string mode;
  std::int64_t limit;  // longest prompt that is dense; 0 = none is
  double share = 1;    // of the heads that are dense then
};

Result run(const std::string& mode, std::int64_t prompt, std::int64_t new_tokens) {
  const auto generator = testing::cpu_generator(testing::demo());
  generator->set_mode(mode);
  return generator->generate(testing::request_of(testing::some_ids(prompt, 7), new_tokens));
}

bool leaves_out_keys(const Result& result) {
  const Trace& trace = result.trace;
  return trace.esr.all_layers > 0 || trace.pv_density || trace.read_share.value_or(1) < 1 ||
         result.kv_bytes < result.kv_bytes_full;
}

TEST(Fallback, CountsTheHeadsOfShortPrompts) {
  const FallbackCase cases[] = {
      {"ssa:sink=16,local=48,block=1", 64},
      {"ssa:sink=100,local=20", 256},  // whole blocks of 128
      {"ssa:sink=16,local=48,prefill=dense,decode=sparse", 64},
      {"ssa:sink=16,local=48,prefill=chunked,prefill_chunk=24,decode=sparse", 64},
      {"fa-ssa:sink=16,local=48,block=1,heads=random,sparsity=0.5", 64, 0.5},
      {"xa:block=16,stride=8,tau=0", 32},
      {"flexprefill:block=16,min=48,gamma=0.1,tau=0", 48},
      {"flashprefill:block=16,sink=1,window=1,last=1,alpha=1", 48},
      {"flashprefill:block=16,sink=1,window=1,last=1,alpha=1,min=4", 80},
      {"skip:scale=50", 50},
      {"moba:chunk=32,topk=2", 64},
      {"infllm2:block=16,topk=4,local=16,dense_len=0", 64},
      {"infllm2:block=16,topk=4,local=16,dense_len=100", 99},
      {"quest:budget=64,page=16,dense=0", 64},
      {"oracle-topk:k=40,sink=2,local=3", 45},
      {"oracle-topp:p=0.5,sink=20,local=30", 50},
      {"snapkv:budget=64,window=8", 64},
      {"streamingllm:budget=64", 64},
  };
  for (const FallbackCase& one : cases) {
    SCOPED_TRACE(one.mode);
    const Result brief = run(one.mode, one.limit, 1);
    EXPECT_EQ(brief.trace.fallback_share, one.share);
    EXPECT_FALSE(leaves_out_keys(brief));
    EXPECT_EQ(run(one.mode, one.limit + 1, 1).trace.fallback_share, 0);
    const Result lengthy = run(one.mode, 4 * one.limit, 2);
    EXPECT_EQ(lengthy.trace.fallback_share, 0);
    EXPECT_TRUE(leaves_out_keys(lengthy));
  }
}

TEST(Fallback, NoneOfMethodsWithoutALimit) {
  for (const std::string mode : {"fa", "nsa:topk=1000"}) {
    EXPECT_EQ(run(mode, 3, 1).trace.fallback_share, 0) << mode;
  }
}

}  // namespace
}  // namespace elastic::engine
