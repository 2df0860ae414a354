#include "engine/train/span_attention.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>
#include <span>
#include <utility>

#include "base/error.h"
#include "engine/train/document_attention.h"
#include "engine/train/span_kernel.h"
#include "engine/train/upload.h"

namespace elastic::engine {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

// Query rows of one sparse call: bounds the gathered keys, which are many times as many.
constexpr std::int64_t kSparseRows = 16384;

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
using BlockLists = std::vector<std::vector<std::int64_t>>;

// One list for all heads, or one a query head. `input_of(first row, tokens)`: a document's own.
template <typename InputOf>
std::vector<BlockLists> visible_blocks(const AttentionLayout& layout, const HeadMode& mode,
                                       std::span<const int> kv_heads, const InputOf& input_of) {
  std::vector<BlockLists> lists;
  for (std::size_t d = 0; d < layout.tokens.size(); ++d) {
    const std::int64_t start = layout.documents.q[d], rows = layout.documents.q[d + 1] - start;
    check(rows % kMaskBlock == 0, "sparse documents are whole blocks");
    const BlockMask mask = mode.block_mask(input_of(start, layout.tokens[d]), kv_heads);
    check(mask.query_block == kMaskBlock && mask.token_local == 0, "training masks whole blocks");
    lists.resize(mask.heads.size());
    for (std::size_t h = 0; h < mask.heads.size(); ++h) {
      for (std::int64_t b = 0; b < rows / kMaskBlock; ++b) {
        std::vector<std::int64_t>& keys = lists[h].emplace_back();
        for (const KeyRange& range : mask.heads[h].block(b)) {
          for (std::int64_t key = range.begin; key < range.end; key += kMaskBlock) {
            keys.push_back((start + key) / kMaskBlock);
          }
        }
      }
    }
  }
  return lists;
}

BlockChunk make_chunk(const BlockLists& blocks, std::size_t first, std::size_t last,
                      std::int64_t query_head) {
  BlockChunk chunk;
  chunk.first_row = static_cast<std::int64_t>(first) * kMaskBlock;
  chunk.rows = static_cast<std::int64_t>(last - first) * kMaskBlock;
  chunk.query_head = query_head;
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

std::vector<BlockChunk> make_chunks(const std::vector<BlockLists>& lists) {
  constexpr std::size_t kStep = kSparseRows / kMaskBlock;
  std::vector<BlockChunk> chunks;
  for (std::size_t h = 0; h < lists.size(); ++h) {
    const std::int64_t head = lists.size() == 1 ? -1 : static_cast<std::int64_t>(h);
    for (std::size_t first = 0; first < lists[h].size(); first += kStep) {
      chunks.push_back(make_chunk(lists[h], first, std::min(first + kStep, lists[h].size()), head));
    }
  }
  return chunks;
}

// Documents each by itself, if all are long enough to fill a device.
std::vector<Spans> spans_apart(const std::vector<std::int64_t>& offsets) {
  constexpr std::int64_t kLong = 4096;  // rows
  std::vector<Spans> apart;
  for (std::size_t i = 1; i < offsets.size(); ++i) {
    const std::int64_t rows = offsets[i] - offsets[i - 1];
    if (rows < kLong) return {};
    apart.push_back(make_spans({0, rows}, {0, rows}));
  }
  return apart;
}

Spans moved(const Spans& spans, at::Device device) {
  Spans there = spans;
  there.q_offsets = upload(spans.q_offsets, device);
  there.k_offsets = upload(spans.k_offsets, device);
  return there;
}

BlockChunk moved(const BlockChunk& chunk, at::Device device) {
  return {chunk.first_row, chunk.rows, chunk.query_head, upload(chunk.key_blocks, device),
          moved(chunk.spans, device)};
}

// x [rows, heads, d] as [blocks, 128, heads, d], the chosen blocks side by side as rows.
at::Tensor gather_blocks(const at::Tensor& x, const at::Tensor& blocks) {
  return x.unflatten(0, {-1, kMaskBlock}).index_select(0, blocks).flatten(0, 1);
}

void scatter_blocks(const at::Tensor& sum, const at::Tensor& gathered, const at::Tensor& blocks) {
  sum.index_add_(0, blocks, gathered.to(sum.scalar_type()).unflatten(0, {-1, kMaskBlock}));
}

// The tensors of one chunk: its rows of q (or of a gradient) and its gathered keys or values.
struct ChunkView {
  const BlockChunk& chunk;
  std::int64_t group;  // heads_q / heads_kv

  // The heads of a tensor whose query (kv false) or KV heads are dimension `dim`.
  at::Tensor heads(const at::Tensor& x, std::int64_t dim, bool kv) const {
    if (chunk.query_head < 0) return x;
    return x.narrow(dim, kv ? chunk.query_head / group : chunk.query_head, 1);
  }
  at::Tensor rows(const at::Tensor& x) const {
    return heads(x, 1, false).narrow(0, chunk.first_row, chunk.rows);
  }
  at::Tensor keys(const at::Tensor& x) const {
    return gather_blocks(heads(x, 1, true), chunk.key_blocks);
  }
};

// What a node of the graph keeps besides tensors.
struct Kept : torch::CustomClassHolder {
  Kept(LayoutPtr l, double s, std::optional<HeadsOfDocuments> h)
      : layout(std::move(l)), scale(s), gradients(std::move(h)) {}
  LayoutPtr layout;
  double scale;
  std::optional<HeadsOfDocuments> gradients;
};

void keep(AutogradContext* context, const LayoutPtr& layout, double scale,
          const AttentionUse& use) {
  context->saved_data["kept"] =
      c10::IValue::make_capsule(c10::make_intrusive<Kept>(layout, scale, use.gradients));
}

c10::intrusive_ptr<Kept> kept_of(AutogradContext* context) {
  return c10::static_intrusive_pointer_cast<Kept>(context->saved_data["kept"].toCapsule());
}

struct FullAttention : torch::autograd::Function<FullAttention> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& q, const at::Tensor& k,
                            const at::Tensor& v, const LayoutPtr& layout, double scale,
                            const AttentionUse& use) {
    const bool second = use.kept != nullptr && use.kept->out.defined();
    SpanResult result = second                  ? std::exchange(*use.kept, {})
                        : run_apart(q, *layout) ? attend_apart(q, k, v, *layout, nullptr, scale)
                                                : attend_spans(q, k, v, layout->documents, scale);
    if (use.kept != nullptr && !second) *use.kept = result;
    context->save_for_backward({q, k, v, result.out, result.lse, result.state, result.unused});
    keep(context, layout, scale, use);
    return result.out;
  }

  static variable_list backward(AutogradContext* context, const variable_list& grads) {
    const variable_list s = context->get_saved_variables();
    const auto kept = kept_of(context);
    const SpanGradients g = full_backward(grads[0], s[0], s[1], s[2], {s[3], s[4], s[5], s[6]},
                                          *kept->layout, kept->scale, kept->gradients);
    return {g.q, g.k, g.v, {}, {}, {}};
  }
};

// The results of a layout's chunks out of that of all rows.
std::vector<SpanResult> cut_to_chunks(const SpanResult& all, const AttentionLayout& layout) {
  std::vector<SpanResult> parts;
  for (const BlockChunk& chunk : layout.chunks) {
    parts.push_back({all.out.narrow(0, chunk.first_row, chunk.rows),
                     all.lse.narrow(1, chunk.first_row, chunk.rows).contiguous(),
                     {},
                     {}});
  }
  return parts;
}

struct BlockAttention : torch::autograd::Function<BlockAttention> {
  // `mode`: of positions alone; null where the layout's chunks are all that is known.
  static at::Tensor forward(AutogradContext* context, const at::Tensor& q, const at::Tensor& k,
                            const at::Tensor& v, const LayoutPtr& layout, const HeadMode* mode,
                            double scale, const AttentionUse& use) {
    at::Tensor out;
    std::vector<SpanResult> results;
    if (mode != nullptr && run_apart(q, *layout)) {
      const SpanResult all = attend_apart(q, k, v, *layout, mode, scale);
      results = cut_to_chunks(all, *layout);
      out = all.out;
    } else {
      results = attend_chunks(q, k, v, *layout, scale, out);
    }
    variable_list saved{q, k, v};
    for (const SpanResult& r : results)
      saved.insert(saved.end(), {r.out, r.lse, r.state, r.unused});
    context->save_for_backward(saved);
    keep(context, layout, scale, use);
    return out;
  }

  static std::vector<SpanResult> attend_chunks(const at::Tensor& q, const at::Tensor& k,
                                               const at::Tensor& v, const AttentionLayout& layout,
                                               double scale, at::Tensor& out) {
    std::vector<SpanResult> results;
    for (const BlockChunk& chunk : layout.chunks) {
      const ChunkView view{chunk, q.size(1) / k.size(1)};
      results.push_back(attend_spans(view.rows(q), view.keys(k), view.keys(v), chunk.spans, scale));
      if (layout.chunks.size() == 1) {
        out = results[0].out;
      } else {
        if (!out.defined()) out = at::empty(q.sizes(), q.options());
        view.rows(out).copy_(results.back().out);
      }
    }
    return results;
  }

  static variable_list backward(AutogradContext* context, const variable_list& grads) {
    const variable_list s = context->get_saved_variables();
    const auto kept = kept_of(context);
    const AttentionLayout& layout = *kept->layout;
    const bool by_head = layout.chunks.front().query_head >= 0;  // chunks are of single heads
    const HeadSubset some(by_head ? std::nullopt : heads_of_any(kept->gradients), s[0], s[1]);
    if (some.is_empty()) {
      return {at::zeros_like(s[0]), at::zeros_like(s[1]), at::zeros_like(s[2]), {}, {}, {}, {}};
    }
    const at::Tensor grad = some.queries(grads[0], 1), q = some.queries(s[0], 1),
                     k = some.keys(s[1], 1), v = some.keys(s[2], 1);
    const auto sum_type = k.scalar_type() == at::kDouble ? at::kDouble : at::kFloat;
    const auto zeros = [&](const at::Tensor& x) {
      return at::zeros(x.sizes(), x.options().dtype(sum_type)).unflatten(0, {-1, kMaskBlock});
    };
    at::Tensor dq = at::empty(q.sizes(), q.options()), dk = zeros(k), dv = zeros(v);
    for (std::size_t c = 0; c < layout.chunks.size(); ++c) {
      const BlockChunk& chunk = layout.chunks[c];
      const ChunkView view{chunk, q.size(1) / k.size(1)};
      const std::size_t at = 3 + 4 * c;
      const SpanResult own =
          some.result({s[at], s[at + 1], s[at + 2], s[at + 3]}, s[0], chunk.spans);
      const SpanGradients g = attend_spans_backward(view.rows(grad), view.rows(q), view.keys(k),
                                                    view.keys(v), own, chunk.spans, kept->scale);
      view.rows(dq).copy_(g.q);
      scatter_blocks(view.heads(dk, 2, true), g.k, chunk.key_blocks);
      scatter_blocks(view.heads(dv, 2, true), g.v, chunk.key_blocks);
    }
    const SpanGradients all = some.among_all(
        {dq, dk.flatten(0, 1).to(k.scalar_type()), dv.flatten(0, 1).to(v.scalar_type())}, s[0],
        s[1]);
    return {all.q, all.k, all.v, {}, {}, {}, {}};
  }
};

// The blocks that the mode chooses for these queries and keys, without a gradient.
LayoutPtr chosen_blocks(const at::Tensor& q, const at::Tensor& k, const AttentionLayout& layout,
                        const HeadMode& mode, std::int64_t layer, double scale) {
  const auto document = [](const at::Tensor& x, std::int64_t start, std::int64_t tokens) {
    return x.detach().narrow(0, start, tokens).transpose(0, 1);
  };
  const auto lists = visible_blocks(
      layout, mode, every_head(k.size(1)), [&](std::int64_t start, std::int64_t tokens) {
        const at::Tensor keys = document(k, start, tokens);
        return AttentionInput{document(q, start, tokens), keys, keys, 0, scale, layer};
      });
  AttentionLayout chosen{layout.documents, layout.apart, layout.tokens, make_chunks(lists)};
  for (BlockChunk& chunk : chosen.chunks) chunk = moved(chunk, q.device());
  return std::make_shared<const AttentionLayout>(std::move(chosen));
}

}  // namespace

LayoutPtr make_layout(const std::vector<std::int64_t>& offsets,
                      const std::vector<std::int64_t>& tokens, const HeadMode* sparse) {
  auto layout = std::make_shared<AttentionLayout>();
  layout->documents = make_spans(offsets, offsets);
  layout->apart = spans_apart(offsets);
  layout->tokens = tokens;
  if (sparse == nullptr || sparse->places().estimates) return layout;
  const std::vector<int> heads = {0};
  layout->chunks =
      make_chunks(visible_blocks(*layout, *sparse, heads, [](std::int64_t, std::int64_t rows) {
        const at::Tensor none = at::empty({1, rows, 0});  // the mask depends on positions alone
        return AttentionInput{none, none, none, 0, 1};
      }));
  return layout;
}

LayoutPtr move_layout(const LayoutPtr& layout, at::Device device) {
  auto there = std::make_shared<AttentionLayout>();
  there->documents = moved(layout->documents, device);
  for (const Spans& spans : layout->apart) there->apart.push_back(moved(spans, device));
  there->tokens = layout->tokens;
  for (const BlockChunk& chunk : layout->chunks) there->chunks.push_back(moved(chunk, device));
  return there;
}

at::Tensor full_attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                          const LayoutPtr& layout, double scale, const AttentionUse& use) {
  return FullAttention::apply(q, k, v, layout, scale, use);
}

at::Tensor sparse_attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                            const LayoutPtr& layout, const HeadMode& mode, std::int64_t layer,
                            double scale, const AttentionUse& use) {
  const bool known = !mode.places().estimates;
  check(!known || !layout->chunks.empty(), "a layout knows the blocks of its sparse mode");
  return BlockAttention::apply(q, k, v,
                               known ? layout : chosen_blocks(q, k, *layout, mode, layer, scale),
                               known ? &mode : nullptr, scale, use);
}

}  // namespace elastic::engine
