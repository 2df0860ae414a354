#pragma once

// Bounds of pages of keys: the least and the largest of each element, by which quest scores a page
// (sparse_attention_2 spec 3).

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "engine/attention/head_mode.h"

namespace elastic::engine {

/// The lower or upper bounds, [heads, pages, dim], of keys [heads, n, dim] that begin with a page;
/// the last may not be full.
at::Tensor page_bounds(const at::Tensor& keys, std::int64_t page, bool upper);

/// For steps that widen them themselves: state.tensors {lower, upper} of the keys, with room for
/// one more key at least. Nothing happens where they are there: state.tokens keys.
void hold_bounds(const at::Tensor& keys, std::int64_t page, HeadState& state);

}  // namespace elastic::engine
