// Which attention an accelerator's tensors get, seen by tensors that hold nothing and functions
// that count; and the reference where its sums would overflow.

#include "engine/attention/masked_attention.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>
#include <gtest/gtest.h>

#include <stdexcept>
#include <string>
#include <vector>

#include "engine/attention/reference.h"
#include "engine/attention/registry.h"
#include "engine/model/decode_attention.h"
#include "tests/engine/all_heads.h"
#include "tests/testing/tolerance.h"

namespace elastic::engine {
namespace {

int dense_calls = 0, masked_calls = 0, decode_calls = 0;

// The table as an accelerator's library would fill it, for as long as the test runs.
class CountingDevice : public ::testing::Test {
 protected:
  CountingDevice() : before_(device_attention()) {
    dense_calls = masked_calls = decode_calls = 0;
    device_attention() = {
        .dense = [](const AttentionInput&, std::span<const int>, at::Tensor&) { ++dense_calls; },
        .masked = [](const AttentionInput&, std::span<const int>, const BlockMask&,
                     at::Tensor&) { ++masked_calls; },
        .decode =
            [](const at::Tensor& q, const at::Tensor&, const at::Tensor&) {
              ++decode_calls;
              return q;
            }};
  }
  ~CountingDevice() override { device_attention() = before_; }

  static AttentionInput input(std::int64_t rows, at::Device device) {
    const at::TensorOptions options = at::TensorOptions(at::kFloat).device(device);
    return {at::empty({2, rows, 8}, options).zero_(), at::empty({1, 300, 8}, options).zero_(),
            at::empty({1, 300, 8}, options).zero_(), 0, 1};
  }
  // "dense", "masked" or "none" of the table's functions.
  static std::string called(const AttentionInput& in, const std::vector<int>& heads,
                            const BlockMask& mask, at::Tensor* lse = nullptr) {
    dense_calls = masked_calls = 0;
    at::Tensor out = at::empty(in.q.sizes(), in.q.options());
    try {
      masked_attention(in, heads, mask, out, lse);
    } catch (const std::exception&) {  // what holds nothing cannot be computed here
    }
    EXPECT_LE(dense_calls + masked_calls, 1);
    return dense_calls > 0 ? "dense" : masked_calls > 0 ? "masked" : "none";
  }

  DeviceAttention before_;
};

TEST_F(CountingDevice, TakesItsTensorsAndNoOthers) {
  const AttentionInput there = input(300, at::kMeta), here = input(300, at::kCPU);
  const BlockMask dense = dense_mask(there.span());
  const BlockMask window = streaming_mask({.sink = 128, .local = 128}, {0, 300, 300});
  ASSERT_TRUE(dense.dense);
  BlockMask sparse = window;
  sparse.dense = false;
  EXPECT_EQ(called(there, {0}, dense), "dense");
  EXPECT_EQ(called(there, {0}, sparse), "masked");
  EXPECT_EQ(called(here, {0}, dense), "none");
  at::Tensor lse = at::empty({2, 300}, at::TensorOptions(at::kFloat).device(at::kMeta));
  EXPECT_EQ(called(there, {0}, dense, &lse), "none") << "these functions give no lse";
  EXPECT_EQ(called(there, {}, dense), "none");
  EXPECT_EQ(called(input(0, at::kMeta), {0}, dense_mask({0, 0, 300})), "none");
  EXPECT_EQ(called(input(1, at::kMeta), {0}, dense_mask({0, 1, 300})), "dense");
  device_attention().dense = nullptr;
  EXPECT_EQ(called(there, {0}, dense), "masked");
  device_attention().masked = nullptr;
  EXPECT_EQ(called(there, {0}, dense), "none");
}

TEST_F(CountingDevice, DecodesItsTensorsWithItsOwnFunction) {
  const at::TensorOptions options = at::TensorOptions(at::kFloat).device(at::kMeta);
  const at::Tensor q = at::empty({1, 2, 8}, options), out = at::empty({1, 2, 8}, options);
  const KvView view{{}, at::empty({1, 5, 8}, options), at::empty({1, 5, 8}, options)};
  decode_attention(q, {view, view}, out);
  EXPECT_EQ(decode_calls, 2);
  device_attention().decode = nullptr;
  EXPECT_THROW(decode_attention(q, {view}, out), std::logic_error);
  const at::Tensor here = at::zeros({1, 2, 8});
  decode_attention(here, {{{}, at::zeros({1, 5, 8}), at::zeros({1, 5, 8})}}, here);
  EXPECT_EQ(decode_calls, 2);
}

// Heads that a view names are those that it is written to, each over its own rows.
TEST(DecodeAttention, ViewsOfSomeHeadsAreWrittenToTheirs) {
  const at::Tensor q = at::randn({3, 2, 16}), out = at::zeros({3, 2, 16});
  const auto view = [](const std::vector<std::int64_t>& heads, std::int64_t tokens) {
    const auto count = static_cast<std::int64_t>(heads.size());
    return KvView{at::tensor(heads), at::randn({count, tokens, 16}),
                  at::randn({count, tokens, 16})};
  };
  const std::vector<KvView> views = {view({0, 2}, 7), view({1}, 40)};
  decode_attention(q, views, out);
  for (const KvView& v : views) {
    for (std::int64_t i = 0; i < v.k.size(0); ++i) {
      const std::int64_t head = v.heads[i].item<std::int64_t>();
      const AttentionInput alone{q[head].unsqueeze(1), v.k.narrow(0, i, 1), v.v.narrow(0, i, 1),
                                 v.k.size(1) - 1, 0.25};
      const at::Tensor wanted =
          reference_attention(alone, std::vector<int>{0}, dense_mask(alone.span())).out.squeeze(1);
      EXPECT_LT((out[head].to(at::kDouble) - wanted).abs().max().item<double>(),
                testing::kAttentionFp32);
    }
  }
}

// Scores of 0, 2000 and 1000 times 0.5: only the largest counts, and its lse is itself.
TEST(Reference, LargeScoresDoNotOverflow) {
  const auto column = [](const std::vector<float>& values) {
    return at::tensor(values).view({1, static_cast<std::int64_t>(values.size()), 1});
  };
  for (const std::vector<float>& keys : std::vector<std::vector<float>>{{0, 2, 1}, {2, 1, 0}}) {
    const AttentionInput input{column({1000}), column(keys),
                               column({keys[0] + 5, keys[1] + 5, keys[2] + 5}), 2, 0.5};
    const ReferenceAttention result =
        reference_attention(input, std::vector<int>{0}, dense_mask(input.span()));
    EXPECT_DOUBLE_EQ(result.out.item<double>(), 7);
    EXPECT_DOUBLE_EQ(result.lse.item<double>(), 1000);
  }
}

// Heads that were not asked for stay 0, and their lse says that they saw nothing.
TEST(Reference, OnlyTheHeadsAskedForAreComputed) {
  const AttentionInput input{at::randn({6, 4, 8}), at::randn({3, 4, 8}), at::randn({3, 4, 8}), 0,
                             0.3};
  const ReferenceAttention some =
      reference_attention(input, std::vector<int>{1}, dense_mask(input.span()));
  for (std::int64_t h = 0; h < 6; ++h) {
    EXPECT_EQ(some.lse[h].isinf().all().item<bool>(), h / 2 != 1) << h;
    EXPECT_EQ(some.out[h].abs().max().item<double>() == 0, h / 2 != 1) << h;
  }
}

// So many keys times heads that one block of rows is taken at a time.
TEST(Attention, FarRowsAreComposedBlockByBlock) {
  constexpr std::int64_t kStart = 131072 + 50, kRows = 300, kHeads = 8;
  const AttentionInput input{at::randn({kHeads, kRows, 2}), at::randn({1, kStart + kRows, 2}),
                             at::randn({1, kStart + kRows, 2}), kStart, 0.7};
  const BlockMask mask = streaming_mask({.sink = 128, .local = 128}, input.span());
  at::Tensor wanted = at::zeros({kHeads, kRows, 2}), out = at::zeros({kHeads, kRows, 2});
  at::Tensor lse = at::zeros({kHeads, kRows}), wanted_lse = at::zeros({kHeads, kRows});
  masked_attention(input, testing::all_heads(input), mask, wanted, &wanted_lse);
  composed_attention(input, testing::all_heads(input), mask, out, &lse);
  EXPECT_LT((out - wanted).abs().max().item<double>(), testing::kAttentionFp32);
  EXPECT_LT((lse - wanted_lse).abs().max().item<double>(), 1e-4);
}

TEST(Attention, ModesSayWhatTheyAre) {
  for (const ModeEntry& entry : head_modes()) {
    ModeOptions options(entry.name);
    const std::unique_ptr<HeadMode> mode = entry.make(options, {});
    EXPECT_EQ(mode->name(), entry.name);
    EXPECT_EQ(mode->is_sparse(), std::string(entry.name) != "fa");
  }
}

}  // namespace
}  // namespace elastic::engine
