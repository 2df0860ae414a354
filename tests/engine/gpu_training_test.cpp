// Forward and backward of the training attention on the GPU in bf16, head by head beside dense
// attention and LibTorch's autograd in float64: documents of one length (cuDNN's kernels) and of
// several (flash), full and streaming.

#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/softmax.h>

#include <cmath>
#include <limits>
#include <optional>
#include <vector>

#include <fmt/format.h>

#include "engine/train/span_attention.h"
#include "tests/engine/gpu.h"
#include "tests/engine/modes.h"
#include "tests/engine/relative_error.h"
#include "tests/testing/tolerance.h"

namespace elastic::engine {
namespace {

constexpr StreamingWindow kWindow{.sink = 128, .local = 256};

// Causal, and for streaming heads blocks of 128: the first, and the two up to the query's own.
at::Tensor training_mask(std::int64_t tokens, bool streaming, const at::Tensor& like) {
  const auto index = like.options().dtype(at::kLong);
  const at::Tensor p = at::arange(tokens, index).unsqueeze(1);
  const at::Tensor j = at::arange(tokens, index).unsqueeze(0);
  const at::Tensor causal = j <= p;
  if (!streaming) return causal;
  const at::Tensor query_block = p.div(128, "floor"), key_block = j.div(128, "floor");
  return causal.logical_and((key_block < 1).logical_or((query_block - key_block) < 2));
}

// q [rows, heads_q, d], k and v [rows, heads_kv, d] of one document, in float64.
at::Tensor dense_float64(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                         bool streaming, double scale) {
  const std::int64_t group = q.size(1) / k.size(1);
  const at::Tensor keys = k.repeat_interleave(group, 1).transpose(0, 1);
  const at::Tensor values = v.repeat_interleave(group, 1).transpose(0, 1);
  const at::Tensor scores = at::matmul(q.transpose(0, 1), keys.transpose(1, 2)) * scale;
  const at::Tensor hidden = training_mask(q.size(0), streaming, q).logical_not();
  const at::Tensor weights =
      at::softmax(scores.masked_fill(hidden, -std::numeric_limits<double>::infinity()), -1);
  return at::matmul(weights, values).transpose(0, 1);
}

void expect_heads(const at::Tensor& got, const at::Tensor& wanted, const char* what) {
  for (std::int64_t head = 0; head < wanted.size(1); ++head) {
    const at::Tensor a = got.select(1, head).to(at::kDouble), b = wanted.select(1, head);
    EXPECT_GT(b.norm().item<double>(), 0);
    EXPECT_LT((a - b).norm().item<double>() / b.norm().item<double>(),
              elastic::testing::kHeadGradientBf16)
        << what << " of head " << head;
  }
}

class Gpu_Training : public elastic::testing::GpuSuite {
 protected:
  void check(const std::vector<std::int64_t>& offsets, bool streaming, std::int64_t heads_q,
             std::int64_t heads_kv, std::int64_t dim) const {
    const std::int64_t rows = offsets.back();
    SCOPED_TRACE(::testing::Message() << offsets.size() - 1 << " documents, " << rows << " rows, "
                                      << (streaming ? "streaming" : "full") << ", d" << dim);
    const auto options = at::TensorOptions(at::kBFloat16).device(device_);
    const double scale = 1 / std::sqrt(static_cast<double>(dim));
    const auto leaf = [](const at::Tensor& x) { return x.detach().set_requires_grad(true); };
    const at::Tensor q = leaf(at::randn({rows, heads_q, dim}, options)),
                     k = leaf(at::randn({rows, heads_kv, dim}, options)),
                     v = leaf(at::randn({rows, heads_kv, dim}, options)),
                     grad = at::randn({rows, heads_q, dim}, options);
    std::vector<std::int64_t> tokens;
    for (std::size_t d = 1; d < offsets.size(); ++d) tokens.push_back(offsets[d] - offsets[d - 1]);
    const auto mode =
        elastic::testing::mode_of(fmt::format("ssa:sink={},local={}", kWindow.sink, kWindow.local));
    const LayoutPtr layout =
        move_layout(make_layout(offsets, tokens, streaming ? mode.get() : nullptr), device_);
    const at::Tensor out = streaming ? sparse_attention(q, k, v, layout, *mode, 0, scale)
                                     : full_attention(q, k, v, layout, scale);
    out.backward(grad);
    const at::Tensor q64 = leaf(q.to(at::kDouble)), k64 = leaf(k.to(at::kDouble)),
                     v64 = leaf(v.to(at::kDouble));
    std::vector<at::Tensor> documents;
    for (std::size_t d = 0; d + 1 < offsets.size(); ++d) {
      const std::int64_t start = offsets[d], count = offsets[d + 1] - offsets[d];
      documents.push_back(dense_float64(q64.narrow(0, start, count), k64.narrow(0, start, count),
                                        v64.narrow(0, start, count), streaming, scale));
    }
    const at::Tensor wanted = at::cat(documents);
    wanted.backward(grad.to(at::kDouble));
    expect_heads(out, wanted.detach(), "output");
    expect_heads(q.grad(), q64.grad(), "gradient of q");
    expect_heads(k.grad(), k64.grad(), "gradient of k");
    expect_heads(v.grad(), v64.grad(), "gradient of v");
  }
};

TEST_F(Gpu_Training, FullAttentionAndItsGradients) {
  check({0, 1024, 2048}, false, 6, 3, 64);
  check({0, 2048}, false, 4, 2, 128);
  check({0, 1000, 1111, 2111}, false, 6, 3, 64);
  check({0, 1, 130, 1241}, false, 4, 1, 128);
}

TEST_F(Gpu_Training, LongDocumentsOneByOne) {
  for (const bool streaming : {false, true}) {
    check({0, 4096, 9216}, streaming, 4, 2, 128);
    check({0, 4224}, streaming, 2, 1, 64);  // no whole kilotokens
  }
}

// Heads without a gradient of their own get zeros, the others what they get among all.
TEST_F(Gpu_Training, GradientsOfSomeHeads) {
  const auto mode =
      elastic::testing::mode_of(fmt::format("ssa:sink={},local={}", kWindow.sink, kWindow.local));
  const auto options = at::TensorOptions(at::kBFloat16).device(device_);
  const auto leaf = [](const at::Tensor& x) { return x.detach().set_requires_grad(true); };
  for (const std::vector<std::int64_t>& offsets :
       {std::vector<std::int64_t>{0, 1024, 2048}, {0, 640, 1792}, {0, 4096, 9216}, {0, 4224}}) {
    std::vector<std::int64_t> tokens;
    for (std::size_t d = 1; d < offsets.size(); ++d) tokens.push_back(offsets[d] - offsets[d - 1]);
    const LayoutPtr layout = move_layout(make_layout(offsets, tokens, mode.get()), device_);
    const at::Tensor q = at::randn({offsets.back(), 6, 64}, options),
                     k = at::randn({offsets.back(), 3, 64}, options),
                     v = at::randn({offsets.back(), 3, 64}, options);
    at::Tensor grad = at::randn(q.sizes(), options);
    grad.narrow(1, 2, 2).zero_();  // of KV head 1
    for (const bool streaming : {false, true}) {
      std::vector<at::Tensor> of_all;
      for (const bool some : {false, true}) {
        AttentionUse use;
        if (some) use.gradients = HeadsOfDocuments(tokens.size(), {0, 2});
        const at::Tensor own_q = leaf(q), own_k = leaf(k), own_v = leaf(v);
        const at::Tensor out =
            streaming ? sparse_attention(own_q, own_k, own_v, layout, *mode, 0, .125, use)
                      : full_attention(own_q, own_k, own_v, layout, .125, use);
        out.backward(grad);
        if (!some) {
          of_all = {own_q.grad(), own_k.grad(), own_v.grad()};
          continue;
        }
        EXPECT_LT(elastic::testing::relative_error(own_q.grad(), of_all[0]), 5e-3);
        EXPECT_LT(elastic::testing::relative_error(own_k.grad(), of_all[1]), 5e-3);
        EXPECT_LT(elastic::testing::relative_error(own_v.grad(), of_all[2]), 5e-3);
        EXPECT_EQ(own_k.grad().select(1, 1).abs().max().item<double>(), 0);
      }
    }
  }
}

TEST_F(Gpu_Training, StreamingAttentionAndItsGradients) {
  check({0, 1024, 2048}, true, 6, 3, 64);
  check({0, 640, 1664, 1792}, true, 4, 2, 128);
  check({0, 128, 4224}, true, 4, 4, 64);
}

}  // namespace
}  // namespace elastic::engine
