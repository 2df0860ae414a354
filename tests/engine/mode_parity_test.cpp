// Every head mode against attention in double precision under a mask that
// tests/engine/*visibility.h make on their own: what a mode selects and what it computes are both
// held against the specification.

#include <ATen/Context.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/full.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "engine/api/mode_list.h"
#include "engine/attention/attention_backend.h"
#include "engine/attention/registry.h"
#include "engine/attention/xattention.h"
#include "tests/engine/modes.h"
#include "tests/engine/prefill_visibility.h"
#include "tests/engine/row_visibility.h"
#include "tests/engine/visibility.h"
#include "tests/testing/tolerance.h"

namespace elastic::engine {
namespace {

using testing::Visibility;

// fp64 [heads_q, rows, head_dim], key by key.
at::Tensor attention_by_definition(const AttentionInput& input, const Visibility& visible) {
  const at::Tensor q = input.q.to(at::kDouble), k = input.k.to(at::kDouble),
                   v = input.v.to(at::kDouble);
  const std::int64_t group = q.size(0) / k.size(0);
  at::Tensor out = at::zeros(q.sizes(), at::kDouble);
  for (std::int64_t h = 0; h < q.size(0); ++h) {
    const at::Tensor scores = q[h].matmul(k[h / group].t()).mul(input.scale).exp();
    at::Tensor weights = at::zeros_like(scores);
    const auto from = scores.accessor<double, 2>();
    auto to = weights.accessor<double, 2>();
    for (std::int64_t i = 0; i < q.size(1); ++i) {
      const std::int64_t p = input.q_start + i;
      for (std::int64_t j = 0; j <= p; ++j) {
        if (visible(h, p, j)) to[i][j] = from[i][j];
      }
    }
    out[h].copy_(weights.matmul(v[h / group]).div(weights.sum(1, true).clamp_min(1e-300)));
  }
  return out;
}

struct ParityCase {
  std::string mode;
  std::int64_t start_step;  // rows start at multiples of this
  std::function<Visibility(const AttentionInput&)> visible;
  bool whole_prompt = false;  // rows are all of the tokens, now and then
};

ParityCase xattention_case(const std::string& mode, const testing::XattentionSetting& s) {
  return {mode, s.block,
          [s](const AttentionInput& input) { return testing::xattention_visibility(input, s); }};
}

ParityCase streaming_case(std::int64_t sink, std::int64_t local, std::int64_t block) {
  return {fmt::format("ssa:sink={},local={},block={}", sink, local, block), 1,
          [=](const AttentionInput&) { return testing::streaming_visibility(sink, local, block); }};
}

ParityCase chunked_case(std::int64_t sink, std::int64_t local, std::int64_t chunk) {
  return {fmt::format("ssa:sink={},local={},prefill=chunked,prefill_chunk={}", sink, local, chunk),
          1, [=](const AttentionInput& input) {
            return testing::rolling_cache_visibility(input.k.size(1), sink, local, chunk);
          }};
}

ParityCase skip_case(const std::string& mode, const testing::SkipSetting& s) {
  return {mode, 1, [s](const AttentionInput& input) { return testing::skip_visibility(input, s); }};
}

ParityCase flex_case(const std::string& options, const testing::FlexSetting& s) {
  return {"flexprefill" + options, 1,
          [s](const AttentionInput& input) { return testing::flex_visibility(input, s); }, true};
}

ParityCase flash_case(const std::string& options, const testing::FlashSetting& s) {
  return {"flashprefill:" + options, s.block,
          [s](const AttentionInput& input) { return testing::flash_visibility(input, s); }};
}

ParityCase moba_case(std::int64_t chunk, std::int64_t topk) {
  return {fmt::format("moba:chunk={},topk={}", chunk, topk), 1, [=](const AttentionInput& input) {
            return testing::moba_visibility(input, chunk, topk);
          }};
}

ParityCase infllm_case(const testing::InfllmSetting& s) {
  return {fmt::format("infllm2:kernel={},stride={},coarse={},coarse_stride={},block={},init={},"
                      "local={},topk={},dense_len=0,rounding={}",
                      s.kernel, s.stride, s.coarse, s.coarse_stride, s.block, s.init, s.local,
                      s.topk, s.is_public ? "public" : "exact"),
          1, [s](const AttentionInput& input) { return testing::infllm_visibility(input, s); }};
}

std::vector<ParityCase> parity_cases() {
  const auto everything = [](const AttentionInput&) { return [](auto...) { return true; }; };
  return {
      {"fa", 1, everything},
      {"quest:budget=16", 1, everything},  // prefill is dense, of these as well
      {"oracle-topk:k=4", 1, everything},
      {"oracle-topp:p=0.1", 1, everything},
      {"snapkv:budget=4,window=2", 1, everything},
      {"tova:budget=4", 1, everything},
      {"streamingllm:budget=8", 1, everything},
      {"expected-attention:budget=8", 1, everything},
      streaming_case(128, 128, 128),
      streaming_case(0, 256, 128),
      streaming_case(100, 130, 128),  // rounded up to blocks
      streaming_case(7, 50, 1),
      streaming_case(0, 1, 1),
      {"ssa:sink=3,local=5,prefill=dense", 1, everything},
      chunked_case(7, 20, 64),
      chunked_case(0, 1, 30),
      chunked_case(130, 100, 256),
      chunked_case(5, 90, 17),
      chunked_case(0, 40, 100000),  // the prompt is one chunk
      xattention_case("xa:stride=4,tau=0.6,block=16", {4, 16, {0.6}}),
      xattention_case("xa:stride=8,tau=0.8,block=32", {8, 32, {0.8}}),
      xattention_case("xa:stride=16,tau=0,block=64", {16, 64, {0}}),
      xattention_case("xa:stride=16,tau=1,block=32", {16, 32, {1}}),
      xattention_case("xa:stride=1,tau=0.5,block=8", {1, 8, {0.5}}),
      xattention_case("xa:tau=0.7", {16, 128, {0.7}}),
      xattention_case("xa:stride=8,tau=0.6,block=16,rule=public,chunk=64", {8, 16, {0.6}, true, 4}),
      xattention_case("xa:stride=4,tau=0.9,block=32,rule=public", {4, 32, {0.9}, true, 64}),
      xattention_case("xa:stride=4,tau=0,block=16,rule=public", {4, 16, {0}, true, 128}),
      flex_case(":gamma=0.7,tau=0,block=16,min=16", {0.7, 0, 16, 16}),
      flex_case(":gamma=0.99,tau=0,block=8,min=1", {0.99, 0, 8, 1}),
      flex_case(":gamma=0.6,tau=1,block=16,min=17", {0.6, 1, 16, 17}),
      flex_case(":gamma=0.8,tau=0.3,block=8,min=8,max=16", {0.8, 0.3, 8, 8, 16}),
      flex_case(":gamma=0.999,tau=0,block=4,min=4,max=4", {0.999, 0, 4, 4, 4}),
      flex_case(":gamma=0,tau=1,block=32,min=32", {0, 1, 32, 32}),
      flex_case("", {}),  // dense: no prompt is that long
      flash_case("alpha=0.5,block=16,sink=1,window=1,last=1", {0.5, 16, 1, 1, 1}),
      flash_case("alpha=0.9,block=8,sink=0,window=1,last=0", {0.9, 8, 0, 1, 0}),
      flash_case("alpha=1,block=16,sink=0,window=2,last=0,min=3", {1, 16, 0, 2, 0, 3}),
      flash_case("alpha=0.3,block=32", {0.3, 32}),
      flash_case("alpha=0.7,sink=0,window=1,last=0", {0.7, 128, 0, 1, 0}),
      flash_case("alpha=0,block=8,sink=0,window=1,last=0", {0, 8, 0, 1, 0}),
      skip_case("skip:scale=90,tile=1x16", {90, 1, 16}),
      skip_case("skip:scale=60,tile=2x8,order=descending", {60, 2, 8, true}),
      skip_case("skip:scale=99.5,tile=4x7", {99.5, 4, 7}),
      skip_case("skip:scale=30,tile=64x128", {30, 64, 128}),
      skip_case("skip:scale=2048,tile=8x16", {2048, 8, 16}),  // dense: no prompt is that long
      skip_case("skip:scale=0", {1e-300, 64, 128}),
      moba_case(16, 3),
      moba_case(7, 1),
      moba_case(33, 100),
      infllm_case({8, 4, 32, 16, 16, 1, 16, 4}),
      infllm_case({16, 16, 16, 16, 16, 0, 0, 3}),
      infllm_case({4, 2, 16, 8, 8, 2, 24, 9, true}),
      infllm_case({.local = 128, .topk = 5}),
  };
}

TEST(ModeParity, EveryModeHasCases) {
  std::set<std::string> tried;
  for (const ParityCase& one : parity_cases()) tried.insert(one.mode.substr(0, one.mode.find(':')));
  tried.insert("nsa");  // has no mask: nsa_test.cpp
  for (const ModeEntry& entry : head_modes()) {
    EXPECT_TRUE(tried.contains(entry.name)) << entry.name;
    EXPECT_FALSE(has_two_modes(entry.name)) << entry.name;
  }
}

TEST(ModeParity, EveryModeEqualsItsDefinition) {
  std::mt19937 random(5);
  const auto pick = [&](std::int64_t low, std::int64_t high) {
    return std::uniform_int_distribution<std::int64_t>(low, high)(random);
  };
  at::Generator generator = at::globalContext().defaultGenerator(at::kCPU);
  generator.set_current_seed(11);
  for (const ParityCase& one : parity_cases()) {
    for (int trial = 0; trial < 3; ++trial) {
      const std::int64_t heads_kv = pick(1, 2), group = pick(1, 3), dim = 8 * pick(1, 3);
      const bool whole = one.whole_prompt && trial > 0;
      const std::int64_t start = whole ? 0 : pick(0, 260) / one.start_step * one.start_step;
      const std::int64_t rows = pick(1, 200), tokens = start + rows + (whole ? 0 : pick(0, 40));
      const AttentionInput input{
          at::randn({heads_kv * group, rows, dim}).mul(2), at::randn({heads_kv, tokens, dim}),
          at::randn({heads_kv, tokens, dim}), start, 1 / std::sqrt(static_cast<double>(dim))};
      at::Tensor out = at::full(input.q.sizes(), 7.0);
      attention_backend(at::kCPU).prefill(input, testing::groups_of(one.mode, input), out, nullptr);
      const at::Tensor wanted = attention_by_definition(input, one.visible(input));
      EXPECT_LT((out.to(at::kDouble) - wanted).abs().max().item<double>(), testing::kAttentionFp32)
          << one.mode << ": " << heads_kv << " x " << group << " heads of " << dim << ", rows "
          << start << "+" << rows << " of " << tokens;
    }
  }
}

// Heads of a subset are the same heads alone, whatever stands beside them.
TEST(ModeParity, MasksOfASubsetAreThoseOfItsHeads) {
  const AttentionInput input{at::randn({6, 150, 16}), at::randn({3, 150, 16}),
                             at::randn({3, 150, 16}), 0, 0.25};
  const auto same = [](const HeadMask& a, const HeadMask& b) {
    return a.offsets == b.offsets &&
           std::equal(a.ranges.begin(), a.ranges.end(), b.ranges.begin(), b.ranges.end(),
                      [](const KeyRange& x, const KeyRange& y) {
                        return x.begin == y.begin && x.end == y.end;
                      });
  };
  for (const char* text : {"xa:stride=4,tau=0.6,block=16", "flexprefill:tau=0.3,block=16,min=16",
                           "flashprefill:alpha=0.8,block=16,sink=0,window=1,last=0"}) {
    const auto mode = testing::mode_of(text);
    const BlockMask all = mode->block_mask(input, std::vector<int>{0, 1, 2});
    const BlockMask some = mode->block_mask(input, std::vector<int>{2, 0});
    ASSERT_EQ(some.heads.size(), 4u) << text;
    EXPECT_TRUE(same(some.heads[0], all.heads[4]) && same(some.heads[1], all.heads[5])) << text;
    EXPECT_TRUE(same(some.heads[2], all.heads[0]) && same(some.heads[3], all.heads[1])) << text;
    EXPECT_FALSE(same(all.heads[0], all.heads[5])) << text;
  }
}

// A call in slices selects what one call does: the layer's rows come in chunks.
TEST(ModeParity, SlicesOfRowsSelectTheSameBlocks) {
  const std::int64_t rows = 300, block = 16;
  const AttentionInput whole{at::randn({2, rows, 16}), at::randn({1, rows, 16}),
                             at::randn({1, rows, 16}), 0, 0.25};
  for (const char* text :
       {"xa:stride=4,tau=0.6,block=16", "xa:stride=8,tau=0.7,block=16,rule=public,chunk=64",
        "flashprefill:alpha=0.8,block=16,sink=0,window=1,last=2,min=2"}) {
    const auto mode = testing::mode_of(text);
    const BlockMask all = mode->block_mask(whole, std::vector<int>{0});
    for (const std::int64_t start : {std::int64_t{0}, 5 * block, 11 * block}) {
      AttentionInput part = whole;
      part.q_start = start;
      part.q = whole.q.narrow(1, start, std::min<std::int64_t>(7 * block, rows - start));
      const BlockMask mask = mode->block_mask(part, std::vector<int>{0});
      for (std::int64_t p = start; p < start + part.q.size(1); p += block) {
        for (std::int64_t j = 0; j <= p; j += block) {
          for (std::int64_t h = 0; h < 2; ++h) {
            EXPECT_EQ(is_visible(mask, h, p, j), is_visible(all, h, p, j)) << text << start << j;
          }
        }
      }
    }
  }
}

TEST(Xattention, DefaultChunkOfThePublishedCode) {
  const std::vector<std::pair<std::int64_t, std::int64_t>> rows = {
      {1, 2048},     {2048, 2048},  {2049, 4096},   {8192, 8192},  {16384, 16384},
      {32768, 8192}, {65536, 4096}, {131072, 2048}, {262144, 2048}};
  for (const auto& [tokens, chunk] : rows) {
    EXPECT_EQ(default_xattention_chunk(tokens), chunk) << tokens;
  }
}

}  // namespace
}  // namespace elastic::engine
