#pragma once

// The prefill kernel of cpu_attention.h for vectors of W floats. Panels are 2 W keys (scores) or 2
// W value columns (output) wide; six rows by one panel is the register block: 12 accumulators, two
// vectors of the panel, one broadcast.

#include "engine/kernels/cpu_attention.h"
#include "engine/kernels/panels.h"
#include "engine/kernels/simd.h"
#include "engine/kernels/task_rows.h"

namespace elastic::engine {
namespace {

constexpr std::int64_t kKeyBlock = kMaskBlock;    // keys packed at a time
constexpr std::int64_t kScoredRows = kMaskBlock;  // rows whose scores are held together
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
           kScoredRows * kKeyBlock + 7 * 16;
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
    s.scores = take(kScoredRows * kKeyBlock);
    s.q = take(rows * head_dim);
    s.out = take(rows * padded(head_dim));
    s.max = take(rows);
    s.sum = take(rows);
    return s;
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

  // Rows [row, row + count) of the stack, at most kStripRows, and the columns that each of their
  // register blocks scores: whole panels but at the end.
  struct Strip {
    std::int64_t row = 0, count = 0;
    Columns all = {}, columns[kStripRows / kMicroRows] = {};
  };

  static Strip strip_of(const TaskRows& rows, std::int64_t row, std::int64_t count,
                        const KeysInHand& keys) {
    Strip strip{row, count};
    const std::int64_t group = rows.task.group;
    for (std::int64_t r = 0; r < count; r += kMicroRows) {
      Columns& own = strip.columns[r / kMicroRows];
      const std::int64_t last = row + smaller(r + kMicroRows, count) - 1;
      for (std::int64_t i = (row + r) / group; i <= last / group; ++i) {
        own.add(rows.columns(i, keys));
      }
      own.from = own.from / kPanel * kPanel;
      strip.all.add(own);
    }
    return strip;
  }

  // Scores of the strip's rows against the packed keys, [count][kKeyBlock], hidden ones -inf.
  static void score_strip(const TaskRows& rows, const Scratch& s, const Strip& strip,
                          const KeysInHand& keys, float* scores) {
    const PrefillTask& task = rows.task;
    const std::int64_t d = task.head_dim;
    for (std::int64_t p = strip.all.from; p < strip.all.to; p += kPanel) {
      for (std::int64_t r = 0; r < strip.count; r += kMicroRows) {
        const Columns& own = strip.columns[r / kMicroRows];
        if (p < own.from || p >= own.to) continue;
        with_rows(strip.count - r, [&]<int R>() {
          score_block<R>(s.q + (strip.row + r) * d, d, s.k + p * d, scores + r * kKeyBlock + p);
        });
      }
    }
    for (std::int64_t r = 0; r < strip.count; ++r) {
      const Columns& own = strip.columns[r / kMicroRows];
      if (own.is_empty()) continue;
      const Columns scored{own.from, padded(own.to)};
      const std::int64_t i = (strip.row + r) / task.group;
      if (keys.begin + scored.to > rows.position(i) + 1 || scored.to > keys.count ||
          task.token_local > 0 || task.row_offsets != nullptr) {
        rows.hide(i, keys, scored, scores + r * kKeyBlock);
      }
    }
  }

  // The scores' softmax, and the values that it weighs, added to what was gathered.
  static void add_strip(const PrefillTask& task, const Scratch& s, const Strip& strip,
                        const KeysInHand& keys, float* scores) {
    const std::int64_t dv = padded(task.head_dim);
    float alpha[kStripRows];
    for (std::int64_t r = 0; r < strip.count; ++r) {
      const Columns& own = strip.columns[r / kMicroRows];
      if (own.is_empty()) continue;
      alpha[r] = soften_row(padded(own.to) - own.from, scores + r * kKeyBlock + own.from,
                            s.max + strip.row + r, s.sum + strip.row + r);
    }
    for (std::int64_t c = 0; c < dv; c += kPanel) {
      for (std::int64_t r = 0; r < strip.count; r += kMicroRows) {
        const Columns own = strip.columns[r / kMicroRows];
        if (own.is_empty()) continue;
        with_rows(strip.count - r, [&]<int R>() {
          value_block<R>(scores + r * kKeyBlock + own.from, own.to - own.from,
                         s.v + c * keys.count + own.from * kPanel, alpha + r,
                         s.out + (strip.row + r) * dv + c, dv);
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
  static void attend(const PrefillTask& task, const Scratch& s) {
    TaskRows rows(task);
    const std::int64_t stack = task.rows * task.group,
                       last = smaller(task.keys, task.q_start + task.first + task.rows);
    for (std::int64_t i = 0; i < task.range_count; ++i) {
      const std::int64_t end = smaller(task.ranges[i].end, last);
      for (std::int64_t begin = task.ranges[i].begin; begin < end; begin += kKeyBlock) {
        const KeysInHand keys{begin, smaller(kKeyBlock, end - begin)};
        if (!rows.advance(keys)) continue;
        Panels<W>::template pack_keys<T>(task, begin, keys.count, s.k);
        Panels<W>::template pack_values<T>(task, begin, keys.count, s.v);
        for (std::int64_t row = 0; row < stack; row += kStripRows) {
          const Strip strip = strip_of(rows, row, smaller(kStripRows, stack - row), keys);
          score_strip(rows, s, strip, keys, s.scores);
          add_strip(task, s, strip, keys, s.scores);
        }
      }
    }
  }

  // Whether a row of the strip keeps its scored tile of keys, by SkipRule.
  static bool is_kept(const PrefillTask& task, const Scratch& s, const Strip& strip,
                      const float* scores) {
    const float threshold = static_cast<float>(task.skip->log_threshold) * kLog2e;
    for (std::int64_t r = 0; r < strip.count; ++r) {
      const Columns& own = strip.columns[r / kMicroRows];
      float most = -__builtin_inff();
      for (std::int64_t j = own.from; j < own.to; ++j) {
        most = larger(most, scores[r * kKeyBlock + j]);
      }
      const bool sees = most != -__builtin_inff();
      if (sees && !(most - s.max[strip.row + r] < threshold)) return true;
    }
    return false;
  }

  // attend() of one head under a rule: tiles of query rows, one after the other, score a tile of
  // keys; its values are packed for the first that keeps it.
  template <typename T>
  static void attend_skipping(const PrefillTask& task, const Scratch& s) {
    const TaskRows rows(task);
    const SkipRule& rule = *task.skip;
    const std::int64_t end = rows.position(task.rows), tiles = (end + rule.keys - 1) / rule.keys;
    Strip strips[kScoredRows / kStripRows + 1];
    for (std::int64_t t = 0; t < tiles; ++t) {
      const std::int64_t begin = (rule.ascending ? t : tiles - 1 - t) * rule.keys;
      const KeysInHand keys{begin, smaller(rule.keys, end - begin)};
      Panels<W>::template pack_keys<T>(task, begin, keys.count, s.k);
      bool has_values = false;
      for (std::int64_t first = 0; first < task.rows; first += rule.rows) {
        const std::int64_t last = smaller(first + rule.rows, task.rows);
        if (begin >= rows.position(last)) continue;
        std::int64_t count = 0;
        bool kept = false;
        for (std::int64_t row = first; row < last; row += kStripRows) {
          Strip& strip = strips[count++];
          strip = strip_of(rows, row, smaller(kStripRows, last - row), keys);
          float* scores = s.scores + (row - first) * kKeyBlock;
          score_strip(rows, s, strip, keys, scores);
          kept = kept || is_kept(task, s, strip, scores);
        }
        ++task.tiles[1];
        if (!kept) continue;
        ++task.tiles[0];
        if (!has_values) Panels<W>::template pack_values<T>(task, begin, keys.count, s.v);
        has_values = true;
        for (std::int64_t i = 0; i < count; ++i) {
          add_strip(task, s, strips[i], keys, s.scores + i * kStripRows * kKeyBlock);
        }
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
    task.skip == nullptr ? attend<T>(task, s) : attend_skipping<T>(task, s);
    store_rows<T>(task, s);
  }

  static void prefill(const PrefillTask& task, float* scratch) {
    if (task.type == CpuType::kBf16) return run<std::uint16_t>(task, scratch);
    run<float>(task, scratch);
  }
};

}  // namespace
}  // namespace elastic::engine
