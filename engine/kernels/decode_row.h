#pragma once

// The decode kernel of cpu_attention.h for vectors of W floats: one query row per head, keys and
// values read once per group straight from the cache. Bound by memory, so nothing is packed.

#include "engine/kernels/cpu_attention.h"
#include "engine/kernels/simd.h"

namespace elastic::engine {
namespace {

template <int W>
struct DecodeRow {
  using V = Simd<W>;
  using Float = typename V::Float;
  static constexpr std::int64_t kChunk = 128;  // keys whose scores are held
  static constexpr float kToLog2 = 1.4426950408889634f;

  template <typename T>
  static float dot(const float* q, const T* k, std::int64_t d) {
    Float acc0 = {}, acc1 = {};
    std::int64_t c = 0;
    for (; c + 2 * W <= d; c += 2 * W) {
      acc0 += V::load(q + c) * V::load(k + c);
      acc1 += V::load(q + c + W) * V::load(k + c + W);
    }
    float s = V::sum(acc0 + acc1);
    for (; c < d; ++c) s += q[c] * widen(k[c]);
    return s;
  }

  template <typename T>
  static void add_scaled(float p, const T* v, std::int64_t d, float* out) {
    std::int64_t c = 0;
    for (; c + W <= d; c += W) V::store(out + c, V::load(out + c) + V::load(v + c) * p);
    for (; c < d; ++c) out[c] += p * widen(v[c]);
  }

  // Scores of n <= kChunk keys become probabilities relative to the new maximum (log2 domain).
  static void soften(std::int64_t n, float* scores, float* state, std::int64_t d) {
    float now = state[0];
    for (std::int64_t j = 0; j < n; ++j) now = larger(now, scores[j]);
    for (std::int64_t j = n; j % W != 0; ++j) scores[j] = -__builtin_inff();
    Float total = {};
    for (std::int64_t j = 0; j < n; j += W) {
      const Float p = exp2_negative<W>(V::load(scores + j) - now);
      V::store(scores + j, p);
      total += p;
    }
    const float alpha = exp2_negative<W>(V::all(state[0] - now))[0];
    state[0] = now;
    state[1] = state[1] * alpha + V::sum(total);
    if (alpha == 1.0f) return;
    for (std::int64_t c = 0; c < d; ++c) state[2 + c] *= alpha;
  }

  // The heads' rows against n <= kChunk keys.
  template <typename T>
  static void add_keys(const DecodePiece& piece, const std::int64_t* keys, std::int64_t n,
                       float* q) {
    const std::int64_t d = piece.head_dim;
    float scores[kChunk];
    for (std::int64_t h = 0; h < piece.group; ++h) {
      const T* row = static_cast<const T*>(piece.q.data) + h * piece.q.stride;
      for (std::int64_t c = 0; c < d; ++c) q[c] = widen(row[c]) * (piece.scale * kToLog2);
      float* state = piece.partial + h * (d + 2);
      const T* k = static_cast<const T*>(piece.k.data);
      for (std::int64_t j = 0; j < n; ++j) scores[j] = dot(q, k + keys[j] * piece.k.stride, d);
      soften(n, scores, state, d);
      const T* v = static_cast<const T*>(piece.v.data);
      for (std::int64_t j = 0; j < n; ++j) {
        add_scaled(scores[j], v + keys[j] * piece.v.stride, d, state + 2);
      }
    }
  }

  template <typename T>
  static void run(const DecodePiece& piece, float* q) {
    const std::int64_t d = piece.head_dim;
    for (std::int64_t h = 0; h < piece.group; ++h) {
      float* state = piece.partial + h * (d + 2);
      state[0] = -__builtin_inff();
      for (std::int64_t c = 0; c <= d; ++c) state[1 + c] = 0;
    }
    std::int64_t keys[kChunk], n = 0;  // those in hand
    for (const KeyRange* range = piece.ranges; range != piece.ranges + piece.range_count; ++range) {
      for (std::int64_t key = range->begin; key < range->end; ++key) {
        keys[n++] = key;
        if (n < kChunk) continue;
        add_keys<T>(piece, keys, n, q);
        n = 0;
      }
    }
    if (n > 0) add_keys<T>(piece, keys, n, q);
  }

  static void decode(const DecodePiece& piece, float* scratch) {
    if (piece.type == CpuType::kBf16) return run<std::uint16_t>(piece, scratch);
    run<float>(piece, scratch);
  }

  template <typename T>
  static void join_heads(const DecodeJoin& join) {
    const std::int64_t d = join.head_dim, size = d + 2;
    for (std::int64_t h = 0; h < join.group; ++h) {
      const float* first = join.partials + h * size;
      const std::int64_t step = join.group * size;
      float max = -__builtin_inff(), sum = 0;
      for (std::int64_t i = 0; i < join.pieces; ++i) max = larger(max, first[i * step]);
      const bool any = max > -__builtin_inff();
      for (std::int64_t i = 0; any && i < join.pieces; ++i) {
        sum += first[i * step + 1] * exp2_negative<W>(V::all(first[i * step] - max))[0];
      }
      T* out = static_cast<T*>(join.out) + h * join.out_stride;
      for (std::int64_t c = 0; c < d; ++c) {
        float x = 0;
        for (std::int64_t i = 0; any && i < join.pieces; ++i) {
          x += first[i * step + 2 + c] * exp2_negative<W>(V::all(first[i * step] - max))[0];
        }
        narrow(any ? x / sum : 0.0f, out + c);
      }
      if (join.lse == nullptr) continue;
      join.lse[h * join.lse_stride] = any ? max / kToLog2 + __builtin_logf(sum) : -__builtin_inff();
    }
  }

  static void join(const DecodeJoin& join) {
    if (join.type == CpuType::kBf16) return join_heads<std::uint16_t>(join);
    join_heads<float>(join);
  }
};

}  // namespace
}  // namespace elastic::engine
