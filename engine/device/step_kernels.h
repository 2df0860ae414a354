#pragma once

// What an accelerator's library computes for the decoder beside attention, and how it records a
// decode step. Everything that changes from token to token (positions, places in caches) is read
// from device memory, so that one recording serves all tokens. Members are null where a device
// brings none: then the step is made of ATen operations.

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <vector>

#include "engine/kernels/step_linear.h"

namespace elastic::engine {

/// Where a layer's steps choose pages (KvSlot::pages); undefined where no head of the batch does.
struct StepPages {
  at::Tensor scores;  // fp32 [batch, heads_q, room]: room for so many pages, a multiple of 32
  at::Tensor bits;    // int32 [batch, heads_q, room / 32]
  at::Tensor keys;    // int32 [batch, heads_kv]: that the step has read of each KV head, out
};

/// One layer of a step over the tokens of a batch. bf16, head_dim 64 or 128.
struct StepLayer {
  std::int64_t heads_q = 0, heads_kv = 0;
  at::Tensor positions;  // int32 [batch]: of the new tokens; -1: a row without a sequence
  at::Tensor slots;      // uint8 [batch * heads_kv * sizeof(KvSlot)]
  StepPages pages = {};
};

struct RouterWeights;  // engine/router/router.h

/// Keys before RoPE of a prompt's rows from first_row on: [rows, heads_kv, head_dim].
struct RouterRows {
  at::Tensor keys;
  std::int64_t first_row = 0;
};

/// What a layer's router reads of a prompt: the rows of its two windows. bf16, head_dim 64 or 128.
struct RouterKeys {
  std::vector<RouterRows> rows;  // ascending, at most kMostRouterRows
  std::int64_t tokens = 0, window = 0;
};
inline constexpr std::size_t kMostRouterRows = 4;

/// Of rows that go through a step together each result is the same bits as alone.
struct StepKernels {
  /// x [rows, in] of at most kStepRows, weight [out, in] (kGate: [2 out, in]), y [rows, out], bias
  /// of every output or undefined; contiguous, `in` a multiple of kStepInner.
  void (*linear)(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias,
                 LinearEnd end, const at::Tensor& y) = nullptr;

  /// out = weight * x / rms(x) of rows [rows, width].
  void (*norm)(const at::Tensor& x, const at::Tensor& weight, double eps,
               const at::Tensor& out) = nullptr;

  /// qkv [batch, (heads_q + 2 heads_kv) * head_dim], one projection: the keys, normed by k_norm
  /// where that is defined and rotated, and the values go to their slots, bounds of pages with
  /// them; the queries, likewise, to q [batch, heads_q, head_dim]. cos, sin [positions, head_dim /
  /// 2].
  void (*append)(const StepLayer& layer, const at::Tensor& qkv, const at::Tensor& q_norm,
                 const at::Tensor& k_norm, double eps, const at::Tensor& cos, const at::Tensor& sin,
                 const at::Tensor& q) = nullptr;

  /// q [batch, heads_q, head_dim] over all rows of the slots, or the pages that each query head
  /// chooses of them; scale 1/sqrt(head_dim); out, shape of q, contiguous.
  void (*attend)(const StepLayer& layer, const at::Tensor& q, const at::Tensor& out) = nullptr;

  /// silu(x[:, :n]) * x[:, n:] of x [rows, 2 n], contiguous, to out [rows, n].
  void (*gate)(const at::Tensor& x, const at::Tensor& out) = nullptr;

  /// x [rows, heads, head_dim], row r rotated by cos, sin [rows, head_dim / 2], to out [heads,
  /// rows, head_dim]; the last dimensions contiguous.
  void (*rotate)(const at::Tensor& x, const at::Tensor& cos, const at::Tensor& sin,
                 const at::Tensor& out) = nullptr;

  /// The mean of both windows, to pooled [heads_kv, head_dim], through both MLPs: fp32 logits
  /// [heads_kv, 2] and bytes as router_logits() and sparse_heads() have them.
  void (*route)(const RouterWeights& router, const RouterKeys& keys, const at::Tensor& pooled,
                const at::Tensor& logits, const at::Tensor& is_sparse) = nullptr;

  /// Runs `work` once to warm up, records it and returns what replays it.
  std::function<void()> (*record)(const std::function<void()>& work) = nullptr;
};

/// The table of a device type; empty until its library fills it.
StepKernels& step_kernels(at::DeviceType type);

/// What StepKernels take.
inline bool step_kernels_take(const at::Tensor& x, std::int64_t head_dim) {
  return step_kernels(x.device().type()).record != nullptr && x.scalar_type() == at::kBFloat16 &&
         (head_dim == 64 || head_dim == 128);
}

}  // namespace elastic::engine
