#pragma once

// A decode step of a batch as one launch: recorded once for some numbers of sequences and replayed
// for every token after that. Positions and the places of keys and values lie in device memory
// (StepKernels), so neither a longer cache nor another request needs a new recording. The greedy
// choice is made on the device as well; logits come to the host only for those who ask.
//
//   RecordedStep step(decoder);
//   if (step.takes(plan)) const StepResult result = step.run({{&sequence, id, &plan}});

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <map>
#include <span>
#include <utility>
#include <vector>

#include "engine/device/step_kernels.h"
#include "engine/kernels/step_linear.h"
#include "engine/model/decoder.h"

namespace elastic::engine {

/// The new token of one sequence, whose plan is its own.
struct StepRow {
  Sequence* sequence = nullptr;
  std::int32_t id = 0;
  const AttentionPlan* plan = nullptr;
};

struct StepResult {
  std::vector<std::int32_t> greedy;  // the first of the largest logits of each row
  std::vector<bool> finite;          // every logit of the row is
  at::Tensor logits;                 // [batch, vocab], until the next step
};

class RecordedStep {
 public:
  static constexpr std::size_t kMostRows = kStepRows;

  /// `decoder` outlives it.
  explicit RecordedStep(Decoder& decoder) : decoder_(decoder) {}

  /// True where the device brings kernels for the model, and the plan's steps read all that their
  /// caches hold (whole, a ring, or what an eviction left) or pages of it that the device chooses.
  bool takes(const AttentionPlan& plan) const;

  /// As Decoder::step(), and the output head, of at most kMostRows sequences. A sequence's result
  /// is the same bits in any batch.
  StepResult run(std::span<const StepRow> batch);

 private:
  struct Recording {
    at::Tensor inputs;               // int32 [2, rows]: ids, positions
    at::Tensor slots;                // uint8 [layers, rows * heads_kv * sizeof(KvSlot)]
    std::vector<KvSlot> slots_host;  // what lies there
    at::Tensor logits;               // [rows, vocab]
    at::Tensor choices;              // int64 [2, rows]: greedy token, whether all is finite
    StepPages pages;                 // where rows choose pages; keys: [layers, rows, heads_kv]
    const void* rotary = nullptr;    // the table that it was recorded with
    std::function<void()> replay;
  };
  Recording& recording_of(std::int64_t rows, bool pages);
  void place(Recording& recording, std::span<const StepRow> batch) const;
  void make_room_for_pages(Recording& recording) const;
  void compute(Recording& recording) const;
  void end_step(const Recording& recording, std::span<const StepRow> batch) const;

  Decoder& decoder_;
  std::map<std::pair<std::int64_t, bool>, Recording> recordings_;  // by rows, choosing pages or not
};

}  // namespace elastic::engine
