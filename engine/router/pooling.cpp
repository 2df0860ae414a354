#include "engine/router/pooling.h"

#include <ATen/TensorOperators.h>

#include <algorithm>

#include "base/error.h"

namespace elastic::engine {

void KeyPool::add_rows(const at::Tensor& keys, std::int64_t begin, std::int64_t end) {
  if (begin >= end) return;
  const at::Tensor rows = keys.narrow(0, begin, end - begin).to(at::kFloat).sum(0);
  sum_ = sum_.defined() ? sum_ + rows : rows;
}

void KeyPool::add(const at::Tensor& keys, std::int64_t first_row) {
  const std::int64_t rows = keys.size(0);
  check(first_row >= 0 && first_row + rows <= tokens_, "pooled rows lie inside the prompt");
  dtype_ = keys.scalar_type();
  add_rows(keys, 0, std::min(std::min(boundary_, tokens_) - first_row, rows));
  add_rows(keys,
           std::max<std::int64_t>(0, std::max<std::int64_t>(tokens_ - boundary_, 0) - first_row),
           rows);
}

at::Tensor KeyPool::mean() const {
  check(sum_.defined(), "keys are pooled before they are averaged");
  const auto weight = static_cast<double>(2 * std::min(boundary_, tokens_));
  return sum_.div(weight).to(dtype_);
}

}  // namespace elastic::engine
