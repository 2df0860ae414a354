#pragma once

// Batches drawn and packed ahead of the training loop,
// several at a time, in the order of the steps.
//
//   BatchFeed feed(source, options, first_step);
//   FedBatch next = feed.next();          // waits where the data is slower than the training

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <deque>
#include <future>

#include "engine/api/batch_source.h"
#include "engine/train/packed_batch.h"

namespace elastic::engine {

struct FedBatch {
  PackedBatch batch;
  at::Tensor noise;  // [layers, documents, heads_kv, 2]; undefined without routers
};

struct FeedOptions {
  PackOptions pack;
  std::uint64_t seed = 0;
  std::int64_t steps = 0;  // of the whole training
  int micro_steps = 1;
  int rank = 0, world = 1;
  int at_once = 1;
  std::int64_t layers = 0, heads_kv = 0;  // of the noise; layers 0: none
};

class BatchFeed {
 public:
  BatchFeed(const BatchSource& source, const FeedOptions& options, std::int64_t first_step);

  /// Returns when next() would not wait.
  void wait() const;

  /// The batch after the last one; rethrows what drawing it threw, naming the step.
  FedBatch next();

 private:
  void start();

  const BatchSource& source_;
  FeedOptions options_;
  BatchPosition position_;  // of the next batch to start
  std::deque<std::future<FedBatch>> ahead_;
};

}  // namespace elastic::engine
