#include "engine/train/training_state.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/from_blob.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/error.h"
#include "base/json.h"
#include "engine/io/safetensors.h"

namespace elastic::engine {
namespace {

constexpr const char* kHeader = "header";  // U8: JSON text

// Names the first option that differs; both are flat JSON objects.
void compare_options(const std::filesystem::path& path, const std::string& stored,
                     const std::string& wanted) {
  if (stored == wanted) return;
  const Json before = parse_json(stored, path.string()), now = parse_json(wanted, "options");
  for (const auto& [key, value] : now.items()) {
    const Json old = before.contains(key) ? before[key] : Json();
    if (old == value) continue;
    throw Error(ErrorKind::kInvalidArgument,
                fmt::format("{}: was trained with `{}` {}, now it is {}; resume with the same "
                            "options or choose another output folder",
                            path.string(), key, dump_line(old), dump_line(value)));
  }
  throw Error(ErrorKind::kInvalidArgument,
              fmt::format("{}: was trained with other options: {}", path.string(), stored));
}

}  // namespace

void save_state(const std::filesystem::path& path, const StateHeader& header,
                const std::vector<Parameter>& tensors) {
  const std::string text =
      Json{{"step", header.step}, {"tokens", header.tokens}, {"options", header.options}}.dump();
  std::vector<at::Tensor> host;
  std::vector<TensorView> views;
  for (const Parameter& p : tensors) {
    host.push_back(p.tensor.detach().to(at::kCPU).contiguous());
    views.push_back(file_view(p.name, host.back()));
  }
  views.push_back({kHeader,
                   TensorType::kU8,
                   {static_cast<std::int64_t>(text.size())},
                   {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()}});
  write_safetensors(path, views);
}

StateHeader load_state(const std::filesystem::path& path, const std::string& options,
                       const std::vector<Parameter>& tensors) {
  const at::NoGradGuard off;
  const SafetensorsFile file(path);
  const TensorView& text = file.at(kHeader);
  const Json json = parse_json(
      {reinterpret_cast<const char*>(text.bytes.data()), text.bytes.size()}, path.string());
  const JsonSource source{json, path.string()};
  compare_options(path, json_get<std::string>(source, "options"), options);
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
  return {json_get<std::int64_t>(source, "step"), json_get<std::int64_t>(source, "tokens"),
          options};
}

}  // namespace elastic::engine
