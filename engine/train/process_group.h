#pragma once

// Processes that train together: sums of their tensors over a c10d store, in rank order, so that
// every process holds the same bits. Meant for router training, whose gradients are small
// (2 MB to 35 MB a step). Not Gloo: LibTorch's wheel carries the library but not the headers that
// c10d's class for it includes.
//
//   ProcessGroup group({.rank = 1, .world = 2, .address = "127.0.0.1", .port = 29500});
//   group.sum({gradient, values});

#include <ATen/core/Tensor.h>

#include <memory>
#include <vector>

#include "engine/api/train_router.h"

namespace elastic::engine {

class ProcessGroup {
 public:
  /// Joins the others; rank 0 serves unless the launcher already does. kIo naming the address where
  /// they do not come together in time.
  explicit ProcessGroup(const ProcessOptions& options);
  /// Rank 0 waits until the others are through.
  ~ProcessGroup();
  ProcessGroup(const ProcessGroup&) = delete;
  ProcessGroup& operator=(const ProcessGroup&) = delete;

  int rank() const { return options_.rank; }
  int world() const { return options_.world; }

  /// Replaces every tensor by its sum over the processes, which call this alike. fp32, any device.
  void sum(const std::vector<at::Tensor>& tensors);

 private:
  struct Impl;
  ProcessOptions options_;
  std::unique_ptr<Impl> impl_;
  std::int64_t round_ = 0;
};

}  // namespace elastic::engine
