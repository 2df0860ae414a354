// The attention backend of CUDA devices. Our own kernels (prefill_call.h) take every head of a call
// in one launch, whichever modes they are in and whoever decided; flash decodes what no recorded
// step does. What no kernel takes (fp32, odd head sizes, masks of other blocks, skipped tiles) is
// composed.

#include <ATen/TensorOperators.h>
#include <ATen/ops/_flash_attention_forward.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/constant_pad_nd.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>
#include <c10/cuda/CUDAException.h>
#include <c10/cuda/CUDAStream.h>
#include <cuda_runtime_api.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <optional>

#include "engine/attention/attention_backend.h"
#include "engine/cuda/cuda_devices.h"
#include "engine/cuda/cuda_strips.h"
#include "engine/cuda/prefill_call.h"
#include "engine/device/cuda_interface.h"

namespace elastic::engine {
namespace {

constexpr std::uint8_t kNobody = 2;  // the byte of heads that no group lists: they visit nothing

// Bit rows of a choice, int32 [query heads, query blocks, words]: bit b of word w is block
// 32 w + b.
at::Tensor bit_rows(const at::Tensor& keep) {
  const std::int64_t words = (keep.size(2) + 31) / 32;
  const at::Tensor bits = at::constant_pad_nd(keep.to(at::kLong), {0, words * 32 - keep.size(2)})
                              .view({keep.size(0), keep.size(1), words, 32});
  const at::Tensor place = at::arange(32, bits.options());
  return bits.bitwise_left_shift(place).sum(3).to(at::kInt);
}

// Bit rows of every query head of the call, of the heads of a group.
at::Tensor all_bit_rows(const AttentionInput& input, const HeadGroup& group) {
  const at::Tensor rows = bit_rows(group.choice.keep);
  const std::int64_t heads = input.q.size(0), per_head = heads / input.k.size(0);
  if (rows.size(0) == heads) return rows;
  at::Tensor all = at::zeros({heads, rows.size(1), rows.size(2)}, rows.options());
  for (std::size_t i = 0; i < group.kv_heads.size(); ++i) {
    all.narrow(0, group.kv_heads[i] * per_head, per_head)
        .copy_(rows.narrow(0, static_cast<std::int64_t>(i) * per_head, per_head));
  }
  return all;
}

std::int32_t blocks(std::int64_t tokens) {
  return static_cast<std::int32_t>((tokens + kMaskBlock - 1) / kMaskBlock);
}

// A window's sizes reach 2^40; no sequence does.
StreamingWindow clipped(StreamingWindow window, std::int64_t tokens) {
  const std::int64_t most = tokens + kMaskBlock;
  window.sink = std::min(window.sink, most);
  window.local = std::min(window.local, most);
  return window;
}

HeadVisits window_visits(const StreamingWindow& window) {
  HeadVisits visits{.kind = VisitKind::kWindow,
                    .sink_blocks = blocks(window.sink),
                    .local_blocks = blocks(window.local)};
  if (window.block == 1) {
    visits.local_blocks = blocks(window.local - 1) + 1;  // those that the last row of a block sees
    visits.token_sink = static_cast<std::int32_t>(window.sink);
    visits.token_local = static_cast<std::int32_t>(window.local);
  }
  return visits;
}

// The visit list of a group and what it points to; nothing where the kernel has none for its mask.
struct GroupVisits {
  HeadVisits visits;
  at::Tensor bits;
};

std::optional<GroupVisits> visits_of(const AttentionInput& input, const HeadGroup& group) {
  if (group.skip) return std::nullopt;
  if (group.is_estimated()) {
    if (group.choice.block != kMaskBlock) return std::nullopt;
    const at::Tensor& bits = group.choice.bits;
    GroupVisits chosen{{.kind = VisitKind::kBits},
                       bits.defined() ? bits : all_bit_rows(input, group)};
    chosen.visits.bits = static_cast<const std::uint32_t*>(chosen.bits.const_data_ptr());
    chosen.visits.words = static_cast<std::int32_t>(chosen.bits.size(2));
    return chosen;
  }
  if (group.mask.dense) return GroupVisits{{.kind = VisitKind::kDense}, {}};
  if (group.mask.window &&
      (group.mask.window->block == 1 || group.mask.window->block == kMaskBlock)) {
    return GroupVisits{window_visits(clipped(*group.mask.window, input.k.size(1))), {}};
  }
  return std::nullopt;
}

// Per KV head, on the device; undefined where one group has all heads.
at::Tensor decision_bytes(const AttentionInput& input, const HeadGroups& groups) {
  if (groups.decided.defined()) return groups.decided.contiguous();
  const auto heads = static_cast<std::size_t>(input.k.size(0));
  if (groups.groups.size() == 1 && groups.groups[0].kv_heads.size() == heads) return {};
  std::vector<std::uint8_t> bytes(heads, kNobody);
  for (std::size_t g = 0; g < groups.groups.size(); ++g) {
    for (const int head : groups.groups[g].kv_heads) {
      bytes[static_cast<std::size_t>(head)] = groups.groups[g].sparse;
    }
  }
  return on_device(at::tensor(bytes, at::TensorOptions(at::kByte)), input.q.device());
}

template <typename Pointer>
HeadMatrix<Pointer> matrix(const at::Tensor& x, Pointer data) {
  return {data, x.stride(0), x.stride(1)};
}

bool kernel_takes(const AttentionInput& input, const at::Tensor& out) {
  const auto aligned = [](const at::Tensor& x) {  // 16 bytes a piece
    return x.stride(2) == 1 && x.stride(0) % 8 == 0 && x.stride(1) % 8 == 0 &&
           reinterpret_cast<std::uintptr_t>(x.const_data_ptr()) % 16 == 0;
  };
  return device_kernels_take(input.q.scalar_type(), input.q.size(2)) &&
         prefill_takes(input.q.size(2)) && aligned(input.q) && aligned(input.k) &&
         aligned(input.v) && aligned(out);
}

// Asked at each call, so that a test can compare both forms of the kernel.
bool wants_weights_in_shared() {
  const char* wanted = std::getenv("ELASTIC_WEIGHTS_IN_SHARED");
  return wanted != nullptr && *wanted == '1';
}

class CudaBackend final : public AttentionBackend {
 public:
  void prefill(const AttentionInput& input, const HeadGroups& groups, at::Tensor& out,
               at::Tensor* lse) const override {
    if (input.q.size(1) == 0 || groups.groups.empty()) return;
    if (!kernel_takes(input, out) || !launch(input, groups, out, lse)) {
      prefill_otherwise(input, groups, out, lse);
    }
  }

  std::optional<BlockChoice> choose_by_strips(const AttentionInput& input,
                                              const CandidateHeads& heads,
                                              const StripRule& rule) const override {
    if (!runs_on_hopper()) return std::nullopt;
    return engine::choose_by_strips(input, heads, rule);
  }

  // Flash splits the keys of a single row over the whole GPU and needs no plan. LibTorch's own
  // choice for these shapes, cuDNN, plans every number of keys anew: tens of milliseconds a token.
  void decode(std::span<const DecodeRow> rows) const override {
    for (const DecodeRow& row : rows) {
      if (!device_kernels_take(row.q.scalar_type(), row.q.size(2))) {
        composed_backend().decode({&row, 1});
        continue;
      }
      row.out.copy_(decode_row(row).view(row.q.sizes()));
    }
  }

 private:
  // Dense heads of sizes that our kernels do not take go to flash, the others wait for their masks.
  static void prefill_otherwise(const AttentionInput& input, const HeadGroups& groups,
                                at::Tensor& out, at::Tensor* lse) {
    HeadGroups rest{.groups = {}, .decided = {}, .tiles = groups.tiles};
    for (const HeadGroup& group :
         groups.decided.defined() ? read_decided(groups).groups : groups.groups) {
      if (lse == nullptr && !group.is_estimated() && !group.skip && group.mask.dense &&
          device_kernels_take(input.q.scalar_type(), input.q.size(2))) {
        flash_dense(input, group.kv_heads, out);
      } else {
        rest.groups.push_back(group);
      }
    }
    composed_backend().prefill(input, rest, out, lse);
  }

  // False where the kernels have no visit list for a group.
  static bool launch(const AttentionInput& input, const HeadGroups& groups, at::Tensor& out,
                     at::Tensor* lse) {
    PrefillCall call{.q = matrix<const void*>(input.q, input.q.const_data_ptr()),
                     .k = matrix<const void*>(input.k, input.k.const_data_ptr()),
                     .v = matrix<const void*>(input.v, input.v.const_data_ptr()),
                     .out = matrix<void*>(out, out.data_ptr()),
                     .lse = lse == nullptr ? nullptr : lse->data_ptr<float>()};
    call.heads_q = static_cast<std::int32_t>(input.q.size(0));
    call.heads_kv = static_cast<std::int32_t>(input.k.size(0));
    call.head_dim = static_cast<std::int32_t>(input.q.size(2));
    call.rows = static_cast<std::int32_t>(input.q.size(1));
    call.q_start = static_cast<std::int32_t>(input.q_start);
    call.scale = static_cast<float>(input.scale);
    call.is_half = input.q.scalar_type() == at::kHalf;
    const at::Tensor bytes = decision_bytes(input, groups);
    if (bytes.defined()) call.is_sparse = bytes.const_data_ptr<std::uint8_t>();
    std::vector<at::Tensor> held;  // until the launch is queued
    for (const HeadGroup& group : groups.groups) {
      std::optional<GroupVisits> chosen = visits_of(input, group);
      if (!chosen) return false;
      call.visits[bytes.defined() ? group.sparse : 0] = chosen->visits;
      held.push_back(std::move(chosen->bits));
    }
    const c10::cuda::CUDAStream stream = c10::cuda::getCurrentCUDAStream();
    if (runs_on_hopper()) {
      // One stream: calls follow each other. Never freed, for the driver is gone before statics
      // are.
      static const at::Tensor& tickets =
          *new at::Tensor(at::zeros({2}, at::TensorOptions(at::kInt).device(input.q.device())));
      call.weights_in_shared = wants_weights_in_shared();
      call.tickets = static_cast<std::uint32_t*>(tickets.data_ptr());
      C10_CUDA_CHECK(prefill_hopper(call, stream));
    } else {
      C10_CUDA_CHECK(prefill_portable(call, stream));
    }
    return true;
  }

  // [1, rows, heads, head_dim] of x [all heads, rows, head_dim], as flash wants it.
  static at::Tensor pick(const at::Tensor& x, const at::Tensor& heads) {
    return x.index_select(0, heads).transpose(0, 1).unsqueeze(0);
  }

  static void flash_dense(const AttentionInput& input, std::span<const int> kv_heads,
                          at::Tensor& out) {
    const std::int64_t keys = input.q_start + input.q.size(1);
    const auto there = [&](const std::vector<int>& heads) {
      return on_device(at::tensor(heads, at::TensorOptions(at::kInt)), input.q.device());
    };
    const at::Tensor kv = there({kv_heads.begin(), kv_heads.end()});
    const at::Tensor heads = there(query_heads(input, kv_heads));
    const at::Tensor result = std::get<0>(at::_flash_attention_forward(
        pick(input.q, heads), pick(input.k.narrow(1, 0, keys), kv),
        pick(input.v.narrow(1, 0, keys), kv), std::nullopt, std::nullopt, input.q.size(1), keys,
        0.0, true, false, input.scale));
    out.index_copy_(0, heads.to(at::kLong), result.squeeze(0).transpose(0, 1));
  }

  static at::Tensor decode_row(const DecodeRow& row) {
    const std::int64_t heads = row.q.size(0) * row.q.size(1), dim = row.q.size(2);
    // Flash wants [batch, rows, heads, head_dim]; query head kv * group + g is the g-th of KV head
    // kv.
    return std::get<0>(at::_flash_attention_forward(
        row.q.reshape({1, 1, heads, dim}), row.k.transpose(0, 1).unsqueeze(0),
        row.v.transpose(0, 1).unsqueeze(0), std::nullopt, std::nullopt, 1, row.k.size(1), 0.0,
        false, false, 1 / std::sqrt(static_cast<double>(dim))));
  }
};

}  // namespace

extern "C" const AttentionBackend* elastic_cuda_attention() {
  static const CudaBackend backend;
  return &backend;
}

}  // namespace elastic::engine
