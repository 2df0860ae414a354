#include "engine/attention/page_bounds.h"

#include <ATen/ops/constant_pad_nd.h>

#include "engine/attention/ranking.h"

namespace elastic::engine {

at::Tensor page_bounds(const at::Tensor& keys, std::int64_t page, bool upper) {
  const std::int64_t pages = (keys.size(1) + page - 1) / page;
  const at::Tensor by_page = at::constant_pad_nd(keys, {0, 0, 0, pages * page - keys.size(1)},
                                                 upper ? -kInfinity : kInfinity)
                                 .view({keys.size(0), pages, page, keys.size(2)});
  return upper ? by_page.amax(2) : by_page.amin(2);
}

void hold_bounds(const at::Tensor& keys, std::int64_t page, HeadState& state) {
  const std::int64_t tokens = keys.size(1);
  const bool there =
      state.tokens == tokens && !state.tensors.empty() && state.tensors[0].size(1) * page > tokens;
  if (there) return;
  state.tensors.clear();
  for (const bool upper : {false, true}) {
    const at::Tensor bounds = page_bounds(keys, page, upper);
    const std::int64_t spare = bounds.size(1) / 8 + 16;  // pages
    state.tensors.push_back(at::constant_pad_nd(bounds, {0, 0, 0, spare}).contiguous());
  }
  state.tokens = tokens;
}

}  // namespace elastic::engine
