#include "engine/train/head_gates.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/clamp.h>
#include <ATen/ops/full.h>
#include <ATen/ops/sigmoid.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/file.h"
#include "base/json.h"

namespace elastic::engine {
namespace {

// Hard concrete distribution (sparse_attention spec 7).
constexpr double kTemperature = 2.0 / 3, kLow = -0.1, kHigh = 1.1;
// Where PruLong's gates start: 2 % of them are 0.
constexpr double kFirstLogAlpha = 2.5;

}  // namespace

HeadGates make_head_gates(const HeadOptions& options, const ModelConfig& config,
                          at::Device device) {
  const double first = options.method == HeadMethod::kDuo ? 1 : kFirstLogAlpha;
  return {options.method, at::full({config.layers, config.heads_kv}, first,
                                   at::TensorOptions(at::kFloat).device(device))
                              .set_requires_grad(true)};
}

at::Tensor sample_gates(const HeadGates& gates, const at::Tensor& noise) {
  if (gates.method == HeadMethod::kDuo) return gates.values;
  const at::Tensor logistic = noise.select(-1, 1) - noise.select(-1, 0);
  const at::Tensor s = at::sigmoid((logistic + gates.values) / kTemperature);
  return at::clamp(s * (kHigh - kLow) + kLow, 0, 1);
}

at::Tensor open_gates(const HeadGates& gates) {
  if (gates.method == HeadMethod::kDuo) return gates.values;
  return at::sigmoid(gates.values - kTemperature * std::log(-kLow / kHigh));
}

double ramped_target(const HeadOptions& options, std::int64_t step, std::int64_t steps) {
  const double end = options.ramp * static_cast<double>(steps);
  if (static_cast<double>(step) >= end) return options.target;
  return options.target * static_cast<double>(step) / end;
}

std::vector<double> final_gates(const HeadGates& gates, double target) {
  const at::Tensor host = gates.values.detach().to(at::kCPU, at::kDouble).contiguous();
  const std::vector<double> values(host.const_data_ptr<double>(),
                                   host.const_data_ptr<double>() + host.numel());
  std::vector<double> out(values.size());
  if (gates.method == HeadMethod::kDuo) {
    std::transform(values.begin(), values.end(), out.begin(),
                   [](double alpha) { return std::clamp(alpha, 0.0, 1.0); });
    return out;
  }
  std::vector<std::size_t> order(values.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return values[a] > values[b]; });
  order.resize(static_cast<std::size_t>(static_cast<double>(values.size()) * (1 - target)));
  for (const std::size_t kept : order) out[kept] = 1;
  return out;
}

void write_head_pattern(const HeadGates& gates, const HeadOptions& options,
                        const std::filesystem::path& folder) {
  const std::vector<double> values = final_gates(gates, options.target);
  const auto heads = static_cast<std::size_t>(gates.values.size(1));
  std::string text;
  for (std::size_t i = 0; i < values.size(); ++i) {
    text += fmt::format("{:.6g}{}", values[i], (i + 1) % heads == 0 ? '\n' : '\t');
  }
  create_folders(folder);
  const bool duo = gates.method == HeadMethod::kDuo;
  write_file_atomic(folder / (duo ? "full_attention_heads.tsv" : "masks.tsv"), text);
  write_file_atomic(folder / "config.json",
                    dump_pretty(Json{{"sink_size", options.sink}, {"recent_size", options.local}}));
}

}  // namespace elastic::engine
