// Every head mode, every instruction set and the ATen composition against the reference, over
// shapes, GQA ratios, lengths off the block size, row slices and dtypes.

#include <ATen/TensorOperators.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/from_blob.h>
#include <ATen/ops/full.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/rand.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/softmax.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/mman.h>

#include <algorithm>
#include <array>
#include <barrier>
#include <future>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "engine/attention/attention_backend.h"
#include "engine/attention/composed_attention.h"
#include "engine/attention/cpu_attention.h"
#include "engine/attention/reference.h"
#include "tests/engine/all_heads.h"
#include "tests/engine/modes.h"
#include "tests/testing/tolerance.h"

namespace elastic::engine {
namespace {

using elastic::testing::all_heads;

struct Shape {
  std::int64_t heads_q = 1, heads_kv = 1, head_dim = 64, q_start = 0, rows = 1, spare = 0;
};

const std::vector<Shape>& shapes() {
  static const std::vector<Shape> all = {
      {2, 1, 64, 0, 1, 0},     {4, 4, 64, 0, 100, 0},  {4, 2, 64, 0, 128, 0},
      {8, 2, 64, 0, 129, 3},   {6, 2, 32, 0, 515, 0},  {3, 1, 128, 0, 260, 0},
      {4, 1, 80, 0, 200, 0},   {4, 2, 8, 0, 300, 0},   {5, 5, 20, 0, 131, 1},
      {4, 2, 64, 128, 133, 0}, {4, 2, 64, 77, 200, 9}, {8, 2, 64, 400, 1, 0},
      {16, 1, 64, 2600, 1, 0}, {2, 2, 64, 0, 384, 0},  {32, 1, 16, 5, 9, 0}};
  return all;
}

// q, k, v as views into wider tensors, so that strides are never those of a packed tensor.
AttentionInput random_input(const Shape& s, at::ScalarType type) {
  const std::int64_t tokens = s.q_start + s.rows + s.spare;
  const auto heads_first = [type](std::int64_t rows, std::int64_t heads, std::int64_t dim) {
    return at::randn({rows, heads, dim + 3}).to(type).narrow(2, 0, dim).transpose(0, 1);
  };
  return {heads_first(s.rows, s.heads_q, s.head_dim), heads_first(tokens, s.heads_kv, s.head_dim),
          at::randn({s.heads_kv, tokens + 7, s.head_dim}).to(type).narrow(1, 0, tokens), s.q_start,
          1 / std::sqrt(static_cast<double>(s.head_dim))};
}

double max_difference(const at::Tensor& a, const at::Tensor& b) {
  return (a.to(at::kDouble) - b).abs().max().item<double>();
}

double tolerance(at::ScalarType type) {
  return type == at::kFloat ? testing::kAttentionFp32 : testing::kAttentionBf16;
}

std::string label(const Shape& s) {
  return std::to_string(s.heads_q) + "/" + std::to_string(s.heads_kv) + " d" +
         std::to_string(s.head_dim) + " rows " + std::to_string(s.q_start) + "+" +
         std::to_string(s.rows);
}

// Runs f for every way to compute masked attention: each instruction set and the composition.
template <typename F>
void for_each_backend(const F& f) {
  const CpuKernelList list = all_cpu_kernels();
  for (int i = 0; i < list.count; ++i) {
    const CpuKernels& kernels = *list.sets[i];
    f(std::string(kernels.name),
      [&kernels](const AttentionInput& input, std::span<const int> heads, const BlockMask& mask,
                 at::Tensor& out,
                 at::Tensor* lse) { cpu_attention(input, heads, mask, out, lse, kernels); });
  }
  f("composed", composed_attention);
}

void expect_reference(const AttentionInput& input, const BlockMask& mask, const std::string& what) {
  const std::vector<int> heads = all_heads(input);
  const ReferenceAttention wanted = reference_attention(input, heads, mask);
  for_each_backend([&](const std::string& backend, const auto& run) {
    at::Tensor out =
        at::full({input.q.size(1), input.q.size(0), input.q.size(2) + 1}, 7.0, input.q.options())
            .narrow(2, 0, input.q.size(2))
            .transpose(0, 1);
    at::Tensor lse = at::full({input.q.size(0), input.q.size(1) + 2}, 7.0, at::kFloat)
                         .narrow(1, 0, input.q.size(1));
    run(input, heads, mask, out, &lse);
    EXPECT_LT(max_difference(out, wanted.out), tolerance(input.q.scalar_type()))
        << what << " " << backend;
    const at::Tensor blind = wanted.lse.isinf();
    EXPECT_TRUE(lse.isinf().equal(blind)) << what << " " << backend;
    EXPECT_LT(max_difference(lse.masked_fill(blind, 0), wanted.lse.masked_fill(blind, 0)), 1e-4)
        << what << " " << backend;
  });
}

// Blocks of query_block x block tokens; one mask for `share` query heads.
BlockMask random_table(const AttentionInput& input, std::int64_t query_block, std::int64_t block,
                       double density, std::int64_t share = 1) {
  const RowSpan span = input.span();
  const std::int64_t heads = input.q.size(0) / share,
                     q_blocks = (span.q_start + span.rows - 1) / query_block -
                                span.q_start / query_block + 1,
                     k_blocks = (span.tokens + block - 1) / block;
  std::mt19937 random(11);
  std::vector<std::uint8_t> visible(static_cast<std::size_t>(heads * q_blocks * k_blocks));
  for (std::uint8_t& v : visible) v = std::bernoulli_distribution(density)(random) ? 1 : 0;
  BlockMask mask = table_mask({visible, heads, q_blocks, k_blocks, block, query_block}, span);
  mask.share = share;
  return mask;
}

TEST(Attention, EveryBackendEqualsTheReference) {
  std::size_t number = 0;
  for (const Shape& shape : shapes()) {
    // Every third shape in bf16: the arithmetic is the same once values are widened.
    const AttentionInput input =
        random_input(shape, number++ % 3 == 2 ? at::kBFloat16 : at::kFloat);
    expect_reference(input, dense_mask(input.span()), "dense " + label(shape));
    for (const StreamingWindow& window : {StreamingWindow{128, 128}, StreamingWindow{0, 256},
                                          StreamingWindow{7, 50, 1}, StreamingWindow{0, 1, 1}}) {
      expect_reference(input, streaming_mask(window, input.span()), "window " + label(shape));
    }
  }
}

// fp16 has no CPU kernel: the composition computes it.
TEST(Attention, WhatNoKernelTakesIsComposed) {
  const AttentionInput input = random_input({4, 2, 16, 0, 70, 0}, at::kHalf);
  const BlockMask mask = dense_mask(input.span());
  at::Tensor out = at::zeros(input.q.sizes(), input.q.options());
  masked_attention(input, all_heads(input), mask, out);
  EXPECT_LT(max_difference(out, reference_attention(input, all_heads(input), mask).out),
            tolerance(at::kBFloat16));
}

// Keys of one query block lie within those of another, behind a gap: the rows are taken together.
TEST(Attention, KeysOfABlockWithinThoseOfAnother) {
  constexpr std::int64_t kBlock = 16, kBlocks = 10;
  std::vector<std::uint8_t> visible(kBlocks * kBlocks, 0);
  for (std::int64_t b = 0; b < kBlocks; ++b) visible[static_cast<std::size_t>(b * kBlocks)] = 1;
  for (std::int64_t k = 3; k < 9; ++k) visible[static_cast<std::size_t>(8 * kBlocks + k)] = 1;
  visible[9 * kBlocks + 5] = visible[9 * kBlocks + 9] = 1;
  const AttentionInput input = random_input({1, 1, 16, 0, kBlock * kBlocks, 0}, at::kFloat);
  expect_reference(input, table_mask({visible, 1, kBlocks, kBlocks, kBlock}, input.span()),
                   "nested");
}

// The kernels read rows of head_dim neighbours; tensors that are laid out otherwise are a mistake
// of the caller, named before anything is read.
TEST(Attention, RowsThatAreNoRowsAreRefused) {
  const AttentionInput fine = random_input({2, 2, 16, 0, 40, 0}, at::kFloat);
  const BlockMask mask = dense_mask(fine.span());
  const CpuKernels& kernels = *all_cpu_kernels().sets[0];
  const auto turned = [](const at::Tensor& x) {
    return x.transpose(1, 2).contiguous().transpose(1, 2);
  };
  const auto attend_with = [&](const AttentionInput& input, at::Tensor out) {
    cpu_attention(input, all_heads(input), mask, out, nullptr, kernels);
  };
  const at::Tensor out = at::zeros({2, 40, 16});
  EXPECT_NO_THROW(attend_with(fine, out));
  AttentionInput q = fine, k = fine, v = fine;
  q.q = turned(q.q), k.k = turned(k.k), v.v = turned(v.v);
  for (const AttentionInput& input : {q, k, v}) {
    EXPECT_THROW(attend_with(input, out), std::logic_error);
  }
  EXPECT_THROW(attend_with(fine, turned(out)), std::logic_error);
}

TEST(Attention, MasksPerQueryHead) {
  constexpr std::int64_t kBlocks[] = {16, 64, 128};
  std::size_t number = 0;
  for (const Shape& shape : shapes()) {
    const std::int64_t block = kBlocks[number++ % 3];
    const AttentionInput input = random_input(shape, at::kFloat);
    expect_reference(input, random_table(input, block, block, 0.4),
                     "table of " + std::to_string(block) + " " + label(shape));
  }
}

// Rows of one task that see blocks of their own: few, so that whole tasks see nothing of some keys,
// or many.
TEST(Attention, MasksPerRow) {
  for (const Shape& shape : shapes()) {
    const AttentionInput input = random_input(shape, at::kFloat);
    const std::int64_t group = shape.heads_q / shape.heads_kv;
    for (const auto& [query_block, block] : std::vector<std::array<std::int64_t, 2>>{
             {1, 1}, {1, 64}, {1, 100}, {3, 7}, {16, 256}, {127, 32}}) {
      for (const double density : {0.02, 0.5}) {
        for (const std::int64_t share : {std::int64_t{1}, group}) {
          expect_reference(
              input, random_table(input, query_block, block, density, share),
              fmt::format("{} x {}, {} of {}", query_block, block, density, label(shape)));
        }
      }
    }
  }
}

// A copy whose last byte is the last that can be read.
class GuardedCopy {
 public:
  explicit GuardedCopy(const at::Tensor& x) {
    const auto bytes = static_cast<std::size_t>(x.nbytes());
    const std::size_t readable = (bytes + kPage - 1) / kPage * kPage;
    all_ = readable + kPage;
    memory_ = static_cast<char*>(
        ::mmap(nullptr, all_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    ::mprotect(memory_ + readable, kPage, PROT_NONE);
    tensor_ = at::from_blob(memory_ + readable - bytes, x.sizes(), x.options());
    tensor_.copy_(x);
  }
  ~GuardedCopy() { ::munmap(memory_, all_); }
  GuardedCopy(const GuardedCopy&) = delete;
  GuardedCopy& operator=(const GuardedCopy&) = delete;

  const at::Tensor& tensor() const { return tensor_; }

 private:
  static constexpr std::size_t kPage = 1 << 16;  // as large as any machine's
  char* memory_ = nullptr;
  std::size_t all_ = 0;
  at::Tensor tensor_;
};

// Rows may stand behind the last key, as those over compressed keys do: nothing there is read.
TEST(Attention, RowsBehindTheLastKey) {
  constexpr std::int64_t kKeys = 17, kRows = 150, kHeads = 2, kDim = 16;
  const GuardedCopy k(at::randn({kHeads, kKeys, kDim})), v(at::randn({kHeads, kKeys, kDim}));
  const AttentionInput input{at::randn({kHeads, kRows, kDim}), k.tensor(), v.tensor(), 0, 0.25};
  BlockMask mask{
      .query_block = 8, .first_block = 0, .heads = {HeadMask{.ranges = {}, .offsets = {0}}}};
  for (std::int64_t b = 0; b * mask.query_block < kRows; ++b) {
    mask.heads[0].ranges.push_back({0, std::min(kKeys, b + 1)});
    mask.heads[0].offsets.push_back(b + 1);
  }
  at::Tensor out = at::zeros_like(input.q);
  cpu_attention(input, all_heads(input), mask, out, nullptr);
  for (const std::int64_t row : {std::int64_t{7}, std::int64_t{100}, kRows - 1}) {
    const std::int64_t seen = std::min({kKeys, row / mask.query_block + 1, row + 1});
    const at::Tensor scores =
        at::matmul(input.q.narrow(1, row, 1), k.tensor().narrow(1, 0, seen).transpose(1, 2));
    const at::Tensor wanted =
        at::matmul(at::softmax(scores * input.scale, 2), v.tensor().narrow(1, 0, seen));
    EXPECT_LT(max_difference(out.narrow(1, row, 1), wanted), testing::kAttentionFp32) << row;
  }
}

TEST(Attention, LargeScoresStayFinite) {
  // Scores of several hundred: exp would overflow without the running maximum.
  AttentionInput input = random_input({4, 2, 64, 0, 300, 0}, at::kFloat);
  input.q = input.q * 40;
  const ReferenceAttention wanted =
      reference_attention(input, all_heads(input), dense_mask(input.span()));
  for_each_backend([&](const std::string& backend, const auto& run) {
    at::Tensor out = at::zeros_like(input.q);
    run(input, all_heads(input), dense_mask(input.span()), out, nullptr);
    EXPECT_LT(max_difference(out, wanted.out), 2e-4) << backend;
  });
}

TEST(Attention, OnlyTheHeadsAskedForAreWritten) {
  const AttentionInput input = random_input({8, 4, 32, 0, 150, 0}, at::kFloat);
  const BlockMask mask = dense_mask(input.span());
  const std::vector<int> some = {1, 3};
  for_each_backend([&](const std::string& backend, const auto& run) {
    at::Tensor out = at::full({8, 150, 32}, 7.0, at::kFloat);
    run(input, some, mask, out, nullptr);
    const ReferenceAttention wanted = reference_attention(input, some, mask);
    for (std::int64_t h = 0; h < 8; ++h) {
      const bool asked = h / 2 == 1 || h / 2 == 3;
      if (asked) {
        EXPECT_LT(max_difference(out[h], wanted.out[h]), testing::kAttentionFp32) << backend;
      } else {
        EXPECT_TRUE(out[h].eq(7.0).all().item<bool>()) << backend << " head " << h;
      }
    }
  });
}

TEST(Attention, RowSlicesEqualTheWhole) {
  const std::unique_ptr<HeadMode> mode = testing::mode_of("ssa:sink=128,local=256");
  const AttentionInput whole = random_input({4, 2, 64, 0, 900, 0}, at::kFloat);
  const std::vector<int> heads = all_heads(whole);
  at::Tensor wanted = at::zeros({4, 900, 64}), out = at::zeros({4, 900, 64});
  masked_attention(whole, heads, mode->block_mask(whole, heads), wanted);
  for (std::int64_t first = 0; first < 900; first += 250) {
    const std::int64_t rows = std::min<std::int64_t>(250, 900 - first);
    const AttentionInput slice{whole.q.narrow(1, first, rows), whole.k, whole.v, first,
                               whole.scale};
    at::Tensor part = out.narrow(1, first, rows);
    masked_attention(slice, heads, mode->block_mask(slice, heads), part);
  }
  EXPECT_LT((out - wanted).abs().max().item<double>(), 2e-6);
}

// Several callers at once, each with lengths and values of its own.
TEST(Attention, ResultsDoNotDependOnWhoElseRuns) {
  constexpr int kCallers = 4, kTimes = 5;
  std::vector<AttentionInput> inputs;
  std::vector<at::Tensor> alone;
  const auto attention = [](const AttentionInput& input) {
    at::Tensor out = at::zeros_like(input.q);
    masked_attention(input, all_heads(input), dense_mask(input.span()), out);
    return out;
  };
  for (int caller = 0; caller < kCallers; ++caller) {
    inputs.push_back(random_input({8, 2, 64, 0, 500 + 130 * caller, 0}, at::kFloat));
    alone.push_back(attention(inputs.back()));
  }
  std::vector<std::future<int>> callers;
  std::barrier start(kCallers);
  for (std::size_t caller = 0; caller < kCallers; ++caller) {
    callers.push_back(std::async(std::launch::async, [&, caller] {
      start.arrive_and_wait();
      int equal = 0;
      for (int i = 0; i < kTimes; ++i) equal += attention(inputs[caller]).equal(alone[caller]);
      return equal;
    }));
  }
  for (auto& caller : callers) EXPECT_EQ(caller.get(), kTimes);
}

}  // namespace
}  // namespace elastic::engine
