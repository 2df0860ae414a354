#include "engine/train/curves.h"

#include <ATen/ops/cat.h>
#include <ATen/ops/stack.h>
#include <fmt/format.h>

#include <charconv>
#include <cmath>

#include "base/csv.h"
#include "base/error.h"
#include "base/file.h"

namespace elastic::engine {
namespace {

constexpr std::size_t kCommon = 3, kRouted = 3;  // loss lm answer; reg msr entropy
constexpr std::size_t kMsr = 4;                  // among them

std::string header(const std::vector<TrainingTask>& tasks, bool routed) {
  std::string line = "step,tokens,lr,loss,lm,answer,gradient_norm";
  if (routed) {
    line += ",tau,reg,msr,entropy";
    for (const char* name : {"msr", "lambda1", "lambda2"}) {
      for (const TrainingTask& task : tasks) line += "," + csv_field(name + ("." + task.name));
    }
  }
  return line + "\n";
}

// Rows of steps before `first_step`.
std::string kept_rows(const std::string& text, std::int64_t first_step) {
  std::string kept;
  std::size_t start = text.find('\n');
  start = start == std::string::npos ? text.size() : start + 1;
  while (start < text.size()) {
    const std::size_t end = text.find('\n', start);
    if (end == std::string::npos) break;  // torn
    std::int64_t step = 0;
    const auto parsed = std::from_chars(text.data() + start, text.data() + end, step);
    if (parsed.ec != std::errc() || step >= first_step) break;
    kept.append(text, start, end + 1 - start);
    start = end + 1;
  }
  return kept;
}

}  // namespace

at::Tensor step_values(const Objective& o) {
  std::vector<at::Tensor> scalars{o.total.detach(), o.lm, o.answer};
  const Regularization& r = o.regularization;
  if (!r.total.defined()) return at::stack(scalars);
  for (const at::Tensor& value : {r.total.detach(), r.msr, o.entropy}) scalars.push_back(value);
  for (at::Tensor& value : scalars) value = value.to(at::kFloat);
  return at::cat({at::stack(scalars), r.task_msr.to(at::kFloat)});
}

Curves::Curves(std::filesystem::path path, const std::vector<TrainingTask>& tasks, bool routed,
               std::int64_t first_step)
    : path_(std::move(path)), tasks_(tasks.size()), routed_(routed) {
  if (path_.empty()) return;
  std::string text = header(tasks, routed);
  std::error_code error;
  if (first_step > 0 && std::filesystem::exists(path_, error)) {
    text += kept_rows(read_file(path_), first_step);
  }
  write_file_atomic(path_, text);
}

std::string Curves::row(const StepRecord& r, const float* values) const {
  const auto mean = [&](std::size_t i) { return values[i] / static_cast<float>(r.batches); };
  const std::size_t summed = static_cast<std::size_t>(r.values.numel());
  std::string line = fmt::format("{},{},{:.6g},{:.9g},{:.9g},{:.9g},{:.6g}", r.step, r.tokens, r.lr,
                                 mean(0), mean(1), mean(2), values[summed]);
  if (routed_) {
    line += fmt::format(",{:.6g},{:.9g},{:.6g},{:.6g}", r.tau, mean(3), mean(4), mean(5));
    for (std::size_t t = 0; t < tasks_; ++t) {
      const std::int64_t batches = r.batches_of_task[t];
      line +=
          batches == 0
              ? std::string(",")
              : fmt::format(",{:.6g}", values[kCommon + kRouted + t] / static_cast<float>(batches));
    }
    for (std::size_t i = 0; i < 2 * tasks_; ++i) {
      line += fmt::format(",{:.9g}", values[summed + 1 + i]);
    }
  }
  return line + "\n";
}

StepNumbers Curves::flush() {
  if (open_.empty()) return last_;
  std::vector<at::Tensor> rows;
  for (const StepRecord& r : open_) {
    std::vector<at::Tensor> parts{r.values, r.gradient_norm.to(at::kFloat).view({1})};
    if (r.multipliers.defined()) parts.push_back(r.multipliers.to(at::kFloat));
    rows.push_back(at::cat(parts));
  }
  const at::Tensor host = at::stack(rows).to(at::kCPU).contiguous();  // waits for the device
  std::string text;
  std::int64_t bad = -1;
  for (std::size_t i = 0; i < open_.size() && bad < 0; ++i) {
    const float* values =
        host.const_data_ptr<float>() + static_cast<std::int64_t>(i) * host.size(1);
    const auto norm = static_cast<std::size_t>(open_[i].values.numel());
    text += row(open_[i], values);
    if (!std::isfinite(values[0]) || !std::isfinite(values[norm])) bad = open_[i].step;
    const auto batches = static_cast<float>(open_[i].batches);
    last_ = {values[0] / batches, routed_ ? values[kMsr] / batches : 0};
  }
  open_.clear();
  if (!path_.empty()) AppendFile(path_).append(text);
  if (bad >= 0) {
    throw Error(ErrorKind::kInvalidArgument,
                fmt::format("step {}: the loss or its gradient is not a number; lower the learning "
                            "rate or the clip, or look at the data of this step",
                            bad));
  }
  return last_;
}

}  // namespace elastic::engine
