#include "engine/train/packed_batch.h"

#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>
#include <fmt/format.h>

#include <algorithm>

#include "base/error.h"
#include "engine/train/noise.h"
#include "engine/train/upload.h"

namespace elastic::engine {
namespace {

[[noreturn]] void refuse(std::size_t document, const std::string& what) {
  throw Error(ErrorKind::kCorrupt, fmt::format("training document {}: {}", document, what));
}

void check_document(const TrainingDocument& d, std::size_t index, const PackOptions& options) {
  const auto tokens = static_cast<std::int64_t>(d.ids.size());
  if (tokens < 2) refuse(index, fmt::format("{} tokens, expected at least 2", tokens));
  if (tokens > options.max_positions) {
    refuse(index, fmt::format("{} tokens, the model takes {}", tokens, options.max_positions));
  }
  if (d.is_answer.size() != d.ids.size()) {
    refuse(index, fmt::format("{} answer marks for {} tokens", d.is_answer.size(), tokens));
  }
  if (d.prompt_tokens < 1 || d.prompt_tokens > tokens) {
    refuse(index, fmt::format("prompt of {} tokens in a document of {}", d.prompt_tokens, tokens));
  }
  if (d.task < 0 || d.task >= options.tasks) {
    refuse(index, fmt::format("task {}, expected 0 .. {}", d.task, options.tasks - 1));
  }
  for (const std::int32_t id : d.ids) {
    if (id < 0 || id >= options.vocab) {
      refuse(index, fmt::format("token id {} outside the vocabulary of {}", id, options.vocab));
    }
  }
}

// Host vectors under construction.
struct Rows {
  std::vector<std::int32_t> ids;
  std::vector<std::int64_t> positions, document, offsets{0}, tokens, pool, pool_counts;
  std::vector<std::int64_t> loss_rows, targets;
  std::vector<std::uint8_t> is_answer;  // of the loss rows
};

void add_pool_rows(Rows& rows, std::int64_t start, std::int64_t prompt, std::int64_t boundary) {
  const std::int64_t ends = std::min(boundary, prompt);
  if (boundary == 0) {
    for (std::int64_t t = 0; t < prompt; ++t) rows.pool.push_back(start + t);
  } else {
    for (std::int64_t t = 0; t < ends; ++t) rows.pool.push_back(start + t);
    for (std::int64_t t = prompt - ends; t < prompt; ++t) rows.pool.push_back(start + t);
  }
  rows.pool_counts.push_back(boundary == 0 ? prompt : 2 * ends);
}

void add_document(Rows& rows, const TrainingDocument& d, const PackOptions& options) {
  const std::int64_t start = rows.offsets.back();
  const auto tokens = static_cast<std::int64_t>(d.ids.size());
  const std::int64_t block = options.sparse != nullptr ? kMaskBlock : 1;
  const std::int64_t padded = (tokens + block - 1) / block * block;
  const auto index = static_cast<std::int64_t>(rows.offsets.size()) - 1;
  rows.ids.insert(rows.ids.end(), d.ids.begin(), d.ids.end());
  rows.ids.resize(static_cast<std::size_t>(start + padded), 0);
  for (std::int64_t t = 0; t < padded; ++t) rows.positions.push_back(t);
  rows.document.insert(rows.document.end(), static_cast<std::size_t>(padded), index);
  for (std::int64_t t = 0; t + 1 < tokens; ++t) {
    rows.loss_rows.push_back(start + t);
    rows.targets.push_back(d.ids[static_cast<std::size_t>(t + 1)]);
    rows.is_answer.push_back(d.is_answer[static_cast<std::size_t>(t + 1)] != 0);
  }
  if (options.sparse != nullptr) add_pool_rows(rows, start, d.prompt_tokens, options.pool_rows);
  rows.offsets.push_back(start + padded);
  rows.tokens.push_back(tokens);
}

// Drops the loss rows that the loss does not read.
void choose_loss_rows(Rows& rows, const PackOptions& options) {
  if (options.loss.lm == LossRows::kAll) return;
  const PlacedRandom random(options.seed);
  const double share = options.loss.lm == LossRows::kMix ? options.loss.other_share : 0;
  std::size_t kept = 0;
  for (std::size_t i = 0; i < rows.loss_rows.size(); ++i) {
    if (rows.is_answer[i] == 0 && random.uniform(i) >= share) continue;
    rows.loss_rows[kept] = rows.loss_rows[i];
    rows.targets[kept] = rows.targets[i];
    rows.is_answer[kept++] = rows.is_answer[i];
  }
  rows.loss_rows.resize(kept);
  rows.targets.resize(kept);
  rows.is_answer.resize(kept);
}

template <typename T>
at::Tensor tensor_of(const std::vector<T>& values, at::ScalarType type) {
  return at::tensor(at::ArrayRef<T>(values), at::TensorOptions(type));
}

void set_weights(PackedBatch& batch, const Rows& rows, const LossOptions& loss) {
  const auto count = static_cast<double>(rows.is_answer.size());
  const auto answers = static_cast<double>(
      std::count(rows.is_answer.begin(), rows.is_answer.end(), std::uint8_t{1}));
  const double answer_mean = answers > 0 ? 1 / answers : 0;
  double answer = answer_mean;
  double other = count > answers ? loss.other_weight / (count - answers) : 0;
  if (loss.lm == LossRows::kAll) answer = other = 1 / count;
  std::vector<float> weights, means;
  for (const std::uint8_t is_answer : rows.is_answer) {
    weights.push_back(static_cast<float>(is_answer != 0 ? answer : other));
    means.push_back(static_cast<float>(is_answer != 0 ? answer_mean : 0));
  }
  batch.weights = tensor_of(weights, at::kFloat);
  batch.answer_weights = tensor_of(means, at::kFloat);
}

void set_pooling(PackedBatch& batch, const Rows& rows) {
  const auto documents = static_cast<std::int64_t>(rows.pool_counts.size());
  const auto columns = static_cast<std::int64_t>(rows.pool.size());
  batch.pool_rows = tensor_of(rows.pool, at::kLong);
  batch.pool_weights = at::zeros({documents, columns}, at::TensorOptions(at::kFloat));
  float* weights = batch.pool_weights.data_ptr<float>();
  std::int64_t column = 0;
  for (std::int64_t d = 0; d < documents; ++d) {
    const std::int64_t count = rows.pool_counts[static_cast<std::size_t>(d)];
    std::fill_n(weights + d * columns + column, count, 1.0f / static_cast<float>(count));
    column += count;
  }
}

void set_tasks(PackedBatch& batch, const std::vector<TrainingDocument>& documents,
               std::int64_t tasks) {
  const auto count = static_cast<std::int64_t>(documents.size());
  batch.documents_of_task.assign(static_cast<std::size_t>(tasks), 0);
  std::vector<std::int64_t> task;
  for (const TrainingDocument& d : documents) {
    task.push_back(d.task);
    ++batch.documents_of_task[static_cast<std::size_t>(d.task)];
  }
  batch.task = tensor_of(task, at::kLong);
  batch.task_mean = at::zeros({tasks, count}, at::TensorOptions(at::kFloat));
  float* mean = batch.task_mean.data_ptr<float>();
  for (std::int64_t d = 0; d < count; ++d) {
    const std::int64_t t = task[static_cast<std::size_t>(d)];
    mean[t * count + d] =
        1.0f / static_cast<float>(batch.documents_of_task[static_cast<std::size_t>(t)]);
  }
}

}  // namespace

PackedBatch pack(const std::vector<TrainingDocument>& documents, const PackOptions& options) {
  if (documents.empty()) throw Error(ErrorKind::kCorrupt, "the training data gave an empty batch");
  Rows rows;
  PackedBatch batch;
  for (std::size_t i = 0; i < documents.size(); ++i) {
    check_document(documents[i], i, options);
    add_document(rows, documents[i], options);
    batch.tokens += static_cast<std::int64_t>(documents[i].ids.size());
    batch.longest = std::max(batch.longest, rows.offsets.back() - rows.offsets[i]);
  }
  choose_loss_rows(rows, options);
  if (rows.loss_rows.empty()) {
    throw Error(ErrorKind::kCorrupt,
                "no document of the batch has an answer token, and the loss reads nothing else");
  }
  batch.ids = tensor_of(rows.ids, at::kInt);
  batch.positions = tensor_of(rows.positions, at::kLong);
  batch.document = tensor_of(rows.document, at::kLong);
  batch.loss_rows = tensor_of(rows.loss_rows, at::kLong);
  batch.targets = tensor_of(rows.targets, at::kLong);
  set_weights(batch, rows, options.loss);
  if (options.sparse != nullptr) set_pooling(batch, rows);
  set_tasks(batch, documents, options.tasks);
  batch.layout = make_layout(rows.offsets, rows.tokens, options.sparse);
  return batch;
}

PackedBatch move_batch(const PackedBatch& batch, at::Device device) {
  if (device.is_cpu()) return batch;
  PackedBatch there = batch;
  for (at::Tensor* tensor :
       {&there.ids, &there.positions, &there.document, &there.loss_rows, &there.targets,
        &there.weights, &there.answer_weights, &there.pool_rows, &there.pool_weights, &there.task,
        &there.task_mean}) {
    *tensor = upload(*tensor, device);
  }
  there.layout = move_layout(batch.layout, device);
  return there;
}

}  // namespace elastic::engine
