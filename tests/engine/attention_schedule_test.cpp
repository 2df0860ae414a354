// How CPU attention is cut into tasks, in which order they run, on how many threads, and what their
// kernels are told; seen by kernels that take notes instead of computing.

#include <ATen/Parallel.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/zeros.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "engine/attention/cpu_attention.h"
#include "tests/engine/all_heads.h"

namespace elastic::engine {
namespace {

std::string words(std::span<const KeyRange> ranges) {
  std::string text;
  for (const KeyRange& r : ranges) {
    text += std::to_string(r.begin) + "-" + std::to_string(r.end) + " ";
  }
  return text;
}

// Ranges of a task: those of all its rows, or of one after the other.
std::string words(const PrefillTask& task) {
  if (task.row_offsets == nullptr) return words(std::span(task.ranges, task.range_count));
  std::string text;
  for (std::int64_t i = 0; i < task.rows; ++i) {
    const std::int64_t origin = task.q_start + task.first;
    const std::int64_t* at =
        task.row_offsets + (origin + i) / task.query_block - origin / task.query_block;
    text += words(std::span(task.row_ranges + at[0], task.row_ranges + at[1])) + "/ ";
  }
  return text;
}

struct Notes {
  std::mutex mutex;
  std::condition_variable changed;
  std::vector<PrefillTask> tasks;
  std::vector<std::string> task_ranges;
  std::vector<std::string> pieces;  // ranges of each
  std::vector<DecodeJoin> joins;
  std::set<std::thread::id> threads;
  std::set<bool> aligned;  // whether scratch stood at 64 bytes
  std::int64_t scratch_dim = 0, scratch_rows = 0;
  bool meets = false;  // wait until two threads are at work
};
Notes* notes = nullptr;

void note_thread(std::unique_lock<std::mutex>& lock, const float* scratch) {
  notes->threads.insert(std::this_thread::get_id());
  notes->aligned.insert(reinterpret_cast<std::uintptr_t>(scratch) % 64 == 0);
  notes->changed.notify_all();
  if (notes->meets) {
    notes->changed.wait_for(lock, std::chrono::seconds(20),
                            [] { return notes->threads.size() > 1; });
  }
}

const CpuKernels kNoting = {
    "noting",
    [](std::int64_t head_dim, std::int64_t rows) {
      notes->scratch_dim = head_dim;
      notes->scratch_rows = rows;
      return std::int64_t{5};
    },
    [](const PrefillTask& task, float* scratch) {
      std::unique_lock lock(notes->mutex);
      notes->tasks.push_back(task);
      notes->task_ranges.push_back(words(task));
      note_thread(lock, scratch);
    },
    [](const DecodePiece& piece, float* scratch) {
      std::unique_lock lock(notes->mutex);
      notes->pieces.push_back(words(std::span(piece.ranges, piece.range_count)));
      note_thread(lock, scratch);
    },
    [](const DecodeJoin& join) { notes->joins.push_back(join); }};

AttentionInput zero_input(std::int64_t heads_q, std::int64_t heads_kv, std::int64_t dim,
                          std::int64_t q_start, std::int64_t rows) {
  return {at::zeros({heads_q, rows, dim}), at::zeros({heads_kv, q_start + rows, dim}),
          at::zeros({heads_kv, q_start + rows, dim}), q_start, 0.5};
}

void take_notes(Notes& into, const AttentionInput& input, const BlockMask& mask) {
  at::Tensor out = at::zeros(input.q.sizes());
  notes = &into;
  cpu_attention(input, testing::all_heads(input), mask, out, nullptr, kNoting);
  notes = nullptr;
}

struct Expected {
  std::int64_t first = 0, rows = 0, q_head = 0, group = 0, cost = 0;
  std::string ranges;
};

// Tasks of the rows of one block, or of several that have less than 128; at most 256 stacked ones,
// the ones with most visible pairs first.
std::vector<Expected> expected_tasks(const AttentionInput& input, const BlockMask& mask) {
  const std::int64_t heads = input.q.size(0), group = heads / input.k.size(0);
  const bool shared = mask.heads.size() == 1, joined = mask.query_block < 128;
  std::vector<Expected> tasks;
  for (std::int64_t head = 0; head < heads; head += shared ? group : 1) {
    const std::int64_t together = shared ? group : 1;
    std::int64_t first = 0;
    for (std::int64_t row = 1; row <= input.q.size(1); ++row) {
      const std::int64_t next = input.q_start + row;
      const bool full = (row - first + 1) * together > 256;
      const bool ends = !joined && next % mask.query_block == 0;
      if (row < input.q.size(1) && !ends && !full) continue;
      Expected e{first, row - first, head, together, 0, ""};
      for (std::int64_t p = input.q_start + first; p < next; ++p) {
        const std::int64_t block = p / mask.query_block;
        const std::int64_t end = std::min((block + 1) * mask.query_block, next);
        const auto ranges = mask.head(head).block(block - mask.first_block);
        if (joined) e.ranges += words(ranges) + "/ ";
        if (!joined) e.ranges = words(ranges);
        for (const KeyRange& r : ranges) {
          e.cost += together * std::max<std::int64_t>(0, std::min(r.end, end) - r.begin);
        }
      }
      tasks.push_back(e);
      first = row;
    }
  }
  std::stable_sort(tasks.begin(), tasks.end(),
                   [](const Expected& a, const Expected& b) { return a.cost > b.cost; });
  return tasks;
}

void expect_tasks(const AttentionInput& input, const BlockMask& mask) {
  Notes seen;
  take_notes(seen, input, mask);
  const std::vector<Expected> wanted = expected_tasks(input, mask);
  ASSERT_EQ(seen.tasks.size(), wanted.size());
  std::int64_t most = 0;
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    SCOPED_TRACE("task " + std::to_string(i));
    const PrefillTask& task = seen.tasks[i];
    EXPECT_EQ(task.first, wanted[i].first);
    EXPECT_EQ(task.rows, wanted[i].rows);
    EXPECT_EQ(task.group, wanted[i].group);
    EXPECT_EQ(task.q.data, input.q[wanted[i].q_head].const_data_ptr());
    EXPECT_EQ(seen.task_ranges[i], wanted[i].ranges);
    EXPECT_EQ(task.token_sink, mask.token_sink);
    EXPECT_EQ(task.token_local, mask.token_local);
    most = std::max(most, task.rows * task.group);
  }
  EXPECT_EQ(seen.scratch_dim, input.q.size(2));
  EXPECT_EQ(seen.scratch_rows, most);
  EXPECT_TRUE(seen.pieces.empty());
  EXPECT_EQ(seen.threads, std::set<std::thread::id>{std::this_thread::get_id()}) << "little work";
  EXPECT_EQ(seen.aligned, std::set<bool>{true});
}

BlockMask mask_of(const std::vector<std::uint8_t>& visible, const AttentionInput& input,
                  std::int64_t heads, std::int64_t block) {
  const RowSpan span = input.span();
  const std::int64_t rows = (span.q_start + span.rows - 1) / block - span.q_start / block + 1;
  const std::int64_t keys = (span.tokens + block - 1) / block;
  return table_mask({std::span(visible).first(static_cast<std::size_t>(heads * rows * keys)), heads,
                     rows, keys, block},
                    span);
}

TEST(AttentionSchedule, TasksAreBlocksOfRowsTheHeaviestFirst) {
  for (const auto& [heads_q, heads_kv, q_start, rows] : std::vector<std::array<std::int64_t, 4>>{
           {1, 1, 0, 300}, {4, 1, 0, 200}, {6, 2, 77, 130}, {2, 2, 128, 129}, {300, 1, 0, 2}}) {
    SCOPED_TRACE(std::to_string(heads_q) + "/" + std::to_string(heads_kv));
    const AttentionInput input = zero_input(heads_q, heads_kv, 1, q_start, rows);
    expect_tasks(input, dense_mask(input.span()));
    expect_tasks(input, streaming_mask({.sink = 20, .local = 30, .block = 1}, input.span()));
  }
}

TEST(AttentionSchedule, LongBlocksAreCutAndHeadsOfTheirOwnMaskRunAlone) {
  std::vector<std::uint8_t> visible(64);
  for (std::size_t i = 0; i < visible.size(); ++i) visible[i] = i % 3 != 1;
  const AttentionInput input = zero_input(4, 2, 1, 0, 300);
  expect_tasks(input, mask_of(visible, input, 1, 512));
  expect_tasks(input, mask_of(visible, input, 4, 512));
  // Rows 0 .. 63 of a block end before its last range begins.
  BlockMask late = mask_of({1}, zero_input(4, 1, 1, 0, 256), 1, 256);
  late.heads[0] = {.ranges = {{0, 2}, {192, 256}}, .offsets = {0, 2}};
  expect_tasks(zero_input(4, 1, 1, 0, 256), late);
}

// Blocks of few rows are taken together, each row with the ranges of its own block.
TEST(AttentionSchedule, ShortBlocksAreJoined) {
  std::vector<std::uint8_t> visible(std::size_t{4} * 600 * 19);
  for (std::size_t i = 0; i < visible.size(); ++i) visible[i] = i % 7 < 2;
  for (const std::int64_t block : {1, 16, 64}) {
    for (const std::int64_t q_start : {0, 77}) {
      const AttentionInput input = zero_input(4, 2, 1, q_start, 523);
      const RowSpan span = input.span();
      const std::int64_t rows = (span.q_start + span.rows - 1) / block - span.q_start / block + 1;
      for (const std::int64_t heads : {1, 4}) {
        const auto size = static_cast<std::size_t>(heads * rows * 19);
        expect_tasks(
            input, table_mask({std::span(visible).first(size), heads, rows, 19, 32, block}, span));
      }
    }
  }
}

// A step of decode: pieces of 1024 keys of what its row sees, and one join a KV head.
void expect_pieces(const AttentionInput& input, const BlockMask& mask, const std::string& wanted) {
  Notes seen;
  take_notes(seen, input, mask);
  std::string pieces;
  for (const std::string& piece : seen.pieces) pieces += piece + "/ ";
  EXPECT_EQ(pieces, wanted);
  EXPECT_TRUE(seen.tasks.empty());
  std::int64_t joined = 0;
  for (const DecodeJoin& join : seen.joins) joined += join.pieces;
  EXPECT_EQ(joined, static_cast<std::int64_t>(seen.pieces.size()));
  EXPECT_EQ(static_cast<std::int64_t>(seen.joins.size()), input.k.size(0));
}

TEST(AttentionSchedule, ADecodeStepReadsTheKeysOfItsRowInPieces) {
  const auto dense = [](std::int64_t tokens, std::int64_t heads_kv) {
    const AttentionInput input = zero_input(2 * heads_kv, heads_kv, 1, tokens - 1, 1);
    return std::pair{input, dense_mask(input.span())};
  };
  expect_pieces(dense(1, 1).first, dense(1, 1).second, "0-1 / ");
  expect_pieces(dense(1024, 1).first, dense(1024, 1).second, "0-1024 / ");
  expect_pieces(dense(1025, 2).first, dense(1025, 2).second,
                "0-1024 / 1024-1025 / 0-1024 / 1024-1025 / ");
  expect_pieces(dense(2500, 1).first, dense(2500, 1).second, "0-1024 / 1024-2048 / 2048-2500 / ");
  const AttentionInput input = zero_input(1, 1, 1, 1999, 1);
  const auto window = [&](std::int64_t sink, std::int64_t local) {
    return streaming_mask({.sink = sink, .local = local, .block = 1}, input.span());
  };
  expect_pieces(input, window(3, 40), "0-3 1960-2000 / ");
  expect_pieces(input, window(0, 1), "1999-2000 / ");
  expect_pieces(input, window(1970, 40), "0-1024 / 1024-1970 1970-2000 / ");
  expect_pieces(input, streaming_mask({.sink = 128, .local = 128}, input.span()),
                "0-128 1920-2000 / ");
  BlockMask wide = window(3, 40);  // ranges that hold more than the row may see
  wide.heads[0] = {.ranges = {{0, 1990}, {1995, 2048}}, .offsets = {0, 2}};
  expect_pieces(input, wide, "0-3 1960-1990 1995-2000 / ");
  wide.token_local = wide.token_sink = 0;
  expect_pieces(input, wide, "0-1024 / 1024-1990 1995-2000 / ");
}

// Other threads are woken where there are 2^18 multiply-adds to do, and several tasks.
TEST(AttentionSchedule, OnlyMuchWorkIsSpread) {
  const int before = at::get_num_threads();
  at::set_num_threads(2);
  const auto threads = [](const AttentionInput& input, const BlockMask& mask, bool meets) {
    Notes seen;
    seen.meets = meets;
    take_notes(seen, input, mask);
    return seen.threads.size();
  };
  const auto decode = [&](std::int64_t heads_q, std::int64_t tokens, std::int64_t dim, bool meets) {
    const AttentionInput input = zero_input(heads_q, 1, dim, tokens - 1, 1);
    return threads(input, dense_mask(input.span()), meets);
  };
  EXPECT_EQ(decode(1, 4096, 64, true), 2u);
  EXPECT_EQ(decode(1, 4095, 64, false), 1u);
  EXPECT_EQ(decode(4, 2048, 32, true), 2u);
  EXPECT_EQ(decode(4, 2047, 32, false), 1u);
  EXPECT_EQ(decode(4, 1024, 64, false), 1u) << "one piece";
  const auto prefill = [&](std::int64_t heads_q, std::int64_t dim, std::int64_t rows, bool meets) {
    const AttentionInput input = zero_input(heads_q, 1, dim, 0, rows);
    return threads(input, streaming_mask({.sink = 0, .local = 128}, input.span()), meets);
  };
  EXPECT_EQ(prefill(1, 8, 256, true), 2u);  // 2 x 128 x 128 pairs
  EXPECT_EQ(prefill(1, 7, 256, false), 1u);
  EXPECT_EQ(prefill(1, 8, 255, false), 1u);
  EXPECT_EQ(prefill(1, 64, 128, false), 1u) << "one task";
  at::set_num_threads(before);
}

TEST(AttentionSchedule, KernelsTakeTwoTypesOfTheCpu) {
  const auto takes = [](at::ScalarType q, at::ScalarType k, at::ScalarType v,
                        at::Device device = at::kCPU) {
    const auto tensor = [&](at::ScalarType type) {
      return at::empty({1, 2, 8}, at::TensorOptions(type).device(device));
    };
    return runs_on_cpu_kernels({tensor(q), tensor(k), tensor(v), 0, 1});
  };
  EXPECT_TRUE(takes(at::kFloat, at::kFloat, at::kFloat));
  EXPECT_TRUE(takes(at::kBFloat16, at::kBFloat16, at::kBFloat16));
  EXPECT_FALSE(takes(at::kHalf, at::kHalf, at::kHalf));
  EXPECT_FALSE(takes(at::kDouble, at::kDouble, at::kDouble));
  EXPECT_FALSE(takes(at::kFloat, at::kBFloat16, at::kFloat));
  EXPECT_FALSE(takes(at::kFloat, at::kFloat, at::kBFloat16));
  EXPECT_FALSE(takes(at::kFloat, at::kFloat, at::kFloat, at::kMeta));
}

TEST(AttentionSchedule, OutputsOfAnotherLayoutOrTypeAreRefused) {
  const AttentionInput input = zero_input(2, 2, 8, 0, 40);
  const BlockMask mask = dense_mask(input.span());
  at::Tensor out = at::zeros({2, 40, 8}), wide = at::zeros({2, 40, 8}, at::kDouble);
  at::Tensor lse = at::zeros({2, 40}), turned = at::zeros({40, 2}).t();
  const std::vector<int> heads = {0, 1};
  EXPECT_NO_THROW(cpu_attention(input, heads, mask, out, &lse));
  EXPECT_THROW(cpu_attention(input, heads, mask, out, &turned), std::logic_error);
  EXPECT_THROW(cpu_attention(input, heads, mask, wide), std::logic_error);
}

}  // namespace
}  // namespace elastic::engine
