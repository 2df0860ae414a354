#pragma once

// The tensor memory accelerator: boxes of a head's rows between global and shared memory. A box is
// 64 elements (128 bytes) wide and lies in shared memory as rows of 128 bytes whose 16-byte pieces
// are permuted by the row ("128-byte swizzle"), the layout that WGMMA reads.

#include <cuda.h>
#include <cuda_runtime_api.h>

#include <cstdint>

#include "engine/cuda/barrier.cuh"

namespace elastic::engine {

inline constexpr int kBoxColumns = 64, kBoxBytes = 2 * kBoxColumns;  // of a row

/// Rows outside [0, rows) of `matrix` read as zeros and are not written.
struct BoxedMatrix {
  const void* data = nullptr;
  std::int64_t head_stride = 0, row_stride = 0;  // in elements of 2 bytes, multiples of 8
  std::int64_t heads = 0, rows = 0;
  int head_dim = 0, box_rows = 0;
  bool is_half = false;
};

using EncodeTensorMap = decltype(&cuTensorMapEncodeTiled);

/// The driver's function, looked up once, so that nothing links to the driver; null without.
inline EncodeTensorMap tensor_map_encoder() {
  static const EncodeTensorMap encode = [] {
    void* function = nullptr;
    cudaDriverEntryPointQueryResult found{};
    const cudaError_t error = cudaGetDriverEntryPointByVersion("cuTensorMapEncodeTiled", &function,
                                                               12000, cudaEnableDefault, &found);
    return error == cudaSuccess ? reinterpret_cast<EncodeTensorMap>(function) : nullptr;
  }();
  return encode;
}

/// A descriptor of kDims dimensions of 2-byte elements; strides in bytes, of all but the first.
template <int kDims>
cudaError_t encode_map(CUtensorMap& map, const void* data, bool is_half,
                       const cuuint64_t (&extents)[kDims], const cuuint64_t (&strides)[kDims - 1],
                       const cuuint32_t (&box)[kDims]) {
  const EncodeTensorMap encode = tensor_map_encoder();
  if (encode == nullptr) return cudaErrorNotSupported;
  cuuint32_t steps[kDims];
  for (cuuint32_t& step : steps) step = 1;
  const CUresult result =
      encode(&map, is_half ? CU_TENSOR_MAP_DATA_TYPE_FLOAT16 : CU_TENSOR_MAP_DATA_TYPE_BFLOAT16,
             kDims, const_cast<void*>(data), extents, strides, box, steps,
             CU_TENSOR_MAP_INTERLEAVE_NONE, CU_TENSOR_MAP_SWIZZLE_128B,
             CU_TENSOR_MAP_L2_PROMOTION_L2_256B, CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE);
  return result == CUDA_SUCCESS ? cudaSuccess : cudaErrorInvalidValue;
}

/// The descriptor of `matrix`.
inline cudaError_t make_tensor_map(const BoxedMatrix& matrix, CUtensorMap& map) {
  // The stride of a dimension of one element is never used, but must be valid.
  const std::int64_t row = matrix.rows == 1 ? matrix.head_dim : matrix.row_stride;
  const std::int64_t head = matrix.heads == 1 ? matrix.head_dim : matrix.head_stride;
  const cuuint64_t extents[] = {static_cast<cuuint64_t>(matrix.head_dim),
                                static_cast<cuuint64_t>(matrix.rows),
                                static_cast<cuuint64_t>(matrix.heads)};
  const cuuint64_t strides[] = {static_cast<cuuint64_t>(2 * row),
                                static_cast<cuuint64_t>(2 * head)};
  const cuuint32_t box[] = {kBoxColumns, static_cast<cuuint32_t>(matrix.box_rows), 1};
  return encode_map(map, matrix.data, matrix.is_half, extents, strides, box);
}

/// How long lines stay in L2: keys and values are read by many thread blocks, queries by one.
__device__ inline std::uint64_t keep_policy() {
  std::uint64_t policy;
  asm volatile("createpolicy.fractional.L2::evict_last.b64 %0, 1.0;\n" : "=l"(policy));
  return policy;
}

__device__ inline std::uint64_t drop_policy() {
  std::uint64_t policy;
  asm volatile("createpolicy.fractional.L2::evict_first.b64 %0, 1.0;\n" : "=l"(policy));
  return policy;
}

struct BoxOrigin {
  int column, row, head;
};

__device__ inline void load_box(void* shared, const CUtensorMap& map, const BoxOrigin& from,
                                const Mbarrier& full, std::uint64_t policy) {
  asm volatile(
      "cp.async.bulk.tensor.3d.shared::cluster.global.tile.mbarrier::complete_tx::bytes"
      ".L2::cache_hint [%0], [%1, {%3, %4, %5}], [%2], %6;\n" ::"r"(shared_address(shared)),
      "l"(&map), "r"(full.address()), "r"(from.column), "r"(from.row), "r"(from.head), "l"(policy)
      : "memory");
}

__device__ inline void store_box(const void* shared, const CUtensorMap& map, const BoxOrigin& to) {
  asm volatile(
      "cp.async.bulk.tensor.3d.global.shared::cta.tile.bulk_group [%0, {%2, %3, %4}], [%1];\n" ::
          "l"(&map),
      "r"(shared_address(shared)), "r"(to.column), "r"(to.row), "r"(to.head)
      : "memory");
}

__device__ inline void commit_stores() {
  asm volatile("cp.async.bulk.commit_group;\n" ::: "memory");
}

/// Until the shared memory of this thread's stores has been read and may be written again.
__device__ inline void wait_for_stores_read() {
  asm volatile("cp.async.bulk.wait_group.read 0;\n" ::: "memory");
}

/// This thread's writes to shared memory come before the asynchronous copies after the next
/// barrier.
__device__ inline void fence_async_copies() {
  asm volatile("fence.proxy.async.shared::cta;\n" ::: "memory");
}

}  // namespace elastic::engine
