#include "engine/attention/cpu_attention.h"

#include <ATen/Parallel.h>
#include <ATen/ops/empty.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <iterator>
#include <limits>
#include <memory>
#include <vector>

#include "base/error.h"

namespace elastic::engine {
namespace {

constexpr std::int64_t kDecodeKeys = 1024;  // keys per piece of a decode step
constexpr KeyRange kEveryKey{0, std::numeric_limits<std::int64_t>::max()};
// Multiply-adds below which waking other threads costs more than it saves.
constexpr std::int64_t kSerialWork = std::int64_t{1} << 18;

// Query heads [first_q, first_q + group) of one KV head that share one mask.
struct Unit {
  std::int64_t kv_head = 0, first_q = 0, group = 1;
  const HeadMask* mask = nullptr;
};

std::vector<Unit> make_units(const AttentionInput& input, std::span<const int> kv_heads,
                             const BlockMask& mask) {
  const std::int64_t group = input.q.size(0) / input.k.size(0);
  std::vector<Unit> units;
  for (std::size_t i = 0; i < kv_heads.size(); ++i) {
    const std::int64_t kv = kv_heads[i];
    if (mask.heads.size() == 1) {
      units.push_back({kv, kv * group, group, &mask.heads[0]});
      continue;
    }
    for (std::int64_t g = 0; g < group; g += mask.share) {
      const std::int64_t head = static_cast<std::int64_t>(i) * group + g;
      units.push_back({kv, kv * group + g, mask.share, &mask.head(head)});
    }
  }
  return units;
}

CpuType type_of(const at::Tensor& x) {
  return x.scalar_type() == at::kBFloat16 ? CpuType::kBf16 : CpuType::kFp32;
}

// Row 0 of one head.
HeadRows rows_of(const at::Tensor& x, std::int64_t head) {
  const auto* base = static_cast<const char*>(x.const_data_ptr());
  return {base + head * x.stride(0) * x.element_size(), x.stride(1)};
}

void* head_of(const at::Tensor& x, std::int64_t head) {
  return static_cast<char*>(x.data_ptr()) + head * x.stride(0) * x.element_size();
}

// Runs f(i, thread-local scratch) for i in [0, n), in order of i, on all threads or (serial) this
// one.
template <typename F>
void run_tasks(std::int64_t n, bool serial, std::int64_t scratch_floats, const F& f) {
  std::atomic<std::int64_t> next{0};
  const auto work = [&](std::int64_t, std::int64_t) {
    const auto memory =
        std::make_unique_for_overwrite<float[]>(static_cast<std::size_t>(scratch_floats) + 16);
    const auto address = reinterpret_cast<std::uintptr_t>(memory.get());
    float* scratch = memory.get() + (64 - address % 64) % 64 / sizeof(float);
    for (std::int64_t i = next++; i < n; i = next++) f(i, scratch);
  };
  if (serial || n == 1) return work(0, 1);
  at::parallel_for(0, std::min<std::int64_t>(n, at::get_num_threads()), 1, work);
}

struct Job {
  PrefillTask task;
  std::int64_t cost = 0;  // query rows x keys
};

// Query blocks that a task takes together: each alone would pack keys for a few rows.
bool joins_blocks(const BlockMask& mask) { return mask.query_block < kMaskBlock; }

// Rows [first, last) of the call, whatever they see.
PrefillTask make_task(const AttentionInput& input, const Unit& unit, const at::Tensor& out,
                      at::Tensor* lse, std::int64_t first, std::int64_t last) {
  PrefillTask t;
  t.type = type_of(input.q);
  t.head_dim = input.q.size(2);
  t.group = unit.group;
  t.q = rows_of(input.q, unit.first_q);
  t.k = rows_of(input.k, unit.kv_head);
  t.v = rows_of(input.v, unit.kv_head);
  t.keys = input.k.size(1);
  t.q_head_stride = input.q.stride(0);
  t.out = head_of(out, unit.first_q);
  t.out_stride = out.stride(1);
  t.out_head_stride = out.stride(0);
  if (lse != nullptr) {
    t.lse = static_cast<float*>(head_of(*lse, unit.first_q));
    t.lse_head_stride = lse->stride(0);
  }
  t.first = first;
  t.rows = last - first;
  t.q_start = input.q_start;
  t.scale = static_cast<float>(input.scale);
  return t;
}

// What the rows of the task, of one query block but where these are joined, see.
Job make_job(PrefillTask t, const BlockMask& mask, const HeadMask& head) {
  const std::int64_t begin = t.q_start + t.first, end = begin + t.rows;
  const std::int64_t block = begin / mask.query_block - mask.first_block;
  const std::span<const KeyRange> ranges = head.block(block);
  t.ranges = ranges.data();
  t.range_count = std::ssize(ranges);
  if (joins_blocks(mask)) {
    t.ranges = &kEveryKey;
    t.range_count = 1;
    t.row_ranges = head.ranges.data();
    t.row_offsets = head.offsets.data() + block;
    t.query_block = mask.query_block;
  }
  t.token_sink = mask.token_sink;
  t.token_local = mask.token_local;
  std::int64_t cost = 0;
  for (std::int64_t row = begin, b = block; row < end; ++b) {
    const std::int64_t last = std::min((mask.first_block + b + 1) * mask.query_block, end);
    for (const KeyRange& r : head.block(b)) {
      cost += std::max<std::int64_t>(0, std::min(r.end, last) - r.begin) * (last - row) * t.group;
    }
    row = last;
  }
  return {t, cost};
}

// The heaviest first.
void run_jobs(std::vector<Job>& jobs, const CpuKernels& kernels) {
  if (jobs.empty()) return;
  std::stable_sort(jobs.begin(), jobs.end(),
                   [](const Job& a, const Job& b) { return a.cost > b.cost; });
  const std::int64_t dim = jobs[0].task.head_dim;
  std::int64_t most_rows = 0, cost = 0;
  for (const Job& job : jobs) {
    most_rows = std::max(most_rows, job.task.rows * job.task.group);
    cost += job.cost;
  }
  run_tasks(std::ssize(jobs), cost * dim < kSerialWork, kernels.prefill_scratch(dim, most_rows),
            [&](std::int64_t i, float* scratch) {
              kernels.prefill(jobs[static_cast<std::size_t>(i)].task, scratch);
            });
}

void prefill(const AttentionInput& input, const std::vector<Unit>& units, const BlockMask& mask,
             const at::Tensor& out, at::Tensor* lse, const CpuKernels& kernels) {
  std::vector<Job> jobs;
  const std::int64_t rows = input.q.size(1);
  for (const Unit& unit : units) {
    const std::int64_t step = std::max<std::int64_t>(1, kTaskRows / unit.group);
    for (std::int64_t first = 0; first < rows;) {
      const std::int64_t block = (input.q_start + first) / mask.query_block;
      const std::int64_t block_end =
          joins_blocks(mask) ? rows : (block + 1) * mask.query_block - input.q_start;
      const std::int64_t last = std::min({first + step, block_end, rows});
      jobs.push_back(make_job(make_task(input, unit, out, lse, first, last), mask, *unit.mask));
      first = last;
    }
  }
  run_jobs(jobs, kernels);
}

// Keys that the row at position p sees: blocks are pieces of kDecodeKeys keys, the last one's what
// remains.
HeadMask decode_pieces(const BlockMask& mask, const HeadMask& head, std::int64_t p) {
  HeadMask pieces{.ranges = {}, .offsets = {0}};
  std::int64_t room = kDecodeKeys;
  const auto close = [&] {
    pieces.offsets.push_back(std::ssize(pieces.ranges));
    room = kDecodeKeys;
  };
  const auto add = [&](std::int64_t begin, std::int64_t end) {
    while (begin < end) {
      const std::int64_t keys = std::min(room, end - begin);
      pieces.ranges.push_back({begin, begin + keys});
      begin += keys;
      room -= keys;
      if (room == 0) close();
    }
  };
  for (const KeyRange& range : head.block(p / mask.query_block - mask.first_block)) {
    const std::int64_t end = std::min(range.end, p + 1);
    if (mask.token_local == 0) {
      add(range.begin, end);
      continue;
    }
    const std::int64_t local = std::max(mask.token_sink, p - mask.token_local + 1);
    add(range.begin, std::min(end, mask.token_sink));
    add(std::max(range.begin, local), end);
  }
  if (room < kDecodeKeys) close();
  return pieces;
}

void decode(const AttentionInput& input, const std::vector<Unit>& units, const BlockMask& mask,
            const at::Tensor& out, at::Tensor* lse, const CpuKernels& kernels) {
  struct Item {
    DecodePiece piece;
    std::int64_t offset = 0;  // of its partial
  };
  std::vector<Item> items;
  std::vector<DecodeJoin> joins;
  std::vector<HeadMask> pieces_of_units;
  pieces_of_units.reserve(units.size());
  const std::int64_t dim = input.q.size(2);
  std::int64_t floats = 0, cost = 0;
  for (const Unit& unit : units) {
    pieces_of_units.push_back(decode_pieces(mask, *unit.mask, input.q_start));
    const HeadMask& pieces = pieces_of_units.back();
    const std::int64_t count = std::ssize(pieces.offsets) - 1;
    const HeadRows q{rows_of(input.q, unit.first_q).data, input.q.stride(0)};
    joins.push_back({type_of(input.q), dim, unit.group, count, nullptr, head_of(out, unit.first_q),
                     out.stride(0)});
    if (lse != nullptr) {
      joins.back().lse = static_cast<float*>(head_of(*lse, unit.first_q));
      joins.back().lse_stride = lse->stride(0);
    }
    for (std::int64_t i = 0; i < count; ++i) {
      const std::span<const KeyRange> ranges = pieces.block(i);
      items.push_back({{type_of(input.q), dim, unit.group, q, rows_of(input.k, unit.kv_head),
                        rows_of(input.v, unit.kv_head), ranges.data(), std::ssize(ranges),
                        static_cast<float>(input.scale)},
                       floats});
      floats += unit.group * (dim + 2);
      for (const KeyRange& range : ranges) cost += unit.group * (range.end - range.begin) * dim;
    }
  }
  const auto partials = std::make_unique_for_overwrite<float[]>(static_cast<std::size_t>(floats));
  run_tasks(static_cast<std::int64_t>(items.size()), cost < kSerialWork, dim,
            [&](std::int64_t i, float* scratch) {
              Item& item = items[static_cast<std::size_t>(i)];
              item.piece.partial = partials.get() + item.offset;
              kernels.decode(item.piece, scratch);
            });
  const float* next = partials.get();
  for (DecodeJoin& join : joins) {
    join.partials = next;
    next += join.pieces * join.group * (dim + 2);
    kernels.join(join);
  }
}

void check_layout(const AttentionInput& input, const at::Tensor& out, const at::Tensor* lse) {
  check(input.q.stride(2) == 1 && input.k.stride(2) == 1 && input.v.stride(2) == 1 &&
            out.stride(2) == 1,
        "attention tensors are contiguous in head_dim");
  check(lse == nullptr || lse->stride(1) == 1, "lse is contiguous in rows");
  check(out.scalar_type() == input.q.scalar_type(), "attention output has the dtype of q");
}

}  // namespace

bool runs_on_cpu_kernels(const AttentionInput& input) {
  const at::ScalarType type = input.q.scalar_type();
  return input.q.is_cpu() && (type == at::kFloat || type == at::kBFloat16) &&
         input.k.scalar_type() == type && input.v.scalar_type() == type;
}

bool kernels_take(const SkipRule& rule) {
  return !rule.group_decides && rule.rows <= kMaskBlock && rule.keys <= kMaskBlock;
}

void cpu_skip_attention(const AttentionInput& input, std::span<const int> kv_heads,
                        const SkipRule& rule, const at::Tensor& tiles, at::Tensor& out,
                        at::Tensor* lse, const CpuKernels& kernels) {
  check_layout(input, out, lse);
  const std::int64_t rows = input.q.size(1), step = kTaskRows / rule.rows * rule.rows;
  const std::int64_t group = input.q.size(0) / input.k.size(0);
  std::vector<Job> jobs;
  for (const int head : query_heads(input, kv_heads)) {
    for (std::int64_t first = 0; first < rows; first += step) {
      PrefillTask t =
          make_task(input, {head / group, head, 1}, out, lse, first, std::min(first + step, rows));
      t.skip = &rule;
      jobs.push_back({t, t.rows * (input.q_start + first + t.rows)});
    }
  }
  std::vector<std::array<std::int64_t, 2>> counts(jobs.size());
  for (std::size_t i = 0; i < jobs.size(); ++i) jobs[i].task.tiles = counts[i].data();
  run_jobs(jobs, kernels);
  if (!tiles.defined()) return;
  std::int64_t* all = tiles.mutable_data_ptr<std::int64_t>();
  for (const auto& [computed, met] : counts) {
    all[0] += computed;
    all[1] += met;
  }
}

void cpu_attention(const AttentionInput& input, std::span<const int> kv_heads,
                   const BlockMask& mask, at::Tensor& out, at::Tensor* lse,
                   const CpuKernels& kernels) {
  check_layout(input, out, lse);
  const std::vector<Unit> units = make_units(input, kv_heads, mask);
  if (input.q.size(1) == 1) return decode(input, units, mask, out, lse, kernels);
  prefill(input, units, mask, out, lse, kernels);
}

}  // namespace elastic::engine
