#pragma once

// The prefill kernel of cpu_attention.h for vectors of W floats. Panels are 2 W keys (scores) or 2
// W value columns (output) wide; six rows by one panel is the register block: 12 accumulators, two
// vectors of the panel, one broadcast.

#include "engine/kernels/cpu_attention.h"
#include "engine/kernels/simd.h"

namespace elastic::engine {
namespace {

constexpr std::int64_t kKeyBlock = 128;  // keys packed at a time
constexpr std::int64_t kMicroRows = 6;
constexpr std::int64_t kStripRows = 24;  // rows that use a panel while it is in the first cache
constexpr float kLog2e = 1.4426950408889634f;
constexpr float kLn2 = 0.6931471805599453f;

template <int W>
struct PrefillTile {
  using V = Simd<W>;
  using Float = typename V::Float;
  static constexpr std::int64_t kPanel = 2 * W;

  static std::int64_t padded(std::int64_t n) { return (n + kPanel - 1) / kPanel * kPanel; }

  struct Scratch {
    float *q, *out, *k, *v, *scores, *max, *sum;
  };

  static std::int64_t scratch_floats(std::int64_t head_dim, std::int64_t rows) {
    return rows * (head_dim + padded(head_dim) + 2) + kKeyBlock * (head_dim + padded(head_dim)) +
           kStripRows * kKeyBlock + 7 * 16;
  }

  static Scratch carve(float* p, std::int64_t head_dim, std::int64_t rows) {
    const auto take = [&p](std::int64_t n) {
      float* start = p;
      p += (n + 15) / 16 * 16;  // whole cache lines
      return start;
    };
    Scratch s;
    s.k = take(kKeyBlock * head_dim);
    s.v = take(kKeyBlock * padded(head_dim));
    s.scores = take(kStripRows * kKeyBlock);
    s.q = take(rows * head_dim);
    s.out = take(rows * padded(head_dim));
    s.max = take(rows);
    s.sum = take(rows);
    return s;
  }

  // Keys [begin, begin + n) as panels [ceil(n / kPanel)][head_dim][kPanel], zeros behind the last
  // key.
  template <typename T>
  static void pack_keys(const PrefillTask& task, std::int64_t begin, std::int64_t n, float* out) {
    const T* keys = static_cast<const T*>(task.k.data) + begin * task.k.stride;
    const std::int64_t d = task.head_dim;
    for (std::int64_t p = 0; p < n; p += kPanel, out += d * kPanel) {
      std::int64_t i = 0;
      for (; i + 4 <= smaller(n - p, kPanel); i += 4) {
        transpose_4(keys + (p + i) * task.k.stride, task.k.stride, d, out + i);
      }
      for (; i < kPanel; ++i) {
        const T* key = keys + (p + i) * task.k.stride;
        for (std::int64_t c = 0; c < d; ++c) out[c * kPanel + i] = p + i < n ? widen(key[c]) : 0.0f;
      }
    }
  }

  // Four rows of d values into columns of a panel.
  template <typename T>
  static void transpose_4(const T* rows, std::int64_t stride, std::int64_t d, float* out) {
    using V4 = Simd<4>;
    std::int64_t c = 0;
    for (; c + 4 <= d; c += 4) {
      const auto a = V4::load(rows + c), b = V4::load(rows + stride + c);
      const auto e = V4::load(rows + 2 * stride + c), f = V4::load(rows + 3 * stride + c);
      const auto ab0 = __builtin_shufflevector(a, b, 0, 4, 1, 5);
      const auto ab1 = __builtin_shufflevector(a, b, 2, 6, 3, 7);
      const auto ef0 = __builtin_shufflevector(e, f, 0, 4, 1, 5);
      const auto ef1 = __builtin_shufflevector(e, f, 2, 6, 3, 7);
      V4::store(out + c * kPanel, __builtin_shufflevector(ab0, ef0, 0, 1, 4, 5));
      V4::store(out + (c + 1) * kPanel, __builtin_shufflevector(ab0, ef0, 2, 3, 6, 7));
      V4::store(out + (c + 2) * kPanel, __builtin_shufflevector(ab1, ef1, 0, 1, 4, 5));
      V4::store(out + (c + 3) * kPanel, __builtin_shufflevector(ab1, ef1, 2, 3, 6, 7));
    }
    for (; c < d; ++c) {
      for (std::int64_t i = 0; i < 4; ++i) out[c * kPanel + i] = widen(rows[i * stride + c]);
    }
  }

  // Values of the same keys as panels [padded(head_dim) / kPanel][n][kPanel], zeros behind
  // head_dim.
  template <typename T>
  static void pack_values(const PrefillTask& task, std::int64_t begin, std::int64_t n, float* out) {
    const T* values = static_cast<const T*>(task.v.data) + begin * task.v.stride;
    for (std::int64_t c = 0; c < task.head_dim; c += kPanel) {
      const std::int64_t width = smaller(kPanel, task.head_dim - c);
      for (std::int64_t i = 0; i < n; ++i, out += kPanel) {
        const T* row = values + i * task.v.stride + c;
        if (width == kPanel) {
          V::store(out, V::load(row));
          V::store(out + W, V::load(row + W));
          continue;
        }
        for (std::int64_t j = 0; j < kPanel; ++j) out[j] = j < width ? widen(row[j]) : 0.0f;
      }
    }
  }

  // Query rows, position-major ([position][head of the group]), times scale * log2(e).
  template <typename T>
  static void load_queries(const PrefillTask& task, float* out) {
    const float factor = task.scale * kLog2e;
    const T* q = static_cast<const T*>(task.q.data);
    for (std::int64_t i = 0; i < task.rows; ++i) {
      for (std::int64_t g = 0; g < task.group; ++g, out += task.head_dim) {
        const T* row = q + g * task.q_head_stride + (task.first + i) * task.q.stride;
        for (std::int64_t c = 0; c < task.head_dim; ++c) out[c] = widen(row[c]) * factor;
      }
    }
  }

  // scores[r][0..kPanel) = sum_c q[r][c] panel[c]
  template <int R>
  static void score_block(const float* q, std::int64_t d, const float* panel, float* scores) {
    Float acc[R][2] = {};
    for (std::int64_t c = 0; c < d; ++c) {
      const Float b0 = V::load(panel + c * kPanel), b1 = V::load(panel + c * kPanel + W);
#pragma GCC unroll 6
      for (int r = 0; r < R; ++r) {
        const float a = q[r * d + c];
        acc[r][0] += b0 * a;
        acc[r][1] += b1 * a;
      }
    }
#pragma GCC unroll 6
    for (int r = 0; r < R; ++r) {
      V::store(scores + r * kKeyBlock, acc[r][0]);
      V::store(scores + r * kKeyBlock + W, acc[r][1]);
    }
  }

  // out[r][0..kPanel) = alpha[r] out[r] + sum_j p[r][j] panel[j]
  template <int R>
  static void value_block(const float* p, std::int64_t keys, const float* panel, const float* alpha,
                          float* out, std::int64_t out_stride) {
    Float acc[R][2];
#pragma GCC unroll 6
    for (int r = 0; r < R; ++r) {
      acc[r][0] = V::load(out + r * out_stride) * alpha[r];
      acc[r][1] = V::load(out + r * out_stride + W) * alpha[r];
    }
    for (std::int64_t j = 0; j < keys; ++j) {
      const Float b0 = V::load(panel + j * kPanel), b1 = V::load(panel + j * kPanel + W);
#pragma GCC unroll 6
      for (int r = 0; r < R; ++r) {
        const float a = p[r * kKeyBlock + j];
        acc[r][0] += b0 * a;
        acc[r][1] += b1 * a;
      }
    }
#pragma GCC unroll 6
    for (int r = 0; r < R; ++r) {
      V::store(out + r * out_stride, acc[r][0]);
      V::store(out + r * out_stride + W, acc[r][1]);
    }
  }

  // The run-time row count of a register block as a template argument.
  template <typename F>
  static void with_rows(std::int64_t rows, F&& f) {
    switch (rows) {
      case 1:
        return f.template operator()<1>();
      case 2:
        return f.template operator()<2>();
      case 3:
        return f.template operator()<3>();
      case 4:
        return f.template operator()<4>();
      case 5:
        return f.template operator()<5>();
      default:
        return f.template operator()<6>();
    }
  }

  // Of each position whose row sees ranges of its own: those that do not end before the keys in
  // hand.
  struct OwnRanges {
    const KeyRange *next[kTaskRows], *end[kTaskRows];
  };

  static void start_ranges(const PrefillTask& task, OwnRanges& own) {
    if (task.row_offsets == nullptr) return;
    const std::int64_t origin = task.q_start + task.first;
    for (std::int64_t i = 0; i < task.rows; ++i) {
      const std::int64_t b = (origin + i) / task.query_block - origin / task.query_block;
      own.next[i] = task.row_ranges + task.row_offsets[b];
      own.end[i] = task.row_ranges + task.row_offsets[b + 1];
    }
  }

  // On to the keys [begin, begin + n): whether any row sees one of them.
  static bool next_ranges(const PrefillTask& task, std::int64_t begin, std::int64_t n,
                          OwnRanges& own) {
    if (task.row_offsets == nullptr) return true;
    bool any = false;
    for (std::int64_t i = 0; i < task.rows; ++i) {
      const KeyRange*& next = own.next[i];
      while (next != own.end[i] && next->end <= begin) ++next;
      any = any || (next != own.end[i] && next->begin < begin + n);
    }
    return any;
  }

  // Columns [from, to) of the packed keys.
  struct Columns {
    std::int64_t from = 0, to = 0;
  };

  // Between these lies all that the row of position `i` of the task sees of keys [begin, begin +
  // n).
  static Columns columns_of(const PrefillTask& task, const OwnRanges& own, std::int64_t i,
                            std::int64_t begin, std::int64_t n) {
    const std::int64_t causal = task.q_start + task.first + i + 1 - begin;
    const std::int64_t end = smaller(n, larger<std::int64_t>(0, causal));
    if (task.row_offsets == nullptr) return {0, end};
    const KeyRange* range = own.next[i];
    if (range == own.end[i] || range->begin >= begin + end) return {};
    const std::int64_t from = larger<std::int64_t>(0, range->begin - begin);
    while (range + 1 != own.end[i] && range[1].begin < begin + end) ++range;
    return {from, smaller(end, range->end - begin)};
  }

  // Scores of keys that the row of position `i` of the task does not see become -inf. Columns are
  // keys begin + column, of which those from `n` on do not exist.
  static void mask_row(const PrefillTask& task, const OwnRanges& own, std::int64_t i,
                       std::int64_t begin, std::int64_t n, const Columns& columns, float* scores) {
    const auto hide = [scores](std::int64_t from, std::int64_t to) {
      for (std::int64_t j = from; j < to; ++j) scores[j] = -__builtin_inff();
    };
    const std::int64_t p = task.q_start + task.first + i;
    const std::int64_t end = smaller(n, larger<std::int64_t>(0, p + 1 - begin));
    hide(larger(columns.from, end), columns.to);
    if (task.token_local > 0) {
      hide(larger(columns.from, task.token_sink - begin),
           smaller(end, p - task.token_local + 1 - begin));
    }
    if (task.row_offsets == nullptr) return;
    std::int64_t seen = columns.from;
    for (const KeyRange* r = own.next[i]; r != own.end[i] && r->begin < begin + end; ++r) {
      hide(seen, r->begin - begin);
      seen = larger(seen, r->end - begin);
    }
    hide(seen, columns.to);
  }

  // Online softmax of one row: scores become probabilities relative to the new maximum; returns the
  // factor by which what was gathered before shrinks.
  static float soften_row(std::int64_t width, float* scores, float* max, float* sum) {
    Float m0 = V::load(scores), m1 = V::load(scores + W);
    for (std::int64_t j = kPanel; j < width; j += kPanel) {
      m0 = V::max(V::load(scores + j), m0);
      m1 = V::max(V::load(scores + j + W), m1);
    }
    const float before = *max;
    const float now = larger(before, V::max(V::max(m0, m1)));
    const float base = now == -__builtin_inff() ? 0.0f : now;
    Float s0 = {}, s1 = {};
    for (std::int64_t j = 0; j < width; j += kPanel) {
      const Float p0 = exp2_negative<W>(V::load(scores + j) - base);
      const Float p1 = exp2_negative<W>(V::load(scores + j + W) - base);
      V::store(scores + j, p0);
      V::store(scores + j + W, p1);
      s0 += p0;
      s1 += p1;
    }
    const float alpha = before == now ? 1.0f : exp2_negative<W>(V::all(before - base))[0];
    *max = now;
    *sum = *sum * alpha + V::sum(s0 + s1);
    return alpha;
  }

  // The columns that rows [first, last) of the stack, a register block, score: whole panels but at
  // the end.
  static Columns block_columns(const PrefillTask& task, const OwnRanges& own, std::int64_t first,
                               std::int64_t last, std::int64_t begin, std::int64_t n) {
    Columns all{n, 0};
    const std::int64_t last_position = (last - 1) / task.group;
    for (std::int64_t i = first / task.group; i <= last_position; ++i) {
      const Columns row = columns_of(task, own, i, begin, n);
      if (row.from == row.to) continue;
      all = {smaller(all.from, row.from), larger(all.to, row.to)};
    }
    return all.to == 0 ? Columns{} : Columns{all.from / kPanel * kPanel, all.to};
  }

  // Rows [row, row + count) of the stack against the packed keys [begin, begin + n).
  static void strip(const PrefillTask& task, const Scratch& s, const OwnRanges& own,
                    std::int64_t row, std::int64_t count, std::int64_t begin, std::int64_t n) {
    const std::int64_t d = task.head_dim, dv = padded(d);
    Columns columns[kStripRows / kMicroRows];  // of each register block
    const std::int64_t blocks = (count + kMicroRows - 1) / kMicroRows;
    Columns all{n, 0};
    for (std::int64_t b = 0; b < blocks; ++b) {
      const std::int64_t first = row + b * kMicroRows;
      columns[b] =
          block_columns(task, own, first, smaller(first + kMicroRows, row + count), begin, n);
      if (columns[b].to == 0) continue;
      all = {smaller(all.from, columns[b].from), larger(all.to, columns[b].to)};
    }
    for (std::int64_t p = all.from; p < all.to; p += kPanel) {
      for (std::int64_t b = 0; b < blocks; ++b) {
        if (p < columns[b].from || p >= columns[b].to) continue;
        const std::int64_t r = b * kMicroRows;
        with_rows(count - r, [&]<int R>() {
          score_block<R>(s.q + (row + r) * d, d, s.k + p * d, s.scores + r * kKeyBlock + p);
        });
      }
    }
    float alpha[kStripRows];
    for (std::int64_t r = 0; r < count; ++r) {
      const Columns scored{columns[r / kMicroRows].from, padded(columns[r / kMicroRows].to)};
      if (scored.to == 0) continue;
      float* scores = s.scores + r * kKeyBlock;
      const std::int64_t i = (row + r) / task.group;
      const std::int64_t position = task.q_start + task.first + i;
      if (begin + scored.to > position + 1 || scored.to > n || task.token_local > 0 ||
          task.row_offsets != nullptr) {
        mask_row(task, own, i, begin, n, scored, scores);
      }
      alpha[r] = soften_row(scored.to - scored.from, scores + scored.from, s.max + row + r,
                            s.sum + row + r);
    }
    for (std::int64_t c = 0; c < dv; c += kPanel) {
      for (std::int64_t b = 0; b < blocks; ++b) {
        const auto [from, to] = columns[b];
        if (to == 0) continue;
        const std::int64_t r = b * kMicroRows;
        with_rows(count - r, [&, from = from, to = to]<int R>() {
          value_block<R>(s.scores + r * kKeyBlock + from, to - from, s.v + c * n + from * kPanel,
                         alpha + r, s.out + (row + r) * dv + c, dv);
        });
      }
    }
  }

  template <typename T>
  static void store_rows(const PrefillTask& task, const Scratch& s) {
    const std::int64_t dv = padded(task.head_dim);
    std::int64_t r = 0;
    for (std::int64_t i = 0; i < task.rows; ++i) {
      for (std::int64_t g = 0; g < task.group; ++g, ++r) {
        T* row = static_cast<T*>(task.out) + g * task.out_head_stride +
                 (task.first + i) * task.out_stride;
        const float factor = s.sum[r] > 0 ? 1.0f / s.sum[r] : 0.0f;
        for (std::int64_t c = 0; c < task.head_dim; ++c)
          narrow(s.out[r * dv + c] * factor, row + c);
        if (task.lse == nullptr) continue;
        task.lse[g * task.lse_head_stride + task.first + i] =
            s.sum[r] > 0 ? s.max[r] * kLn2 + __builtin_logf(s.sum[r]) : -__builtin_inff();
      }
    }
  }

  template <typename T>
  static void run(const PrefillTask& task, float* memory) {
    const std::int64_t rows = task.rows * task.group, dv = padded(task.head_dim);
    const Scratch s = carve(memory, task.head_dim, rows);
    load_queries<T>(task, s.q);
    for (std::int64_t i = 0; i < rows * dv; ++i) s.out[i] = 0;
    for (std::int64_t r = 0; r < rows; ++r) {
      s.max[r] = -__builtin_inff();
      s.sum[r] = 0;
    }
    OwnRanges own;
    start_ranges(task, own);
    const std::int64_t causal_end = task.q_start + task.first + task.rows;
    for (std::int64_t i = 0; i < task.range_count; ++i) {
      const std::int64_t end = smaller(task.ranges[i].end, causal_end);
      for (std::int64_t begin = task.ranges[i].begin; begin < end; begin += kKeyBlock) {
        const std::int64_t n = smaller(kKeyBlock, end - begin);
        if (!next_ranges(task, begin, n, own)) continue;
        pack_keys<T>(task, begin, n, s.k);
        pack_values<T>(task, begin, n, s.v);
        for (std::int64_t row = 0; row < rows; row += kStripRows) {
          strip(task, s, own, row, smaller(kStripRows, rows - row), begin, n);
        }
      }
    }
    store_rows<T>(task, s);
  }

  static void prefill(const PrefillTask& task, float* scratch) {
    if (task.type == CpuType::kBf16) return run<std::uint16_t>(task, scratch);
    run<float>(task, scratch);
  }
};

}  // namespace
}  // namespace elastic::engine
