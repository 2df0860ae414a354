#include "engine/model/decode_attention.h"

#include <ATen/ops/scaled_dot_product_attention.h>

#include <optional>

namespace elastic::engine {
namespace {

at::Tensor attend(const at::Tensor& q, const KvView& view) {
  return at::scaled_dot_product_attention(q.unsqueeze(0), view.k.unsqueeze(0), view.v.unsqueeze(0),
                                          std::nullopt, 0.0, false)
      .squeeze(0);
}

}  // namespace

void decode_attention(const at::Tensor& q, const std::vector<KvView>& views,
                      const at::Tensor& out) {
  for (const KvView& view : views) {
    if (view.heads.defined()) {
      at::Tensor target = out;
      target.index_copy_(0, view.heads, attend(q.index_select(0, view.heads), view));
    } else {
      out.copy_(attend(q, view));
    }
  }
}

}  // namespace elastic::engine
