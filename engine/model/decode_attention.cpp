#include "engine/model/decode_attention.h"

#include <ATen/ops/empty_like.h>

#include "engine/attention/attention_backend.h"

namespace elastic::engine {

void decode_attention(std::span<const DecodeRead> reads) {
  std::vector<DecodeRow> rows;
  for (const DecodeRead& read : reads) {
    for (const KvView& view : read.views) {
      const at::Tensor q = view.heads.defined() ? read.q.index_select(0, view.heads) : read.q;
      // Heads of a view are written apart, for out takes them in between the others'.
      rows.push_back({q, view.k, view.v, view.heads.defined() ? at::empty_like(q) : read.out});
    }
  }
  if (rows.empty()) return;
  attention_backend(rows[0].q.device()).decode(rows);
  const DecodeRow* row = rows.data();
  for (const DecodeRead& read : reads) {
    for (const KvView& view : read.views) {
      if (view.heads.defined()) read.out.index_copy_(0, view.heads, row->out);
      ++row;
    }
  }
}

}  // namespace elastic::engine
