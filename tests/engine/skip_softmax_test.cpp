// Skip-softmax against the loop over tiles in tests/engine/visibility.h.

#include <ATen/Context.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "engine/attention/attention_backend.h"
#include "engine/attention/cpu_attention.h"
#include "tests/engine/modes.h"
#include "tests/engine/skip_run.h"
#include "tests/engine/stored_tensors.h"
#include "tests/engine/visibility.h"
#include "tests/testing/tolerance.h"

namespace elastic::engine {
namespace {

using testing::compute;
using testing::Computed;
using testing::SkipSetting;
using testing::SkipTiles;
using testing::step_groups;
using testing::tiles_seen;

std::string text_of(const SkipSetting& s) {
  return fmt::format("skip:scale={},decode_scale={},tile={}x{},order={}", s.scale, s.scale, s.rows,
                     s.keys, s.descending ? "descending" : "ascending");
}

// Stretches of 128 keys are strong and weak in turn, so that tiles are skipped in either order.
AttentionInput uneven_input(std::int64_t heads_kv, std::int64_t group, std::int64_t tokens,
                            std::int64_t dim) {
  const at::Tensor k = at::randn({heads_kv, tokens, dim});
  for (std::int64_t j = 0; j < tokens; ++j) {
    if (j / 128 % 2 != 0) k.select(1, j).mul_(0.1);
  }
  return testing::input_of(at::randn({heads_kv * group, tokens, dim}).mul(3), k,
                           at::randn({heads_kv, tokens, dim}));
}

void seed(std::uint64_t value) {
  at::Generator generator = at::globalContext().defaultGenerator(at::kCPU);
  generator.set_current_seed(value);
}

void expect_tiles(const at::Tensor& seen, SkipTiles& wanted, const std::string& what) {
  ASSERT_GT(wanted.margin, 1e-4) << what;
  for (std::int64_t h = 0; h < seen.size(0); ++h) {
    for (std::int64_t t = 0; t < seen.size(1); ++t) {
      for (std::int64_t k = 0; k < seen.size(2); ++k) {
        EXPECT_EQ(seen[h][t][k].item<bool>(), wanted.kept.at(h, t, k) > 0)
            << what << " head " << h << " tile " << t << ", " << k;
      }
    }
  }
}

TEST(SkipSoftmax, TilesAndTheirCountsAreThoseOfTheLoop) {
  seed(4);
  for (const SkipSetting& s : {SkipSetting{40, 64, 128},
                               {20, 64, 128, true},
                               {60, 128, 32},
                               {60, 32, 48, true},
                               {100, 16, 1000}}) {
    const AttentionInput input = uneven_input(2, 2, 430, 16);
    const HeadGroups groups = testing::groups_of(text_of(s), input);
    SkipTiles wanted = skip_tiles(input, s);
    compute(input, groups);
    EXPECT_EQ(groups.tiles[0].item<std::int64_t>(), wanted.computed) << text_of(s);
    EXPECT_EQ(groups.tiles[1].item<std::int64_t>(), wanted.causal) << text_of(s);
    EXPECT_EQ(wanted.computed < wanted.causal, s.keys < 430) << text_of(s);
    expect_tiles(tiles_seen(input, groups, s.rows, s.keys), wanted, text_of(s));
  }
}

TEST(SkipSoftmax, HeadsOfAStepDecideTogether) {
  seed(6);
  for (const bool descending : {false, true}) {
    const AttentionInput whole = uneven_input(2, 3, 1000, 16);
    for (const std::int64_t tokens : {1, 127, 128, 129, 640, 1000}) {
      const AttentionInput input = testing::input_of(
          whole.q.narrow(1, 7, 1), whole.k.narrow(1, 0, tokens), whole.v.narrow(1, 0, tokens));
      const SkipSetting s{0.3 * static_cast<double>(tokens), 1, 128, descending, true};
      SkipTiles wanted = skip_tiles(input, s);
      EXPECT_TRUE(tokens < 640 || wanted.computed < wanted.causal) << tokens;
      expect_tiles(tiles_seen(input, step_groups(text_of(s), input), 1, s.keys), wanted,
                   fmt::format("{} keys", tokens));
    }
  }
}

// Every instruction set passes over the tiles that the composition does, more than a task's rows
// and in both types; the rest it computes alike.
TEST(SkipSoftmax, KernelsPassOverTheSameTiles) {
  seed(5);
  const CpuKernelList list = all_cpu_kernels();
  for (const SkipSetting& s : {SkipSetting{40, 64, 128},
                               {20, 64, 128, true},
                               {60, 128, 32},
                               {60, 32, 48, true},
                               {30, 1, 100}}) {
    const AttentionInput whole = uneven_input(2, 2, 700, 20);
    for (const at::ScalarType type : {at::kFloat, at::kBFloat16}) {
      AttentionInput input = whole;
      input.q = whole.q.narrow(1, 128, 572).to(type);
      input.k = whole.k.to(type);
      input.v = whole.v.to(type);
      input.q_start = 128;
      const HeadGroups groups = testing::groups_of(text_of(s), input);
      const SkipRule& rule = *groups.groups[0].skip;
      ASSERT_TRUE(kernels_take(rule));
      const auto run = [&](const auto& attention) {
        Computed result{at::zeros(input.q.sizes(), type), at::zeros({4, 572})};
        at::Tensor tiles = at::zeros({2}, at::kLong);
        attention(tiles, result);
        EXPECT_LT(tiles[0].item<std::int64_t>(), tiles[1].item<std::int64_t>()) << text_of(s);
        return std::pair{result, tiles};
      };
      const std::vector<int> heads = {1};
      const auto [wanted, wanted_tiles] = run([&](const at::Tensor& tiles, Computed& result) {
        skip_softmax_attention(input, heads, rule, tiles, result.out, &result.lse);
      });
      for (int i = 0; i < list.count; ++i) {
        const auto [got, tiles] = run([&](const at::Tensor& counted, Computed& result) {
          cpu_skip_attention(input, heads, rule, counted, result.out, &result.lse, *list.sets[i]);
        });
        EXPECT_TRUE(tiles.equal(wanted_tiles)) << text_of(s) << " " << list.sets[i]->name;
        const double near = type == at::kFloat ? testing::kAttentionFp32 : testing::kAttentionBf16;
        EXPECT_LT((got.out - wanted.out).abs().max().item<double>(), near) << text_of(s);
        EXPECT_LT((got.lse - wanted.lse).abs().max().item<double>(), 1e-4) << text_of(s);
      }
    }
  }
}

// Chunks of a prompt end where its query tiles do.
TEST(SkipSoftmax, ChunksGiveWhatTheWholePromptGives) {
  seed(8);
  for (const SkipSetting& s :
       {SkipSetting{40, 64, 128}, {20, 64, 128, true}, {60, 128, 48}, {60, 32, 48, true}}) {
    const AttentionInput whole = uneven_input(2, 2, 700, 16);
    const HeadGroups groups = testing::groups_of(text_of(s), whole);
    const Computed wanted = compute(whole, groups);
    at::Tensor tiles = at::zeros({2}, at::kLong);
    for (const std::int64_t chunk : {128, 256, 640}) {
      tiles.zero_();
      for (std::int64_t start = 0; start < 700; start += chunk) {
        const std::int64_t rows = std::min<std::int64_t>(chunk, 700 - start);
        AttentionInput part = whole;
        part.q = whole.q.narrow(1, start, rows);
        part.q_start = start;
        const HeadGroups some = testing::groups_of(text_of(s), part);
        const Computed got = compute(part, some);
        EXPECT_TRUE(got.out.equal(wanted.out.narrow(1, start, rows))) << text_of(s) << " " << start;
        EXPECT_TRUE(got.lse.equal(wanted.lse.narrow(1, start, rows))) << text_of(s) << " " << start;
        tiles.add_(some.tiles);
      }
      EXPECT_TRUE(tiles.equal(groups.tiles)) << text_of(s) << " in chunks of " << chunk;
    }
    EXPECT_LT(tiles[0].item<std::int64_t>(), tiles[1].item<std::int64_t>());
  }
}

// Where only the device knows which heads skip, the rule goes to those it decided for.
TEST(SkipSoftmax, DecidedHeadsKeepTheirRule) {
  seed(9);
  const AttentionInput input = uneven_input(3, 2, 300, 16);
  const HeadGroups all = testing::groups_of("skip:scale=40", input);
  const Computed skipped = compute(input, all);
  HeadGroups decided{{{0, every_head(3), dense_mask(input.span()), {}}, all.groups[0]},
                     at::tensor(std::vector<std::uint8_t>{0, 1, 0}, at::kByte),
                     at::zeros({2}, at::kLong)};
  const Computed got = compute(input, decided);
  EXPECT_TRUE(got.out.narrow(0, 2, 2).equal(skipped.out.narrow(0, 2, 2)));
  EXPECT_FALSE(got.out.narrow(0, 0, 2).allclose(skipped.out.narrow(0, 0, 2)));
  EXPECT_EQ(decided.tiles[1].item<std::int64_t>(), 2 * (1 + 1 + 2 + 2 + 3));
}

}  // namespace
}  // namespace elastic::engine
