#include "engine/train/training_state.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/from_blob.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/error.h"
#include "engine/io/safetensors.h"

namespace elastic::engine {

void save_state(const std::filesystem::path& path, const StateHeader& header,
                const std::vector<Parameter>& tensors) {
  const std::string text = state_header_text(header);
  std::vector<at::Tensor> host;
  std::vector<TensorView> views;
  for (const Parameter& p : tensors) {
    host.push_back(p.tensor.detach().to(at::kCPU).contiguous());
    views.push_back(file_view(p.name, host.back()));
  }
  views.push_back({kStateHeader,
                   TensorType::kU8,
                   {static_cast<std::int64_t>(text.size())},
                   {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()}});
  write_safetensors(path, views);
}

StateHeader load_state(const std::filesystem::path& path, const std::string& options,
                       const std::vector<Parameter>& tensors) {
  const at::NoGradGuard off;
  const SafetensorsFile file(path);
  const StateHeader header = parse_state_header(file.at(kStateHeader), path.string());
  compare_state_options(path.string(), header.options, options);
  for (const Parameter& p : tensors) {
    const TensorView& view = file.at(p.name);
    if (p.tensor.sizes() != at::IntArrayRef(view.shape) || view.type != TensorType::kF32) {
      throw Error(
          ErrorKind::kCorrupt,
          fmt::format("{}: tensor `{}` has shape [{}], this run's has [{}]", path.string(), p.name,
                      fmt::join(view.shape, ", "), fmt::join(p.tensor.sizes(), ", ")));
    }
    const std::vector<float> values = float_values(view);
    at::Tensor target = p.tensor;
    target.copy_(at::from_blob(const_cast<float*>(values.data()), p.tensor.sizes(),
                               at::TensorOptions(at::kFloat)));
  }
  return header;
}

}  // namespace elastic::engine
