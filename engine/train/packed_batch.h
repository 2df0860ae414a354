#pragma once

// The documents of one step as one stream of rows, with everything a forward pass looks up: which
// rows belong together, which carry loss and with what weight, which keys the router pools. A
// function of documents and seed alone.
//
//   PackedBatch batch = pack(documents, {.loss = options.loss, .sparse = mode, .seed = seed});
//   batch = move_batch(batch, device);

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "engine/api/batch_source.h"
#include "engine/api/train_router.h"
#include "engine/train/span_attention.h"

namespace elastic::engine {

struct PackedBatch {
  std::int64_t tokens = 0;   // of the documents, without the rows that fill up blocks
  std::int64_t longest = 0;  // rows of the longest document
  std::vector<std::int64_t> documents_of_task;  // [tasks]
  at::Tensor ids;                               // int32 [rows]
  at::Tensor positions;                         // int64 [rows], within the document
  at::Tensor document;                          // int64 [rows]
  at::Tensor loss_rows, targets;                // int64 [n]: row whose logits predict `target`
  at::Tensor weights, answer_weights;  // fp32 [n]: of the loss; of the mean over answer tokens
  // With a sparse mode only: the keys that routers pool, document by document, and their shares.
  at::Tensor pool_rows;     // int64 [p]
  at::Tensor pool_weights;  // fp32 [documents, p]
  at::Tensor task;          // int64 [documents]
  at::Tensor task_mean;     // fp32 [tasks, documents]: 1 / documents of the task
  LayoutPtr layout;
};

struct PackOptions {
  LossOptions loss;
  std::int64_t tasks = 1;
  std::int64_t max_positions = 0;  // longest document the model takes
  std::int64_t vocab = 0;
  const HeadMode* sparse = nullptr;  // of routed heads; documents then fill whole blocks
  std::int64_t pool_rows = 100;      // at each end; 0: every key of the prompt
  std::uint64_t seed = 0;            // of the random rows of a mixed loss
};

/// Throws kCorrupt for an empty batch, a document without tokens, beyond the model's positions,
/// with ids outside the vocabulary, without its task or without any row that carries loss.
PackedBatch pack(const std::vector<TrainingDocument>& documents, const PackOptions& options);

PackedBatch move_batch(const PackedBatch& batch, at::Device device);

}  // namespace elastic::engine
