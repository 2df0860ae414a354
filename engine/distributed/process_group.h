#pragma once

// Processes that train together, over c10d: a TCPStore to find each other and Gloo to sum, both
// inside libtorch_cpu.so. Every process gets the same bits, run after run; with two processes those
// of the sum in rank order. Tensors of a GPU travel through host memory.
//
//   ProcessGroup group({.rank = 1, .world = 2, .address = "127.0.0.1", .port = 29500});
//   group.agree(R"({"seed": 42})");
//   group.sum({gradient, values});
//
// Errors are kIo with the address, the rank and a cure, unless said otherwise. A process that ends
// is seen at once by the others, one that falls silent after ProcessOptions::silence_seconds.

#include <ATen/core/Tensor.h>

#include <memory>
#include <string>
#include <vector>

#include "engine/api/train_router.h"

namespace elastic::engine {

class ProcessGroup {
 public:
  /// Joins the others within ProcessOptions::join_seconds; rank 0 serves unless the launcher
  /// already does. kInvalidArgument for an address that is none, on every process for two of one
  /// rank and for numbers of processes that differ.
  explicit ProcessGroup(const ProcessOptions& options);
  /// Rank 0 waits until the others are through.
  ~ProcessGroup();
  ProcessGroup(const ProcessGroup&) = delete;
  ProcessGroup& operator=(const ProcessGroup&) = delete;

  int rank() const { return options_.rank; }
  int world() const { return options_.world; }

  /// Every process tells what its numbers depend on, a flat JSON object. kInvalidArgument, the same
  /// on all, naming the first key that differs and both values.
  void agree(const std::string& settings);

  /// Replaces every tensor by its sum over the processes, which call this alike. fp32, any device.
  void sum(const std::vector<at::Tensor>& tensors);

 private:
  struct Impl;
  ProcessOptions options_;
  std::unique_ptr<Impl> impl_;
};

}  // namespace elastic::engine
