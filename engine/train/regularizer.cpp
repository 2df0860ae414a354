#include "engine/train/regularizer.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/tensor.h>
#include <fmt/format.h>

#include <algorithm>

#include "base/error.h"
#include "engine/train/noise.h"

namespace elastic::engine {

Multipliers make_multipliers(const std::vector<TrainingTask>& tasks,
                             const RegularizerOptions& options, std::uint64_t seed,
                             at::Device device) {
  std::vector<float> first, second, targets;
  const PlacedRandom random(mix_seed({seed, 3}));
  for (std::size_t i = 0; i < tasks.size(); ++i) {
    const double target = tasks[i].target_sparsity;
    if (!(target >= 0 && target <= 1)) {
      throw Error(ErrorKind::kInvalidArgument,
                  fmt::format("training task `{}`: target sparsity {} lies outside 0 .. 1",
                              tasks[i].name, target));
    }
    first.push_back(static_cast<float>(options.initial * random.uniform(2 * i)));
    second.push_back(static_cast<float>(options.initial * random.uniform(2 * i + 1)));
    targets.push_back(static_cast<float>(target));
  }
  const auto make = [&](const std::vector<float>& values) {
    return at::tensor(values, at::TensorOptions(at::kFloat)).to(device);
  };
  return {make(first).set_requires_grad(true), make(second).set_requires_grad(true), make(targets)};
}

Regularization regularize(const Multipliers& multipliers, const at::Tensor& gates,
                          const PackedBatch& batch, bool signed_form) {
  const auto present = static_cast<double>(std::count_if(batch.documents_of_task.begin(),
                                                         batch.documents_of_task.end(),
                                                         [](std::int64_t n) { return n > 0; }));
  const auto per_document = [&](const at::Tensor& per_task) {
    return per_task.index_select(0, batch.task);
  };
  const at::Tensor msr = 1 - gates.mean(at::IntArrayRef({0, 2}));  // [documents]
  const at::Tensor d = msr - per_document(multipliers.targets);
  const at::Tensor reg = per_document(multipliers.lambda1) * (signed_form ? d : d.abs()) +
                         per_document(multipliers.lambda2) * d * d;
  const auto task_means = [&](const at::Tensor& per_document_value) {
    return at::matmul(batch.task_mean.to(per_document_value.scalar_type()), per_document_value);
  };
  return {task_means(reg).sum() / present, task_means(msr.detach()), msr.detach().mean()};
}

}  // namespace elastic::engine
