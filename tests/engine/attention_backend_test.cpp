// Which backend a device's tensors reach, decisions that stay on the device, and the reference
// where its sums would overflow.

#include "engine/attention/attention_backend.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/full.h>
#include <ATen/ops/rand.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>
#include <gtest/gtest.h>

#include <stdexcept>
#include <string>
#include <vector>

#include "engine/attention/composed_attention.h"
#include "engine/attention/head_policy.h"
#include "engine/attention/reference.h"
#include "engine/attention/registry.h"
#include "engine/model/decode_attention.h"
#include "tests/engine/all_heads.h"
#include "tests/testing/tolerance.h"

namespace elastic::engine {
namespace {

// Of an accelerator's library: counts what reaches it.
class CountingBackend final : public AttentionBackend {
 public:
  void prefill(const AttentionInput&, const HeadGroups& groups, at::Tensor&,
               at::Tensor*) const override {
    prefills += 1;
    groups_seen += groups.groups.size();
  }
  void decode(std::span<const DecodeRow> rows) const override {
    decodes += 1;
    rows_seen += rows.size();
  }
  mutable std::size_t prefills = 0, groups_seen = 0, decodes = 0, rows_seen = 0;
};

class InstalledBackend : public ::testing::Test {
 protected:
  InstalledBackend() { install_attention_backend(at::kMeta, &backend_); }
  ~InstalledBackend() override { install_attention_backend(at::kMeta, nullptr); }

  static AttentionInput input(at::Device device) {
    const at::TensorOptions options = at::TensorOptions(at::kFloat).device(device);
    return {at::zeros({2, 300, 8}, options), at::zeros({1, 300, 8}, options),
            at::zeros({1, 300, 8}, options), 0, 1};
  }
  CountingBackend backend_;
};

TEST_F(InstalledBackend, TakesTheTensorsOfItsDeviceAndNoOthers) {
  for (const auto& [device, taken] : {std::pair(at::kMeta, 1u), {at::kCPU, 0u}}) {
    const AttentionInput in = input(device);
    at::Tensor out = at::empty(in.q.sizes(), in.q.options());
    backend_.prefills = backend_.decodes = backend_.rows_seen = 0;
    masked_attention(in, std::vector<int>{0}, dense_mask(in.span()), out);
    EXPECT_EQ(backend_.prefills, taken);
    const at::Tensor q = in.q.narrow(1, 0, 1).view({1, 2, 8}), row = out.narrow(1, 0, 1);
    const KvView view{{}, in.k, in.v};
    decode_attention(std::vector<DecodeRead>{{q, {view}, row.view({1, 2, 8})},
                                             {q, {view, view}, row.view({1, 2, 8})}});
    EXPECT_EQ(backend_.decodes, taken) << "one call for the batch";
    EXPECT_EQ(backend_.rows_seen, 3 * taken);
  }
  install_attention_backend(at::kMeta, nullptr);
  EXPECT_EQ(&attention_backend(at::kMeta), &composed_backend());
}

AttentionInput random_input(std::int64_t heads_kv, std::int64_t start, std::int64_t rows) {
  return {at::randn({2 * heads_kv, rows, 16}), at::randn({heads_kv, start + rows, 16}),
          at::randn({heads_kv, start + rows, 16}), start, 0.25};
}

// A choice of `heads` query heads: the diagonal, and about half of what stands before it.
BlockChoice random_choice(std::int64_t heads, std::int64_t side, const RowSpan& span) {
  const std::int64_t first = span.q_start / side, end = (span.q_start + span.rows - 1) / side + 1;
  const at::Tensor own = at::arange(first, end).unsqueeze(1), key = at::arange(end).unsqueeze(0);
  const at::Tensor keep = at::rand({heads, end - first, end}).gt(0.5).logical_or(key == own);
  return {keep.logical_and(key <= own), side};
}

// Heads whose bytes lie on the device are those that the host would list.
TEST(DecidedGroups, EqualListedOnes) {
  const AttentionInput in = random_input(4, 256, 200);
  const BlockMask dense = dense_mask(in.span());
  const BlockChoice choice = random_choice(8, 64, in.span());
  for (const std::vector<std::uint8_t>& decided :
       std::vector<std::vector<std::uint8_t>>{{0, 1, 1, 0}, {1, 1, 1, 1}, {0, 0, 0, 0}}) {
    HeadGroups candidates{{{0, every_head(4), dense, {}}, {1, every_head(4), {}, choice}},
                          at::tensor(decided, at::kByte)};
    std::vector<int> full, sparse;
    std::vector<at::Tensor> keep;
    for (int head = 0; head < 4; ++head) {
      const bool is_sparse = decided[static_cast<std::size_t>(head)] != 0;
      (is_sparse ? sparse : full).push_back(head);
      if (is_sparse) keep.push_back(choice.keep.narrow(0, std::int64_t{2} * head, 2));
    }
    HeadGroups listed;
    if (!full.empty()) listed.groups.push_back({0, full, dense, {}});
    if (!sparse.empty()) listed.groups.push_back({1, sparse, {}, {at::cat(keep), 64}});
    at::Tensor got = at::full(in.q.sizes(), 7.0), wanted = at::full(in.q.sizes(), 8.0);
    at::Tensor lse = at::full({8, 200}, 7.0), wanted_lse = at::full({8, 200}, 8.0);
    attention_backend(at::kCPU).prefill(in, candidates, got, &lse);
    attention_backend(at::kCPU).prefill(in, listed, wanted, &wanted_lse);
    EXPECT_TRUE(got.equal(wanted) && lse.equal(wanted_lse));
  }
}

// Of all layers in one copy; what the host knew already stays.
TEST(Decisions, AreReadTogether) {
  std::vector<HeadDecision> decisions(3);
  decisions[0].device_logits = at::tensor({1.f, 2.f, 3.f, 3.f}).view({2, 2});
  decisions[0].device_sparse = at::tensor({0, 1}, at::kByte);
  decisions[1].is_sparse = {1, 0};
  decisions[2].device_logits = at::tensor({0.f, -1.f, -2.f, 5.f}).view({2, 2});
  decisions[2].device_sparse = at::tensor({1, 0}, at::kByte);
  read_decisions(decisions);
  EXPECT_EQ(decisions[0].is_sparse, (std::vector<std::uint8_t>{0, 1}));
  EXPECT_EQ(decisions[1].is_sparse, (std::vector<std::uint8_t>{1, 0}));
  EXPECT_TRUE(decisions[1].router_logits.empty());
  EXPECT_EQ(decisions[2].is_sparse, (std::vector<std::uint8_t>{1, 0}));
  EXPECT_EQ(decisions[0].router_logits[1], (std::array<float, 2>{3, 3}));
  EXPECT_EQ(decisions[2].router_logits[1], (std::array<float, 2>{-2, 5}));
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
  decode_attention(std::vector<DecodeRead>{{q, views, out}});
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
