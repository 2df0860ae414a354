#pragma once

// What the attention kernels of libelastic_cuda.so take: pointers, strides and counts, no LibTorch.
// One launch attends every head of a call; which of two visit lists a head follows is read from
// device memory, so that nobody waits for a router. Source: kernels.md 3, 5.1, 10.

#include <cuda_runtime_api.h>

#include <cstdint>

namespace elastic::engine {

/// Which key blocks (kMaskBlock tokens) the rows of a head visit, among those up to their own.
enum class VisitKind : std::int32_t {
  kNothing,  // the head's output stays as it is
  kDense,
  kWindow,  // the first `sink_blocks` and the last `local_blocks`
  kBits,    // those of the head's bit row
};

struct HeadVisits {
  VisitKind kind = VisitKind::kNothing;
  std::int32_t sink_blocks = 0, local_blocks = 0;
  // Above 0: within these blocks a row at p sees only keys j < token_sink and p - j < token_local.
  std::int32_t token_sink = 0, token_local = 0;
  // [heads_q, query blocks of the call, words]; bit b of word w is key block 32 w + b. Device.
  const std::uint32_t* bits = nullptr;
  std::int32_t words = 0;
};

/// A matrix of rows for each head, head_dim contiguous elements a row; strides in elements.
template <typename Pointer>
struct HeadMatrix {
  Pointer data = nullptr;
  std::int64_t head_stride = 0, row_stride = 0;
};

struct PrefillCall {
  HeadMatrix<const void*> q, k, v;
  HeadMatrix<void*> out;
  float* lse = nullptr;  // [heads_q, rows], natural; null = not wanted
  std::int32_t heads_q = 0, heads_kv = 0, head_dim = 0;
  std::int32_t rows = 0, q_start = 0;  // query rows [q_start, q_start + rows) of the sequence
  float scale = 0;
  bool is_half = false;                     // fp16, else bf16
  const std::uint8_t* is_sparse = nullptr;  // per KV head, device; null = all 0
  HeadVisits visits[3];                     // by that byte
  // Two zeros on the device, zeros again once the call is done and its own till then: with them
  // prefill_hopper() keeps its thread blocks from tile to tile. Null = a thread block each tile.
  std::uint32_t* tickets = nullptr;
  bool weights_in_shared = false;  // prefill_hopper(): P from shared memory, not from registers
};

/// True where both functions have a kernel.
inline bool prefill_takes(std::int64_t head_dim) { return head_dim == 64 || head_dim == 128; }

/// Causal attention of the call on `stream`, for GPUs of compute capability 8.0 and above. Rows
/// with nothing visible give 0 and -inf.
cudaError_t prefill_portable(const PrefillCall& call, cudaStream_t stream);

/// The same for GPUs of compute capability 9.0 only, at most 256 KV heads; strides multiples of 8
/// elements, pointers of 16 bytes.
cudaError_t prefill_hopper(const PrefillCall& call, cudaStream_t stream);

}  // namespace elastic::engine
