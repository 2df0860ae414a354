#pragma once

// AdamW over groups of parameters with one step count, one fused kernel a group, the global
// gradient clip on the device: no wait for it inside a step.
//
//   Optimizer optimizer({{.parameters = router, .lr = 5e-4, .weight_decay = .1}, ...}, options);
//   loss.backward();
//   const at::Tensor norm = optimizer.step(rate_factor(options, step, steps));

#include <ATen/core/Tensor.h>

#include <vector>

#include "engine/api/train_router.h"
#include "engine/train/parameters.h"

namespace elastic::engine {

struct ParameterGroup {
  std::vector<Parameter> parameters;
  double lr = 0;
  double weight_decay = 0;
  bool ascend = false;  // the parameters climb their gradient
};

class Optimizer {
 public:
  Optimizer(std::vector<ParameterGroup> groups, const OptimizerOptions& options);

  /// One update with every rate times `factor`; parameters without a gradient have a zero one.
  /// Clears the gradients. Returns the gradient norm before the clip (scalar on the device).
  at::Tensor step(double factor);

  /// Gradients of all parameters in order, zero where there was none; the live ones.
  std::vector<at::Tensor> gradients();

  /// Named tensors that a resumed run needs: parameters and both moments. They are the live ones.
  std::vector<Parameter> state() const;
  /// Steps done so far, as the bias correction counts them.
  void set_steps(double steps);

 private:
  struct Moments {
    std::vector<at::Tensor> first, second;
  };
  std::vector<ParameterGroup> groups_;
  std::vector<Moments> moments_;
  OptimizerOptions options_;
  at::Tensor steps_;  // fp32 scalar on the device, shared by all parameters
};

}  // namespace elastic::engine
