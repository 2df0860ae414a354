#pragma once

// What the rows of a prefill task see of the keys in hand: causality, a window of tokens, ranges of
// their own.

#include "engine/kernels/cpu_attention.h"
#include "engine/kernels/simd.h"

namespace elastic::engine {
namespace {

/// Keys in hand: [begin, begin + count).
struct KeysInHand {
  std::int64_t begin = 0, count = 0;
};

/// Columns [from, to) of the keys in hand.
struct Columns {
  std::int64_t from = 0, to = 0;

  bool is_empty() const { return from >= to; }
  void add(const Columns& more) {
    if (more.is_empty()) return;
    *this = is_empty() ? more : Columns{smaller(from, more.from), larger(to, more.to)};
  }
};

struct TaskRows {
  const PrefillTask& task;
  // Of each position whose row sees ranges of its own: those that do not end before the keys in
  // hand.
  const KeyRange *next[kTaskRows], *end[kTaskRows];

  explicit TaskRows(const PrefillTask& of) : task(of) {
    if (task.row_offsets == nullptr) return;
    const std::int64_t origin = task.q_start + task.first;
    for (std::int64_t i = 0; i < task.rows; ++i) {
      const std::int64_t b = (origin + i) / task.query_block - origin / task.query_block;
      next[i] = task.row_ranges + task.row_offsets[b];
      end[i] = task.row_ranges + task.row_offsets[b + 1];
    }
  }

  std::int64_t position(std::int64_t i) const { return task.q_start + task.first + i; }

  /// On to further keys: whether any row's ranges hold one of them.
  bool advance(const KeysInHand& keys) {
    if (task.row_offsets == nullptr) return true;
    bool any = false;
    for (std::int64_t i = 0; i < task.rows; ++i) {
      while (next[i] != end[i] && next[i]->end <= keys.begin) ++next[i];
      any = any || (next[i] != end[i] && next[i]->begin < keys.begin + keys.count);
    }
    return any;
  }

  /// Keys in hand up to the row of position `i`.
  std::int64_t causal(std::int64_t i, const KeysInHand& keys) const {
    return smaller(keys.count, larger<std::int64_t>(0, position(i) + 1 - keys.begin));
  }

  /// Between these lies all that the row sees.
  Columns columns(std::int64_t i, const KeysInHand& keys) const {
    const std::int64_t last = causal(i, keys);
    if (task.row_offsets == nullptr) return {0, last};
    const KeyRange* range = next[i];
    if (range == end[i] || range->begin >= keys.begin + last) return {};
    const std::int64_t from = larger<std::int64_t>(0, range->begin - keys.begin);
    while (range + 1 != end[i] && range[1].begin < keys.begin + last) ++range;
    return {from, smaller(last, range->end - keys.begin)};
  }

  /// Scores [from, to) of the row that it does not see become -inf; behind the keys in hand there
  /// are none.
  void hide(std::int64_t i, const KeysInHand& keys, const Columns& scored, float* scores) const {
    const auto fill = [scores](std::int64_t from, std::int64_t to) {
      for (std::int64_t j = from; j < to; ++j) scores[j] = -__builtin_inff();
    };
    const std::int64_t last = causal(i, keys);
    fill(larger(scored.from, last), scored.to);
    if (task.token_local > 0) {
      fill(larger(scored.from, task.token_sink - keys.begin),
           smaller(last, position(i) - task.token_local + 1 - keys.begin));
    }
    if (task.row_offsets == nullptr) return;
    std::int64_t seen = scored.from;
    for (const KeyRange* r = next[i]; r != end[i] && r->begin < keys.begin + last; ++r) {
      fill(seen, r->begin - keys.begin);
      seen = larger(seen, r->end - keys.begin);
    }
    fill(seen, scored.to);
  }
};

}  // namespace
}  // namespace elastic::engine
