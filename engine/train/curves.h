#pragma once

// curves.csv of a training run: one row a step. Numbers stay on the device until a flush, so that a
// step does not wait for them.

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "engine/api/batch_source.h"
#include "engine/train/objective.h"

namespace elastic::engine {

/// What the host knows of a step, and its sums over micro steps on the device.
struct StepRecord {
  std::int64_t step = 0, tokens = 0;  // tokens: since the start of the training
  double lr = 0, tau = 0;
  int batches = 1;                            // micro steps of all processes
  std::vector<std::int64_t> batches_of_task;  // those in which the task appeared
  at::Tensor values;  // fp32: loss, lm, answer; with routers reg, msr, entropy, msr per task
  at::Tensor gradient_norm;
  at::Tensor multipliers;  // [2 tasks], after the step; undefined without routers
};

/// The device's part of a record for one micro step.
at::Tensor step_values(const Objective& objective);

/// What a look at the newest step shows.
struct StepNumbers {
  double loss = 0;
  double msr = 0;  // 0 without routers
};

class Curves {
 public:
  /// Starts the file, or keeps its rows before `first_step` and drops later ones. Without a path no
  /// rows are written.
  Curves(std::filesystem::path path, const std::vector<TrainingTask>& tasks, bool routed,
         std::int64_t first_step);

  void add(StepRecord record) { open_.push_back(std::move(record)); }

  /// Reads the open records from the device and appends their rows. Returns the numbers of the
  /// last one. Throws kInvalidArgument naming the first step whose loss or gradient is not a
  /// number; rows up to it are written.
  StepNumbers flush();

 private:
  std::string row(const StepRecord& record, const float* values) const;

  std::filesystem::path path_;
  std::size_t tasks_;
  bool routed_;
  std::vector<StepRecord> open_;
  StepNumbers last_;
};

}  // namespace elastic::engine
