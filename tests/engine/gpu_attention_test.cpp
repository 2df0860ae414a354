// Attention on the GPU in bf16, head by head beside float64 under the definitions of the modes
// (specification of streaming heads, causality), not under the masks that the program makes: whole
// and odd lengths, chunks behind other chunks, heads of different modes in one call, decode.

#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/full.h>
#include <ATen/ops/logsumexp.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/rand.h>
#include <ATen/ops/randint.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/softmax.h>
#include <ATen/ops/zeros.h>

#include <cmath>
#include <cstdlib>
#include <limits>
#include <set>
#include <vector>

#include "engine/attention/attention_backend.h"
#include "engine/device/step_kernels.h"
#include "engine/model/decode_attention.h"
#include "tests/engine/all_heads.h"
#include "tests/engine/gpu.h"
#include "tests/testing/tolerance.h"

namespace elastic::engine {
namespace {

struct Shape {
  std::int64_t heads_q, heads_kv, head_dim, q_start, rows;
};

std::vector<Shape> shapes() {
  std::vector<Shape> all;
  for (const std::int64_t rows : {1000, 1024, 1111, 4096}) {
    all.push_back({6, 3, 64, 0, rows});
    all.push_back({8, 2, 128, 0, rows});
    all.push_back({6, 3, 64, 1024, rows});
    all.push_back({4, 4, 64, 640, rows});
    all.push_back({8, 2, 128, 333, rows});  // no multiple of a block
  }
  all.push_back({4, 2, 64, 0, 1});
  all.push_back({4, 2, 64, 777, 1});
  all.push_back({4, 2, 128, 0, 127});
  return all;
}

std::string label(const Shape& s) {
  return std::to_string(s.heads_q) + "/" + std::to_string(s.heads_kv) + " d" +
         std::to_string(s.head_dim) + " rows " + std::to_string(s.q_start) + "+" +
         std::to_string(s.rows);
}

// Key j of query p: everything before it, or sinks and a window, by blocks of 128 or by tokens.
at::Tensor visible(const Shape& s, const StreamingWindow* window, at::Device device) {
  const auto index = at::TensorOptions(at::kLong).device(device);
  const at::Tensor p = at::arange(s.q_start, s.q_start + s.rows, index).unsqueeze(1);
  const at::Tensor j = at::arange(s.q_start + s.rows, index).unsqueeze(0);
  const at::Tensor causal = j <= p;
  if (window == nullptr) return causal;
  if (window->block == 1) {
    return causal.logical_and((j < window->sink).logical_or((p - j) < window->local));
  }
  const at::Tensor query_block = p.div(128, "floor"), key_block = j.div(128, "floor");
  const double sinks = std::ceil(static_cast<double>(window->sink) / 128);
  const double locals = std::ceil(static_cast<double>(window->local) / 128);
  return causal.logical_and((key_block < sinks).logical_or((query_block - key_block) < locals));
}

at::Tensor reference(const AttentionInput& input, std::int64_t head, const at::Tensor& see) {
  const std::int64_t group = input.q.size(0) / input.k.size(0), keys = see.size(1);
  const at::Tensor q = input.q[head].to(at::kDouble);
  const at::Tensor k = input.k[head / group].narrow(0, 0, keys).to(at::kDouble);
  const at::Tensor v = input.v[head / group].narrow(0, 0, keys).to(at::kDouble);
  at::Tensor scores = at::matmul(q, k.t()).mul_(input.scale);
  scores.masked_fill_(see.logical_not(), -std::numeric_limits<double>::infinity());
  return at::matmul(at::softmax(scores, -1), v);
}

at::Tensor reference_lse(const AttentionInput& input, std::int64_t head, const at::Tensor& see) {
  const std::int64_t group = input.q.size(0) / input.k.size(0);
  const at::Tensor k = input.k[head / group].narrow(0, 0, see.size(1)).to(at::kDouble);
  at::Tensor scores = at::matmul(input.q[head].to(at::kDouble), k.t()).mul_(input.scale);
  scores.masked_fill_(see.logical_not(), -std::numeric_limits<double>::infinity());
  return at::logsumexp(scores, {-1});
}

class Gpu_Attention : public elastic::testing::GpuSuite {
 protected:
  // Views into wider tensors, as a cache and a projection hand them out.
  AttentionInput random_input(const Shape& s, at::ScalarType type = at::kBFloat16) const {
    const auto options = at::TensorOptions(type).device(device_);
    const std::int64_t tokens = s.q_start + s.rows;
    const auto cached = [&] {
      return at::randn({s.heads_kv, tokens + 100, s.head_dim}, options).narrow(1, 0, tokens);
    };
    return {at::randn({s.heads_q, s.rows, s.head_dim}, options), cached(), cached(), s.q_start,
            1 / std::sqrt(static_cast<double>(s.head_dim))};
  }

  // Every other KV head full, the rest streaming, by bytes on the device.
  HeadGroups two_modes(const AttentionInput& input, const StreamingWindow& window) const {
    const std::vector<int> heads = elastic::testing::all_heads(input);
    const auto bytes = at::TensorOptions(at::kByte).device(device_);
    return {{{0, heads, dense_mask(input.span()), {}},
             {1, heads, streaming_mask(window, input.span()), {}}},
            at::arange(std::ssize(heads), bytes).remainder(2)};
  }

  struct Attended {
    at::Tensor out, lse;
  };

  Attended attended_by(const AttentionInput& input, const HeadGroups& groups) const {
    const auto fp32 = at::TensorOptions(at::kFloat).device(device_);
    Attended result{at::full(input.q.sizes(), 7.0, input.q.options()),
                    at::full({input.q.size(0), input.q.size(1)}, 7.0, fp32)};
    attention_backend(device_).prefill(input, groups, result.out, &result.lse);
    return result;
  }

  // Rows of `heads` come out right, every other head's rows stay as they were.
  void expect_heads(const AttentionInput& input, const std::vector<int>& heads,
                    const BlockMask& mask, const at::Tensor& see, const std::string& what) const {
    const std::int64_t group = input.q.size(0) / input.k.size(0);
    at::Tensor out =
        at::full({input.q.size(1), input.q.size(0), input.q.size(2)}, 7.0, input.q.options())
            .transpose(0, 1);
    masked_attention(input, heads, mask, out);
    const std::set<int> asked(heads.begin(), heads.end());
    for (std::int64_t head = 0; head < input.q.size(0); ++head) {
      if (asked.count(static_cast<int>(head / group)) == 0) {
        EXPECT_TRUE(out[head].eq(7).all().item<bool>()) << what << ": head " << head << " written";
        continue;
      }
      const at::Tensor wanted = reference(input, head, see);
      const at::Tensor error = out[head].to(at::kDouble) - wanted;
      EXPECT_LT(error.norm().item<double>() / wanted.norm().item<double>(),
                elastic::testing::kHeadBf16)
          << what << ": head " << head;
      EXPECT_LT(error.abs().max().item<double>(), elastic::testing::kAttentionBf16 * 2)
          << what << ": head " << head;
      ++heads_checked_;
    }
  }

  mutable int heads_checked_ = 0;
};

TEST_F(Gpu_Attention, FullHeadsEqualFloat64) {
  for (const Shape& shape : shapes()) {
    const AttentionInput input = random_input(shape);
    expect_heads(input, elastic::testing::all_heads(input), dense_mask(input.span()),
                 visible(shape, nullptr, device_), "fa " + label(shape));
  }
  EXPECT_GT(heads_checked_, 100);
}

TEST_F(Gpu_Attention, StreamingHeadsEqualFloat64) {
  const StreamingWindow windows[] = {{.sink = 128, .local = 256},
                                     {.sink = 0, .local = 384},
                                     {.sink = 100, .local = 500},
                                     {.sink = 128, .local = 2048},
                                     {.sink = 7, .local = 50, .block = 1}};
  for (const StreamingWindow& window : windows) {
    for (const Shape& shape : shapes()) {
      const AttentionInput input = random_input(shape);
      expect_heads(input, elastic::testing::all_heads(input), streaming_mask(window, input.span()),
                   visible(shape, &window, device_),
                   "ssa sink " + std::to_string(window.sink) + " local " +
                       std::to_string(window.local) + " " + label(shape));
    }
  }
  EXPECT_GT(heads_checked_, 500);
}

TEST_F(Gpu_Attention, HeadsOfTwoModesInOneCall) {
  const StreamingWindow window{.sink = 128, .local = 256};
  for (const Shape& shape : shapes()) {
    if (shape.heads_kv < 3) continue;
    const AttentionInput input = random_input(shape);
    expect_heads(input, {1}, dense_mask(input.span()), visible(shape, nullptr, device_),
                 "full head between streaming ones " + label(shape));
    expect_heads(input, {0, 2}, streaming_mask(window, input.span()),
                 visible(shape, &window, device_), "streaming heads apart " + label(shape));
    expect_heads(input, {0, 2}, dense_mask(input.span()), visible(shape, nullptr, device_),
                 "full heads apart " + label(shape));
  }
  EXPECT_GT(heads_checked_, 50);
}

// Each head by the byte that lies on the device: dense, streaming, or of a table that was estimated
// there; the log-sum-exp too.
TEST_F(Gpu_Attention, DecisionsOnTheDeviceReachTheirHeads) {
  const StreamingWindow window{.sink = 128, .local = 256};
  for (const Shape& shape : shapes()) {
    const AttentionInput input = random_input(shape);
    const at::Tensor dense = visible(shape, nullptr, device_),
                     streaming = visible(shape, &window, device_);
    const std::int64_t first = shape.q_start / 128,
                       end = (shape.q_start + shape.rows - 1) / 128 + 1;
    const auto index = at::TensorOptions(at::kLong).device(device_);
    const at::Tensor own = at::arange(first, end, index).unsqueeze(1);
    const at::Tensor key = at::arange(end, index).unsqueeze(0);
    const at::Tensor keep = at::rand({shape.heads_q, end - first, end}, at::TensorOptions(device_))
                                .gt(0.6)
                                .logical_or(key == own)
                                .logical_or(key == 0)
                                .logical_and(key <= own);
    const at::Tensor row =
        at::arange(shape.q_start, shape.q_start + shape.rows, index).div(128, "floor").sub(first);
    const at::Tensor column = at::arange(shape.q_start + shape.rows, index).div(128, "floor");
    const std::vector<int> heads = elastic::testing::all_heads(input);
    const HeadGroup full{0, heads, dense_mask(input.span()), {}},
        stream{1, heads, streaming_mask(window, input.span()), {}},
        chosen{1, heads, {}, {keep, 128}};
    for (const HeadGroup* sparse : {&stream, &chosen}) {
      const at::Tensor bytes = at::randint(0, 2, {shape.heads_kv}, index).to(at::kByte);
      at::Tensor out = at::full(input.q.sizes(), 7.0, input.q.options());
      at::Tensor lse = at::full({shape.heads_q, shape.rows}, 7.0, index.dtype(at::kFloat));
      attention_backend(device_).prefill(input, {{full, *sparse}, bytes}, out, &lse);
      at::Tensor alone = at::full(input.q.sizes(), 7.0, input.q.options());
      attention_backend(device_).prefill(input, read_decided({{full, *sparse}, bytes}), alone,
                                         nullptr);
      const at::Tensor decided = bytes.cpu();
      for (std::int64_t head = 0; head < shape.heads_q; ++head) {
        const std::int64_t kv = head / (shape.heads_q / shape.heads_kv);
        const at::Tensor see =
            decided[kv].item<std::uint8_t>() == 0 ? dense
            : sparse == &stream
                ? streaming
                : keep[head].index_select(0, row).index_select(1, column).logical_and(dense);
        const at::Tensor wanted = reference(input, head, see);
        const std::string what = label(shape) + ": head " + std::to_string(head);
        for (const at::Tensor& got : {out, alone}) {
          const at::Tensor error = got[head].to(at::kDouble) - wanted;
          EXPECT_LT(error.norm().item<double>() / wanted.norm().item<double>(),
                    elastic::testing::kHeadBf16)
              << what;
        }
        EXPECT_LT((lse[head] - reference_lse(input, head, see)).abs().max().item<double>(), 1e-3)
            << what;
        ++heads_checked_;
      }
    }
  }
  EXPECT_GT(heads_checked_, 200);
}

// The forms of the kernel whose weights wait in registers and in shared memory.
TEST_F(Gpu_Attention, WeightsInRegistersAndInSharedMemoryGiveTheSameBits) {
  const StreamingWindow window{.sink = 128, .local = 256};
  for (const at::ScalarType type : {at::kBFloat16, at::kHalf}) {
    for (const Shape& shape : shapes()) {
      const AttentionInput input = random_input(shape, type);
      const HeadGroups groups = two_modes(input, window);
      const auto attended = [&](const char* in_shared) {
        ::setenv("ELASTIC_WEIGHTS_IN_SHARED", in_shared, 1);
        const Attended result = attended_by(input, groups);
        ::unsetenv("ELASTIC_WEIGHTS_IN_SHARED");
        return result;
      };
      const Attended registers = attended("0"), shared = attended("1");
      EXPECT_TRUE(registers.out.equal(shared.out)) << label(shape);
      EXPECT_TRUE(registers.lse.equal(shared.lse)) << label(shape);
      EXPECT_TRUE(registers.out.isfinite().all().item<bool>()) << label(shape);
    }
  }
}

// A recorded call follows what lies in memory when it is replayed, and leaves its counters as it
// found them.
TEST_F(Gpu_Attention, AThousandReplaysAreAThousandCalls) {
  constexpr int kReplays = 1000, kDecisions = 8;
  const StreamingWindow window{.sink = 128, .local = 256};
  for (const Shape& shape : {Shape{8, 2, 128, 333, 1111}, {6, 3, 64, 0, 4096}}) {
    const AttentionInput input = random_input(shape);
    const HeadGroups groups = two_modes(input, window);
    at::Tensor out = at::full(input.q.sizes(), 7.0, input.q.options());
    const auto replay = step_kernels(at::kCUDA).record(
        [&] { attention_backend(device_).prefill(input, groups, out, nullptr); });
    std::vector<at::Tensor> decisions, wanted;
    for (int i = 0; i < kDecisions; ++i) {
      decisions.push_back(at::randint(0, 2, {shape.heads_kv}, groups.decided.options()));
      groups.decided.copy_(decisions.back());
      wanted.push_back(attended_by(input, groups).out);
    }
    at::Tensor wrong = at::zeros({}, groups.decided.options().dtype(at::kLong));
    for (int i = 0; i < kReplays; ++i) {
      const auto which = static_cast<std::size_t>(i % kDecisions);
      groups.decided.copy_(decisions[which]);
      out.fill_(7);
      replay();
      wrong += out.ne(wanted[which]).any();
    }
    EXPECT_EQ(wrong.item<std::int64_t>(), 0) << label(shape);
  }
}

TEST_F(Gpu_Attention, DecodeEqualsFloat64AtAnyNumberOfKeys) {
  const auto options = at::TensorOptions(at::kBFloat16).device(device_);
  for (const std::int64_t tokens : {1, 2, 63, 1000, 1024, 1111, 4097, 20000}) {
    for (const std::int64_t group : {1, 3, 4}) {
      for (const std::int64_t dim : {64, 128}) {
        constexpr std::int64_t kHeadsKv = 3;
        const at::Tensor q = at::randn({kHeadsKv, group, dim}, options);
        const KvView view{{},
                          at::randn({kHeadsKv, tokens + 9, dim}, options).narrow(1, 0, tokens),
                          at::randn({kHeadsKv, tokens + 9, dim}, options).narrow(1, 0, tokens)};
        const at::Tensor out = at::full({kHeadsKv, group, dim}, 7.0, options);
        decode_attention(std::vector<DecodeRead>{{q, {view}, out}});
        const AttentionInput input{q.view({kHeadsKv * group, 1, dim}), view.k, view.v, tokens - 1,
                                   1 / std::sqrt(static_cast<double>(dim))};
        const at::Tensor see = visible({0, 0, 0, tokens - 1, 1}, nullptr, device_);
        for (std::int64_t head = 0; head < kHeadsKv * group; ++head) {
          const at::Tensor wanted = reference(input, head, see);
          const at::Tensor got = out.view({kHeadsKv * group, 1, dim})[head].to(at::kDouble);
          EXPECT_LT((got - wanted).norm().item<double>() / wanted.norm().item<double>(),
                    elastic::testing::kHeadBf16)
              << tokens << " keys, group " << group << ", d" << dim << ", head " << head;
        }
      }
    }
  }
}

}  // namespace
}  // namespace elastic::engine
