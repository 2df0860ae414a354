#include "engine/train/span_attention.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>

#include "base/error.h"
#include "engine/train/span_kernel.h"
#include "engine/train/upload.h"

namespace elastic::engine {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

// Query rows of one streaming call: bounds the gathered keys, which are (sink + local) / 128 times
// as many.
constexpr std::int64_t kStreamingRows = 16384;

std::int64_t widest(const std::vector<std::int64_t>& offsets) {
  std::int64_t width = 0;
  for (std::size_t i = 1; i < offsets.size(); ++i) {
    width = std::max(width, offsets[i] - offsets[i - 1]);
  }
  return width;
}

at::Tensor int32_tensor(const std::vector<std::int64_t>& values) {
  return at::tensor(std::vector<std::int32_t>(values.begin(), values.end()),
                    at::TensorOptions(at::kInt));
}

Spans make_spans(std::vector<std::int64_t> q, std::vector<std::int64_t> k) {
  Spans spans{std::move(q), std::move(k), {}, {}, 0, 0};
  spans.q_offsets = int32_tensor(spans.q);
  spans.k_offsets = int32_tensor(spans.k);
  spans.max_q = widest(spans.q);
  spans.max_k = widest(spans.k);
  return spans;
}

// Key blocks of each query block of the stream, ascending.
std::vector<std::vector<std::int64_t>> visible_blocks(const std::vector<std::int64_t>& offsets,
                                                      const StreamingWindow& window) {
  std::vector<std::vector<std::int64_t>> blocks;
  for (std::size_t d = 0; d + 1 < offsets.size(); ++d) {
    const std::int64_t rows = offsets[d + 1] - offsets[d];
    check(rows % kMaskBlock == 0, "streamed documents are whole blocks");
    const BlockMask mask = streaming_mask(window, {.q_start = 0, .rows = rows, .tokens = rows});
    for (std::int64_t b = 0; b < rows / kMaskBlock; ++b) {
      std::vector<std::int64_t>& keys = blocks.emplace_back();
      for (const KeyRange& range : mask.heads[0].block(b)) {
        for (std::int64_t key = range.begin; key < range.end; key += kMaskBlock) {
          keys.push_back((offsets[d] + key) / kMaskBlock);
        }
      }
    }
  }
  return blocks;
}

StreamingChunk make_chunk(const std::vector<std::vector<std::int64_t>>& blocks, std::size_t first,
                          std::size_t last) {
  StreamingChunk chunk;
  chunk.first_row = static_cast<std::int64_t>(first) * kMaskBlock;
  chunk.rows = static_cast<std::int64_t>(last - first) * kMaskBlock;
  std::vector<std::int64_t> q{0}, k{0}, keys;
  for (std::size_t b = first; b < last; ++b) {
    keys.insert(keys.end(), blocks[b].begin(), blocks[b].end());
    q.push_back(q.back() + kMaskBlock);
    k.push_back(static_cast<std::int64_t>(keys.size()) * kMaskBlock);
  }
  chunk.key_blocks = at::tensor(keys, at::TensorOptions(at::kLong));
  chunk.spans = make_spans(std::move(q), std::move(k));
  return chunk;
}

Spans moved(const Spans& spans, at::Device device) {
  Spans there = spans;
  there.q_offsets = upload(spans.q_offsets, device);
  there.k_offsets = upload(spans.k_offsets, device);
  return there;
}

// x [rows, heads, d] as [blocks, 128, heads, d], the chosen blocks side by side as rows.
at::Tensor gather_blocks(const at::Tensor& x, const at::Tensor& blocks) {
  return x.unflatten(0, {-1, kMaskBlock}).index_select(0, blocks).flatten(0, 1);
}

void scatter_blocks(at::Tensor& sum, const at::Tensor& gathered, const at::Tensor& blocks) {
  sum.index_add_(0, blocks, gathered.to(sum.scalar_type()).unflatten(0, {-1, kMaskBlock}));
}

// What a node of the graph keeps besides tensors.
struct LayoutHolder : torch::CustomClassHolder {
  explicit LayoutHolder(LayoutPtr l) : layout(std::move(l)) {}
  LayoutPtr layout;
};

void keep_layout(AutogradContext* context, const LayoutPtr& layout, double scale) {
  context->saved_data["layout"] =
      c10::IValue::make_capsule(c10::make_intrusive<LayoutHolder>(layout));
  context->saved_data["scale"] = scale;
}

LayoutPtr layout_of(AutogradContext* context) {
  return c10::static_intrusive_pointer_cast<LayoutHolder>(context->saved_data["layout"].toCapsule())
      ->layout;
}

struct FullAttention : torch::autograd::Function<FullAttention> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& q, const at::Tensor& k,
                            const at::Tensor& v, const LayoutPtr& layout, double scale) {
    const SpanResult result = attend_spans(q, k, v, layout->documents, scale);
    context->save_for_backward({q, k, v, result.out, result.lse, result.state, result.unused});
    keep_layout(context, layout, scale);
    return result.out;
  }

  static variable_list backward(AutogradContext* context, const variable_list& grads) {
    const variable_list s = context->get_saved_variables();
    const SpanGradients g = attend_spans_backward(
        grads[0], s[0], s[1], s[2], {s[3], s[4], s[5], s[6]}, layout_of(context)->documents,
        context->saved_data["scale"].toDouble());
    return {g.q, g.k, g.v, {}, {}};
  }
};

struct StreamingAttention : torch::autograd::Function<StreamingAttention> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& q, const at::Tensor& k,
                            const at::Tensor& v, const LayoutPtr& layout, double scale) {
    at::Tensor out;
    variable_list saved{q, k, v};
    for (const StreamingChunk& chunk : layout->streaming) {
      const SpanResult result =
          attend_spans(q.narrow(0, chunk.first_row, chunk.rows), gather_blocks(k, chunk.key_blocks),
                       gather_blocks(v, chunk.key_blocks), chunk.spans, scale);
      saved.insert(saved.end(), {result.out, result.lse, result.state, result.unused});
      if (layout->streaming.size() == 1) {
        out = result.out;
      } else {
        if (!out.defined()) out = at::empty(q.sizes(), q.options());
        out.narrow(0, chunk.first_row, chunk.rows).copy_(result.out);
      }
    }
    context->save_for_backward(saved);
    keep_layout(context, layout, scale);
    return out;
  }

  static variable_list backward(AutogradContext* context, const variable_list& grads) {
    const variable_list s = context->get_saved_variables();
    const LayoutPtr layout = layout_of(context);
    const double scale = context->saved_data["scale"].toDouble();
    const at::Tensor &q = s[0], &k = s[1], &v = s[2];
    const auto sum_type = k.scalar_type() == at::kDouble ? at::kDouble : at::kFloat;
    at::Tensor dq = at::empty(q.sizes(), q.options());
    at::Tensor dk =
        at::zeros(k.sizes(), k.options().dtype(sum_type)).unflatten(0, {-1, kMaskBlock});
    at::Tensor dv =
        at::zeros(v.sizes(), v.options().dtype(sum_type)).unflatten(0, {-1, kMaskBlock});
    for (std::size_t c = 0; c < layout->streaming.size(); ++c) {
      const StreamingChunk& chunk = layout->streaming[c];
      const std::size_t at = 3 + 4 * c;
      const SpanGradients g = attend_spans_backward(
          grads[0].narrow(0, chunk.first_row, chunk.rows), q.narrow(0, chunk.first_row, chunk.rows),
          gather_blocks(k, chunk.key_blocks), gather_blocks(v, chunk.key_blocks),
          {s[at], s[at + 1], s[at + 2], s[at + 3]}, chunk.spans, scale);
      dq.narrow(0, chunk.first_row, chunk.rows).copy_(g.q);
      scatter_blocks(dk, g.k, chunk.key_blocks);
      scatter_blocks(dv, g.v, chunk.key_blocks);
    }
    return {dq, dk.flatten(0, 1).to(k.scalar_type()), dv.flatten(0, 1).to(v.scalar_type()), {}, {}};
  }
};

}  // namespace

LayoutPtr make_layout(const std::vector<std::int64_t>& offsets,
                      const std::optional<StreamingWindow>& window) {
  auto layout = std::make_shared<AttentionLayout>();
  layout->documents = make_spans(offsets, offsets);
  if (!window) return layout;
  const auto blocks = visible_blocks(offsets, *window);
  constexpr std::size_t kStep = kStreamingRows / kMaskBlock;
  for (std::size_t first = 0; first < blocks.size(); first += kStep) {
    layout->streaming.push_back(make_chunk(blocks, first, std::min(first + kStep, blocks.size())));
  }
  return layout;
}

LayoutPtr move_layout(const LayoutPtr& layout, at::Device device) {
  auto there = std::make_shared<AttentionLayout>();
  there->documents = moved(layout->documents, device);
  for (const StreamingChunk& chunk : layout->streaming) {
    there->streaming.push_back({chunk.first_row, chunk.rows, upload(chunk.key_blocks, device),
                                moved(chunk.spans, device)});
  }
  return there;
}

at::Tensor full_attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                          const LayoutPtr& layout, double scale) {
  return FullAttention::apply(q, k, v, layout, scale);
}

at::Tensor streaming_attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                               const LayoutPtr& layout, double scale) {
  check(!layout->streaming.empty(), "streaming attention has its window in the layout");
  return StreamingAttention::apply(q, k, v, layout, scale);
}

}  // namespace elastic::engine
