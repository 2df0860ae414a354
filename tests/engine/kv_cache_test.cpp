// The cache against plain copies of what was stored: whole heads keep every row, cut heads the
// first `sink` and the last `local`.

#include "engine/model/kv_cache.h"

#include <ATen/ops/from_blob.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/tensor.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <stdexcept>

namespace elastic::engine {
namespace {

using Row = std::vector<float>;
using Rows = std::vector<Row>;
constexpr std::int64_t kHeads = 3, kDim = 4, kPrompt = 23, kSteps = 19;

Rows rows_of(const at::Tensor& head) {
  const at::Tensor all = head.contiguous();  // [tokens, head_dim]
  Rows rows;
  for (std::int64_t t = 0; t < all.size(0); ++t) {
    const float* row = all.const_data_ptr<float>() + t * all.size(1);
    rows.emplace_back(row, row + all.size(1));
  }
  return rows;
}

Rows sorted(Rows rows) {
  std::sort(rows.begin(), rows.end());
  return rows;
}

struct Stored {
  at::Tensor k = at::randn({kHeads, kPrompt + kSteps, kDim});
  at::Tensor v = at::randn({kHeads, kPrompt + kSteps, kDim});
};

// Rows [0, sink) and [tokens - local, tokens) of a head.
Rows kept(const at::Tensor& all, std::int64_t head, std::int64_t tokens, std::int64_t sink,
          std::int64_t local) {
  Rows rows = rows_of(all[head].narrow(0, 0, sink));
  for (Row& row : rows_of(all[head].narrow(0, tokens - local, local))) rows.push_back(row);
  return sorted(std::move(rows));
}

void expect_step(const KvCache& cache, const Stored& stored, std::int64_t layer,
                 std::int64_t tokens, const std::vector<std::int64_t>& cut, std::int64_t sink,
                 std::int64_t local) {
  std::vector<int> seen(kHeads, 0);
  for (const KvView& view : cache.read_step(layer, tokens)) {
    for (std::int64_t i = 0; i < view.k.size(0); ++i) {
      const std::int64_t head = view.heads.defined() ? view.heads[i].item<std::int64_t>() : i;
      ++seen[static_cast<std::size_t>(head)];
      if (std::find(cut.begin(), cut.end(), head) == cut.end()) {
        EXPECT_EQ(rows_of(view.k[i]), rows_of(stored.k[head].narrow(0, 0, tokens)));
        EXPECT_EQ(rows_of(view.v[i]), rows_of(stored.v[head].narrow(0, 0, tokens)));
      } else {
        EXPECT_EQ(sorted(rows_of(view.k[i])), kept(stored.k, head, tokens, sink, local));
        EXPECT_EQ(sorted(rows_of(view.v[i])), kept(stored.v, head, tokens, sink, local));
      }
    }
  }
  EXPECT_EQ(seen, std::vector<int>(kHeads, 1)) << "every head once";
}

// `expected` below the prompt makes the cache grow; layer 1 stays whole beside a cut layer 0.
TEST(KvCache, StepsReadWhatWasStored) {
  constexpr std::int64_t kSink = 3, kLocal = 5;
  for (const std::int64_t expected : {1, 30, 100}) {
    for (const std::vector<std::int64_t>& cut :
         std::vector<std::vector<std::int64_t>>{{}, {1}, {0, 2}, {0, 1, 2}}) {
      const Stored stored;
      KvCache cache({.layers = 2, .heads = kHeads, .head_dim = kDim}, expected);
      for (const std::int64_t layer : {0, 1}) {
        for (const auto& [start, rows] : {std::pair<int, int>{0, 10}, {10, kPrompt - 10}}) {
          const KvView room = cache.write_rows(layer, start, rows);
          room.k.copy_(stored.k.narrow(1, start, rows));
          room.v.copy_(stored.v.narrow(1, start, rows));
        }
        EXPECT_EQ(rows_of(cache.read_all(layer, 12).k[1]), rows_of(stored.k[1].narrow(0, 0, 12)));
      }
      const std::int64_t full = kHeads * kPrompt * kDim * 2 * 2 * 4;
      EXPECT_EQ(cache.bytes(kPrompt), full);
      cache.cut(0, cut, kPrompt, kSink, kLocal);
      cache.cut(0, {0}, kPrompt, 1, 1);  // cut once, a layer stays as it is
      EXPECT_EQ(cache.bytes_full(kPrompt), full);
      if (cut.empty()) cache.cut(1, {0}, kPrompt, kSink, 0);  // no window: nothing happens
      const auto heads = static_cast<std::int64_t>(cut.empty() ? 1 : cut.size());
      const std::int64_t row = 2 * kDim * 4, kept_rows = cut.empty() ? 2 : kSink + kLocal;
      EXPECT_EQ(cache.bytes(kPrompt), full - heads * (kPrompt - kept_rows) * row);
      for (std::int64_t t = kPrompt; t < kPrompt + kSteps; ++t) {
        for (const std::int64_t layer : {0, 1}) {
          cache.append(layer, t, stored.k.narrow(1, t, 1), stored.v.narrow(1, t, 1));
        }
        if (cut.empty()) {
          expect_step(cache, stored, 0, t + 1, {0}, 1, 1);
        } else {
          expect_step(cache, stored, 0, t + 1, cut, kSink, kLocal);
        }
        expect_step(cache, stored, 1, t + 1, {}, 0, 0);
      }
    }
  }
}

TEST(KvCache, ShortPromptsAreNotCut) {
  const Stored stored;
  for (const std::int64_t local : {kPrompt - 2, kPrompt - 3}) {
    KvCache cache({.layers = 1, .heads = kHeads, .head_dim = kDim}, kPrompt);
    const KvView room = cache.write_rows(0, 0, kPrompt);
    room.k.copy_(stored.k.narrow(1, 0, kPrompt));
    room.v.copy_(stored.v.narrow(1, 0, kPrompt));
    cache.cut(0, {1}, kPrompt, 2, local);
    const bool is_cut = 2 + local < kPrompt;
    EXPECT_EQ(cache.bytes(kPrompt) < cache.bytes_full(kPrompt), is_cut) << local;
    expect_step(cache, stored, 0, kPrompt,
                is_cut ? std::vector<std::int64_t>{1} : std::vector<std::int64_t>{}, 2, local);
  }
}

// Rows of storage behind a layer's whole heads.
std::int64_t capacity_of(const KvCache& cache, std::int64_t layer) {
  return cache.read_step(layer, 0).front().k.stride(0) / kDim;
}

// In steps of 64 tokens, by half of what is there; what is expected counts at the start alone.
TEST(KvCache, GrowsByHalvesAndKeepsItsRows) {
  const at::Tensor k = at::randn({kHeads, 400, kDim}), v = at::randn({kHeads, 400, kDim});
  for (const auto& [expected, start] : std::vector<std::pair<std::int64_t, std::int64_t>>{
           {1, 64}, {64, 64}, {65, 128}, {290, 320}}) {
    KvCache cache({.layers = 1, .heads = kHeads, .head_dim = kDim}, expected);
    const KvView room = cache.write_rows(0, 0, 10);
    room.k.copy_(k.narrow(1, 0, 10));
    room.v.copy_(v.narrow(1, 0, 10));
    std::int64_t capacity = start;
    for (std::int64_t t = 10; t < 400; ++t) {
      EXPECT_EQ(capacity_of(cache, 0), capacity) << t;
      cache.append(0, t, k.narrow(1, t, 1), v.narrow(1, t, 1));
      if (t + 1 > capacity) capacity = (capacity + capacity / 2 + 63) / 64 * 64;
    }
    const KvView all = cache.read_all(0, 400);
    EXPECT_TRUE(all.k.equal(k)) << expected;
    EXPECT_TRUE(all.v.equal(v)) << expected;
  }
  KvCache far({.layers = 1, .heads = kHeads, .head_dim = kDim}, 1);
  far.write_rows(0, 0, 64);
  EXPECT_EQ(capacity_of(far, 0), 64);
  far.write_rows(0, 64, 300);
  EXPECT_EQ(capacity_of(far, 0), 384) << "more than a half";
}

TEST(KvCache, WholeHeadsGrowBesideCutOnes) {
  const at::Tensor k = at::randn({kHeads, 200, kDim}), v = at::randn({kHeads, 200, kDim});
  KvCache cache({.layers = 1, .heads = kHeads, .head_dim = kDim}, 1);
  const KvView room = cache.write_rows(0, 0, 60);
  room.k.copy_(k.narrow(1, 0, 60));
  room.v.copy_(v.narrow(1, 0, 60));
  cache.cut(0, {1}, 60, 2, 5);
  for (std::int64_t t = 60; t < 200; ++t) {
    EXPECT_EQ(capacity_of(cache, 0), t <= 64 ? 64 : t <= 128 ? 128 : 192) << t;
    if (t == 192) break;
    cache.append(0, t, k.narrow(1, t, 1), v.narrow(1, t, 1));
  }
  const std::vector<KvView> views = cache.read_step(0, 192);
  ASSERT_EQ(views.size(), 2u);
  EXPECT_TRUE(views[0].k.equal(k.narrow(1, 0, 192).index_select(0, views[0].heads)));
  EXPECT_TRUE(views[0].v.equal(v.narrow(1, 0, 192).index_select(0, views[0].heads)));
  EXPECT_EQ(sorted(rows_of(views[1].k[0])), kept(k, 1, 192, 2, 5));
  EXPECT_EQ(sorted(rows_of(views[1].v[0])), kept(v, 1, 192, 2, 5));
}

TEST(KvCache, CutLayersAreNeitherFilledNorReadWhole) {
  KvCache cache({.layers = 2, .heads = kHeads, .head_dim = kDim, .dtype = at::kBFloat16}, kPrompt);
  for (const std::int64_t layer : {0, 1}) cache.write_rows(layer, 0, kPrompt);
  EXPECT_EQ(cache.bytes(kPrompt), 2 * kHeads * kPrompt * kDim * 2 * 2);
  EXPECT_EQ(cache.bytes_full(kPrompt), 2 * kHeads * kPrompt * kDim * 2 * 2);
  cache.cut(0, {0, 2}, kPrompt, 3, 4);
  EXPECT_EQ(cache.bytes(kPrompt),
            (kPrompt + std::int64_t{2} * 7 + kHeads * kPrompt) * kDim * 2 * 2);
  EXPECT_THROW(cache.write_rows(0, kPrompt, 1), std::logic_error);
  EXPECT_THROW(cache.read_all(0, kPrompt), std::logic_error);
  EXPECT_NO_THROW(cache.read_all(1, kPrompt));
}

// Heads keep rows of their own, as many or not; later positions come after them.
TEST(KvCache, KeptRowsStayAndLaterOnesFollow) {
  const std::vector<std::vector<std::vector<std::int64_t>>> choices = {
      {{0, 3, 22}, {1, 2, 3}, {7, 8, 20}}, {{0, 3, 22}, {5}, {1, 8, 20}}, {{}, {4, 6}, {9}}};
  for (const auto& choice : choices) {
    const Stored stored;
    KvCache cache({.layers = 2, .heads = kHeads, .head_dim = kDim}, kPrompt);
    for (const std::int64_t layer : {0, 1}) {
      const KvView room = cache.write_rows(layer, 0, kPrompt);
      room.k.copy_(stored.k.narrow(1, 0, kPrompt));
      room.v.copy_(stored.v.narrow(1, 0, kPrompt));
    }
    std::vector<at::Tensor> positions;
    std::int64_t rows = kHeads * kPrompt;  // of layer 1
    for (const auto& head : choice) {
      positions.push_back(at::tensor(head, at::kLong));
      rows += std::ssize(head);
    }
    cache.keep(0, positions, kPrompt);
    cache.cut(0, {1}, kPrompt, 1, 1);  // nothing is cut any more
    EXPECT_EQ(cache.bytes(kPrompt), rows * kDim * 2 * 4);
    for (std::int64_t t = kPrompt; t < kPrompt + kSteps; ++t) {
      for (const std::int64_t layer : {0, 1}) {
        cache.append(layer, t, stored.k.narrow(1, t, 1), stored.v.narrow(1, t, 1));
      }
    }
    std::vector<int> seen(kHeads, 0);
    for (const KvView& view : cache.read_step(0, kPrompt + kSteps)) {
      for (std::int64_t i = 0; i < view.k.size(0); ++i) {
        const std::int64_t head = view.heads.defined() ? view.heads[i].item<std::int64_t>() : i;
        ++seen[static_cast<std::size_t>(head)];
        std::vector<std::int64_t> all = choice[static_cast<std::size_t>(head)];
        for (std::int64_t t = kPrompt; t < kPrompt + kSteps; ++t) all.push_back(t);
        EXPECT_TRUE(view.k[i].equal(stored.k[head].index_select(0, at::tensor(all))));
        EXPECT_TRUE(view.v[i].equal(stored.v[head].index_select(0, at::tensor(all))));
      }
    }
    EXPECT_EQ(seen, std::vector<int>(kHeads, 1));
    EXPECT_EQ(cache.bytes(kPrompt + kSteps), (rows + 2 * kHeads * kSteps) * kDim * 2 * 4);
    expect_step(cache, stored, 1, kPrompt + kSteps, {}, 0, 0);
    EXPECT_THROW(cache.write_rows(0, kPrompt, 1), std::logic_error);
    EXPECT_THROW(cache.read_all(0, kPrompt), std::logic_error);
    // A kernel that finds a position `gone` rows earlier finds what was appended there.
    std::vector<KvSlot> slots(kHeads);
    cache.locate(0, slots.data());
    for (std::int64_t head = 0; head < kHeads; ++head) {
      const KvSlot& slot = slots[static_cast<std::size_t>(head)];
      EXPECT_EQ(slot.gone, kPrompt - std::ssize(choice[static_cast<std::size_t>(head)]));
      EXPECT_EQ(slot.local, 0);
      for (std::int64_t t = kPrompt; t < kPrompt + kSteps; ++t) {
        const auto row = [&](void* first) {
          return at::from_blob(static_cast<float*>(first) + (t - slot.gone) * kDim, {kDim});
        };
        EXPECT_TRUE(row(slot.k).equal(stored.k[head][t]));
        EXPECT_TRUE(row(slot.v).equal(stored.v[head][t]));
      }
    }
    cache.locate(1, slots.data());
    for (const KvSlot& slot : slots) EXPECT_EQ(slot.gone, 0);
  }
}

}  // namespace
}  // namespace elastic::engine
