#include "engine/attention/decode_reads.h"

#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>
#include <gtest/gtest.h>

#include "tests/engine/golden_run.h"

namespace elastic::engine {
namespace {

HeadMask ranges(std::vector<KeyRange> own) {
  const auto count = static_cast<std::int64_t>(own.size());
  return {std::move(own), {0, count}};
}

TEST(DecodeReads, HeadsOfAGroupReadTheUnion) {
  const BlockMask mask{
      .query_block = 1,
      .first_block = 9,
      .heads = {ranges({{0, 2}, {6, 10}}), ranges({{1, 3}, {8, 9}}), ranges({}), ranges({{4, 5}})}};
  EXPECT_EQ(keys_of_union(mask, 0, 2), 7) << "0-2 and 6-9";
  EXPECT_EQ(keys_of_union(mask, 2, 2), 1);
  EXPECT_EQ(keys_of_union(mask, 2, 1), 0);
  EXPECT_EQ(keys_of_union(dense_mask({.q_start = 9, .rows = 1, .tokens = 10}), 4, 2), 10);
}

// Keys of the union, the bounds that chose them, and only the values of tiles that were computed.
TEST(DecodeReads, AStepCountsKeysValuesAndBounds) {
  const AttentionInput input{.q = at::zeros({4, 1, 8}),
                             .k = at::zeros({2, 10, 8}),
                             .v = at::zeros({2, 10, 8}),
                             .q_start = 9};
  const BlockMask chosen{
      .query_block = 1, .first_block = 9, .heads = {ranges({{0, 2}}), ranges({{1, 3}})}};
  HeadState state{.tensors = {}, .tokens = 10, .selection_vectors = 4};
  HeadGroups groups;
  groups.groups.push_back({0, {0}, dense_mask(input.span()), {}});
  groups.groups.push_back({1, {1}, chosen, {}});
  DecodeReads reads;
  EXPECT_FALSE(reads.share()) << "no step yet";
  count_step(reads, groups, input, state);
  EXPECT_DOUBLE_EQ(*reads.share(), (2 * 10 + 2 * 3 + 4) / 40.0);
  EXPECT_DOUBLE_EQ(reads.dense, 40 * 8 * 4) << "bytes of fp32 vectors";

  DecodeReads skipped;
  groups.groups.pop_back();
  groups.groups[0].kv_heads = {0, 1};
  groups.groups[0].skip = SkipRule{-1};
  groups.tiles = at::tensor({3, 4}, at::kLong);
  count_step(skipped, groups, input, {});
  EXPECT_DOUBLE_EQ(*skipped.share(), (20 + 20 * 0.75) / 40);
}

// Branches read keys and values of their own; a window of tokens is cut by tokens.
TEST(DecodeReads, BranchesAddUp) {
  const AttentionInput input{.q = at::zeros({2, 1, 8}),
                             .k = at::zeros({1, 10, 8}),
                             .v = at::zeros({1, 10, 8}),
                             .q_start = 9};
  AttentionInput few = input;
  few.k = few.v = at::zeros({1, 3, 8});
  few.q_start = 2;
  HeadGroup group{1, {0}, {}, {}};
  group.branches.push_back({few, dense_mask(few.span()), {}});
  group.branches.push_back(
      {input, streaming_mask({.sink = 0, .local = 4, .block = 1}, input.span()), {}});
  HeadGroups groups;
  groups.groups.push_back(group);
  DecodeReads reads;
  count_step(reads, groups, input, {});
  EXPECT_DOUBLE_EQ(*reads.share(), (2 * 3 + 2 * 4) / 20.0);
}

double read_share(const std::string& mode, std::int64_t prompt, std::int64_t new_tokens) {
  const auto generator = testing::cpu_generator(testing::demo());
  generator->set_mode(mode);
  const Result result =
      generator->generate(testing::request_of(testing::some_ids(prompt, 7), new_tokens));
  EXPECT_EQ(result.trace.read_share.has_value(), new_tokens > 1) << mode;
  return result.trace.read_share.value_or(-1);
}

TEST(DecodeReads, OfWholeGenerations) {
  EXPECT_EQ(read_share("fa", 300, 4), 1);
  EXPECT_EQ(read_share("fa", 300, 1), -1) << "the first token needs no step";
  EXPECT_EQ(read_share("ssa:sink=16,local=64", 300, 4), 1) << "decode reads whole caches";
  // Steps at 301, 302 and 303 keys read 16 + 64.
  EXPECT_NEAR(read_share("ssa:sink=16,local=64,decode=sparse", 300, 4), 240 / 906.0, 1e-12);
  // 4 of 19 pages and the bounds of all 19, for each query head alone: one of them a KV head.
  const double quest = read_share("quest:budget=64,page=16,dense=0,share=group_sum", 300, 2);
  EXPECT_NEAR(quest, (2 * (3 * 16 + 13) + 2 * 19) / 602.0, 1e-12);
  EXPECT_GT(read_share("quest:budget=64,page=16,dense=2,share=group_sum", 300, 2), quest);
  EXPECT_EQ(read_share("quest:budget=64,page=1,dense=0", 40, 3), 1)
      << "short: dense, no bounds read";
}

}  // namespace
}  // namespace elastic::engine
