#include "engine/model/decode_attention.h"

#include <ATen/ops/empty_like.h>

#include <cmath>

#include "base/error.h"
#include "engine/attention/attention_plan.h"
#include "engine/attention/masked_attention.h"

namespace elastic::engine {
namespace {

at::Tensor attend(const at::Tensor& q, const KvView& view) {
  if (q.is_cpu()) {
    const std::int64_t dim = q.size(2);
    at::Tensor out = at::empty_like(q, at::MemoryFormat::Contiguous);
    at::Tensor rows = out.view({-1, 1, dim});
    attend_full({q.reshape({-1, 1, dim}), view.k, view.v, view.k.size(1) - 1,
                 1 / std::sqrt(static_cast<double>(dim))},
                rows);
    return out;
  }
  const auto decode = device_attention().decode;
  check(decode != nullptr, "an accelerator library brings attention for decode");
  return decode(q, view.k, view.v);
}

}  // namespace

void decode_attention(const at::Tensor& q, const std::vector<KvView>& views,
                      const at::Tensor& out) {
  for (const KvView& view : views) {
    if (view.heads.defined()) {
      out.index_copy_(0, view.heads, attend(q.index_select(0, view.heads), view));
    } else {
      out.copy_(attend(q, view));
    }
  }
}

}  // namespace elastic::engine
