#include "engine/model/layer_router.h"

#include <ATen/ops/empty.h>

#include <algorithm>

#include "engine/router/router.h"

namespace elastic::engine {
namespace {

constexpr std::int64_t kMostWindow = 1024;  // pooling of more rows is no matter of latency
constexpr std::int64_t kMostWide = 2048;    // what fits into shared memory without asking
constexpr std::int64_t kPiece = 8;          // numbers that a kernel reads at once

bool is_aligned(const at::Tensor& x) {
  return reinterpret_cast<std::uintptr_t>(x.const_data_ptr()) % (kPiece * 2) == 0;
}

bool in_pieces(const at::Tensor& x) {
  return x.scalar_type() == at::kBFloat16 && x.is_contiguous() && is_aligned(x);
}

HeadDecision apply(const RouterWeights& router, const RouterKeys& read) {
  const at::Tensor& keys = read.rows.front().keys;
  HeadDecision decision;
  decision.pooled_keys = at::empty({keys.size(1), keys.size(2)}, keys.options());
  decision.device_logits = at::empty({keys.size(1), 2}, keys.options().dtype(at::kFloat));
  decision.device_sparse = at::empty({keys.size(1)}, keys.options().dtype(at::kByte));
  step_kernels(keys.device().type())
      .route(router, read, decision.pooled_keys, decision.device_logits, decision.device_sparse);
  return decision;
}

}  // namespace

LayerRouter::LayerRouter(const HeadPolicy& policy, std::int64_t layer, const PooledPrompt& prompt,
                         StageClock& clock)
    : policy_(policy),
      clock_(clock),
      layer_(layer),
      window_(std::min(prompt.window, prompt.tokens)),
      pool_(prompt.tokens, prompt.window),
      held_{{}, prompt.tokens, window_} {}

std::vector<std::pair<std::int64_t, std::int64_t>> LayerRouter::windows() const {
  const std::int64_t tokens = held_.tokens;
  if (!policy_.needs_keys()) return {};
  if (tokens <= 2 * window_) return {{0, tokens}};
  return {{0, window_}, {tokens - window_, tokens}};
}

bool LayerRouter::reads(std::int64_t first_row, std::int64_t rows) const {
  const auto windows = this->windows();
  return std::ranges::any_of(windows, [&](const auto& window) {
    return first_row < window.second && window.first < first_row + rows;
  });
}

bool LayerRouter::kernel_takes(const at::Tensor& keys) const {
  const RouterWeights* router = policy_.router(layer_);
  if (router == nullptr || !step_kernels_take(keys, keys.size(2)) || window_ > kMostWindow) {
    return false;
  }
  for (const RouterLinear& linear : kRouterLinears) {
    if (!in_pieces(router->*linear.weight) || !in_pieces(router->*linear.bias)) return false;
  }
  const std::int64_t wide = router->task_up.size(0);
  return wide % keys.size(2) == 0 && wide <= kMostWide && keys.stride(2) == 1 &&
         keys.stride(0) % kPiece == 0 && keys.stride(1) % kPiece == 0 && is_aligned(keys);
}

void LayerRouter::add(const at::Tensor& keys, std::int64_t first_row) {
  if (!pools_ && held_.rows.size() < kMostRouterRows && kernel_takes(keys)) {
    held_.rows.push_back({keys, first_row});
    return;
  }
  for (const RouterRows& rows : held_.rows) pool(rows.keys, rows.first_row);
  held_.rows.clear();
  pools_ = true;
  pool(keys, first_row);
}

void LayerRouter::pool(const at::Tensor& keys, std::int64_t first_row) {
  clock_.time(Stage::kRouter, [&] { pool_.add(keys, first_row); });
}

HeadDecision LayerRouter::decide() {
  HeadDecision decision;
  clock_.time(Stage::kRouter, [&] {
    if (!held_.rows.empty()) {
      decision = apply(*policy_.router(layer_), held_);
    } else {
      decision = policy_.decide(layer_, policy_.needs_keys() ? pool_.mean() : at::Tensor());
    }
  });
  held_.rows.clear();
  return decision;
}

}  // namespace elastic::engine
