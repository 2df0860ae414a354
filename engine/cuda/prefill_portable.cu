// Attention of prompt rows on tensor cores of compute capability 8.0 and above (kernels.md 10): a
// thread block owns one query head and one block of 128 rows, walks the visit list of its KV head's
// mode in steps of 64 keys and keeps the running maximum, sum and output in registers.

#include <algorithm>
#include <cmath>

#include "engine/cuda/prefill_call.h"
#include "engine/cuda/tensor_core.cuh"
#include "engine/cuda/visit_list.cuh"

namespace elastic::engine {
namespace {

constexpr int kRows = kVisitBlock, kKeys = 64, kWarps = 4, kThreads = 32 * kWarps;
constexpr int kTiles = kRows / kWarps / 16;  // of 16 rows, a warp

// `rows` rows of a head from row `first`; those outside [begin, end) become zeros.
template <typename T, int D>
__device__ void load_rows(T* shared, const T* global, std::int64_t stride, int rows, int first,
                          int begin, int end) {
  constexpr int kPieces = D / 8;
  for (int i = threadIdx.x; i < rows * kPieces; i += kThreads) {
    const int row = i / kPieces, piece = i % kPieces;
    const bool inside = first + row >= begin && first + row < end;
    copy_async(shared + piece_at<D>(row, piece),
               global + (inside ? first + row : begin) * stride + 8 * piece, inside);
  }
}

// A warp's 32 rows: scores or weights of kKeys keys, or outputs.
template <int Columns>
using Sums = float[kTiles][Columns / 8][4];

// s = Q K^T
template <typename T, int D>
__device__ void score(Sums<kKeys>& s, const T* q, const T* k, int warp, int lane) {
#pragma unroll
  for (auto& tile : s) {
    for (auto& part : tile) part[0] = part[1] = part[2] = part[3] = 0;
  }
#pragma unroll
  for (int step = 0; step < D / 16; ++step) {
    std::uint32_t a[kTiles][4];
#pragma unroll
    for (int t = 0; t < kTiles; ++t) {
      load_matrices(a[t],
                    q + piece_at<D>(16 * (kTiles * warp + t) + lane % 16, 2 * step + lane / 16));
    }
#pragma unroll
    for (int n = 0; n < kKeys / 16; ++n) {
      std::uint32_t b[4];
      load_matrices(b, k + piece_at<D>(16 * n + lane / 16 * 8 + lane % 8, 2 * step + lane / 8 % 2));
#pragma unroll
      for (int t = 0; t < kTiles; ++t) {
        multiply_add<T>(s[t][2 * n], a[t], b[0], b[1]);
        multiply_add<T>(s[t][2 * n + 1], a[t], b[2], b[3]);
      }
    }
  }
}

// o += P V, P rounded to T.
template <typename T, int D>
__device__ void weigh(Sums<D>& o, const Sums<kKeys>& p, const T* v, int lane) {
#pragma unroll
  for (int step = 0; step < kKeys / 16; ++step) {
    std::uint32_t a[kTiles][4];
#pragma unroll
    for (int t = 0; t < kTiles; ++t) {
      a[t][0] = pack<T>(p[t][2 * step][0], p[t][2 * step][1]);
      a[t][1] = pack<T>(p[t][2 * step][2], p[t][2 * step][3]);
      a[t][2] = pack<T>(p[t][2 * step + 1][0], p[t][2 * step + 1][1]);
      a[t][3] = pack<T>(p[t][2 * step + 1][2], p[t][2 * step + 1][3]);
    }
#pragma unroll
    for (int n = 0; n < D / 16; ++n) {
      std::uint32_t b[4];
      load_transposed(b, v + piece_at<D>(16 * step + lane % 16, 2 * n + lane / 16));
#pragma unroll
      for (int t = 0; t < kTiles; ++t) {
        multiply_add<T>(o[t][2 * n], a[t], b[0], b[1]);
        multiply_add<T>(o[t][2 * n + 1], a[t], b[2], b[3]);
      }
    }
  }
}

// Scores of keys that a row does not see become -inf. `first_row`, `first_key`: absolute.
__device__ void hide(Sums<kKeys>& s, const HeadVisits& visits, int first_row, int first_key,
                     int lane) {
#pragma unroll
  for (int t = 0; t < kTiles; ++t) {
#pragma unroll
    for (int n = 0; n < kKeys / 8; ++n) {
#pragma unroll
      for (int i = 0; i < 4; ++i) {
        const int row = first_row + 16 * t + lane / 4 + i / 2 * 8;
        const int key = first_key + 8 * n + lane % 4 * 2 + i % 2;
        const bool in_window =
            visits.token_local == 0 || key < visits.token_sink || row - key < visits.token_local;
        if (key > row || !in_window) s[t][n][i] = -INFINITY;
      }
    }
  }
}

// Running softmax of a thread's rows: 2 a tile of 16, lane / 4 and 8 below it.
struct Statistics {
  float maximum[kTiles][2], sum[kTiles][2];  // of raw scores; of weights, this thread's columns
};

// Scores to weights exp(scale (s - maximum)); the sums and outputs so far to the new maximum.
template <int D>
__device__ void soften(Sums<kKeys>& s, Sums<D>& o, Statistics& state, float scale_log2) {
#pragma unroll
  for (int t = 0; t < kTiles; ++t) {
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      float top = state.maximum[t][half];
#pragma unroll
      for (const auto& part : s[t]) top = fmaxf(top, fmaxf(part[2 * half], part[2 * half + 1]));
      top = fmaxf(top, __shfl_xor_sync(0xffffffffu, top, 1));
      top = fmaxf(top, __shfl_xor_sync(0xffffffffu, top, 2));
      const float offset = top == -INFINITY ? 0 : top * scale_log2;  // nothing visible so far
      const float fade = power_of_two(state.maximum[t][half] * scale_log2 - offset);
      state.maximum[t][half] = top;
      float sum = 0;
#pragma unroll
      for (auto& part : s[t]) {
        part[2 * half] = power_of_two(part[2 * half] * scale_log2 - offset);
        part[2 * half + 1] = power_of_two(part[2 * half + 1] * scale_log2 - offset);
        sum += part[2 * half] + part[2 * half + 1];
      }
      state.sum[t][half] = state.sum[t][half] * fade + sum;
#pragma unroll
      for (auto& part : o[t]) {
        part[2 * half] *= fade;
        part[2 * half + 1] *= fade;
      }
    }
  }
}

// The rows of one thread block in absolute positions, and which of them the call has.
struct Rows {
  int first, begin, end;
};

// Outputs over their sums, through the warp's own rows of `shared` to coalesced stores.
template <typename T, int D>
__device__ void store(const PrefillCall& call, int head, const Rows& rows, Sums<D>& o,
                      Statistics& state, T* shared, int warp, int lane) {
  const int own = 16 * kTiles * warp;  // first row of the warp
#pragma unroll
  for (int t = 0; t < kTiles; ++t) {
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      float sum = state.sum[t][half];
      sum += __shfl_xor_sync(0xffffffffu, sum, 1);
      sum += __shfl_xor_sync(0xffffffffu, sum, 2);
      const float inverse = sum > 0 ? 1 / sum : 0;
      const int row = own + 16 * t + 8 * half + lane / 4, position = rows.first + row;
#pragma unroll
      for (int n = 0; n < D / 8; ++n) {
        *reinterpret_cast<std::uint32_t*>(shared + piece_at<D>(row, n) + lane % 4 * 2) =
            pack<T>(o[t][n][2 * half] * inverse, o[t][n][2 * half + 1] * inverse);
      }
      if (call.lse != nullptr && lane % 4 == 0 && position >= rows.begin && position < rows.end) {
        call.lse[static_cast<std::int64_t>(head) * call.rows + position - call.q_start] =
            sum > 0 ? state.maximum[t][half] * call.scale + kLn2 * log2f(sum) : -INFINITY;
      }
    }
  }
  __syncwarp();
  T* out = static_cast<T*>(call.out.data) + head * call.out.head_stride;
  for (int i = lane; i < 16 * kTiles * (D / 8); i += 32) {
    const int row = own + i / (D / 8), piece = i % (D / 8), position = rows.first + row;
    if (position < rows.begin || position >= rows.end) continue;
    *reinterpret_cast<uint4*>(out + (position - call.q_start) * call.out.row_stride + 8 * piece) =
        *reinterpret_cast<const uint4*>(shared + piece_at<D>(row, piece));
  }
}

// The next 64 keys to visit at or below `part` (in units of 64 keys); negative when there are none.
__device__ int next_part(const VisitList& list, int part) {
  if (part < 0) return part;
  const int block = list.at_or_below(part / 2);
  return block == part / 2 ? part : 2 * block + 1;
}

template <typename T, int D>
__global__ void __launch_bounds__(kThreads, 2)
    prefill_kernel(const __grid_constant__ PrefillCall call) {
  extern __shared__ __align__(128) unsigned char memory[];
  T* q = reinterpret_cast<T*>(memory);  // [kRows, D]; K, V [kKeys, D]
  T* k = q + kRows * D;
  T* v = k + kKeys * D;
  const int group = call.heads_q / call.heads_kv, kv_head = blockIdx.y;
  const HeadVisits& visits = call.visits[call.is_sparse == nullptr ? 0 : call.is_sparse[kv_head]];
  if (visits.kind == VisitKind::kNothing) return;
  // Long rows first, the heads of a group beside each other: they read the same keys.
  const int blocks = gridDim.x / group;
  const int index = blocks - 1 - static_cast<int>(blockIdx.x) / group;
  const int head = kv_head * group + static_cast<int>(blockIdx.x) % group;
  const int own = call.q_start / kRows + index, end = call.q_start + call.rows;
  const Rows rows{own * kRows, max(own * kRows, call.q_start), min((own + 1) * kRows, end)};
  const T* keys = static_cast<const T*>(call.k.data) + kv_head * call.k.head_stride;
  const T* values = static_cast<const T*>(call.v.data) + kv_head * call.v.head_stride;
  const T* queries = static_cast<const T*>(call.q.data) + head * call.q.head_stride -
                     call.q_start * call.q.row_stride;
  const int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
  const int first_row = rows.first + 16 * kTiles * warp;

  Sums<kKeys> s;
  Sums<D> o;
  Statistics state;
#pragma unroll
  for (int t = 0; t < kTiles; ++t) {
    for (auto& part : o[t]) part[0] = part[1] = part[2] = part[3] = 0;
    state.maximum[t][0] = state.maximum[t][1] = -INFINITY;
    state.sum[t][0] = state.sum[t][1] = 0;
  }
  const VisitList list(visits, own, static_cast<std::int64_t>(head) * blocks + index);
  int part = next_part(list, (rows.end - 1) / kKeys);
  load_rows<T, D>(q, queries, call.q.row_stride, kRows, rows.first, rows.begin, rows.end);
  if (part >= 0) load_rows<T, D>(k, keys, call.k.row_stride, kKeys, part * kKeys, 0, rows.end);
  while (part >= 0) {
    wait_for_copies();
    __syncthreads();  // K is there, V of the part before is read
    load_rows<T, D>(v, values, call.v.row_stride, kKeys, part * kKeys, 0, rows.end);
    score<T, D>(s, q, k, warp, lane);
    wait_for_copies();
    __syncthreads();  // V is there, K is read
    const int next = next_part(list, part - 1);
    if (next >= 0) load_rows<T, D>(k, keys, call.k.row_stride, kKeys, next * kKeys, 0, rows.end);
    if (part * kKeys + kKeys > first_row || visits.token_local > 0) {
      hide(s, visits, first_row, part * kKeys, lane);
    }
    soften<D>(s, o, state, call.scale * kLog2e);
    weigh<T, D>(o, s, v, lane);
    part = next;
  }
  wait_for_copies();
  __syncthreads();
  store<T, D>(call, head, rows, o, state, q, warp, lane);
}

template <typename T, int D>
cudaError_t launch(const PrefillCall& call, cudaStream_t stream) {
  constexpr int kBytes = (kRows + 2 * kKeys) * D * static_cast<int>(sizeof(T));
  const auto kernel = prefill_kernel<T, D>;
  const cudaError_t error =
      cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, kBytes);
  if (error != cudaSuccess) return error;
  const int first = call.q_start / kRows, last = (call.q_start + call.rows - 1) / kRows;
  const int group = call.heads_q / call.heads_kv;
  kernel<<<dim3((last - first + 1) * group, call.heads_kv), kThreads, kBytes, stream>>>(call);
  return cudaGetLastError();
}

}  // namespace

cudaError_t prefill_portable(const PrefillCall& call, cudaStream_t stream) {
  if (call.rows == 0 || call.heads_kv == 0) return cudaSuccess;
  if (call.head_dim == 64) {
    return call.is_half ? launch<__half, 64>(call, stream)
                        : launch<__nv_bfloat16, 64>(call, stream);
  }
  if (call.head_dim == 128) {
    return call.is_half ? launch<__half, 128>(call, stream)
                        : launch<__nv_bfloat16, 128>(call, stream);
  }
  return cudaErrorInvalidValue;
}

}  // namespace elastic::engine
