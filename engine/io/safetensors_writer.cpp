#include "engine/api/tensor_file.h"

#include <numeric>
#include <vector>

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "engine/io/safetensors.h"

namespace elastic::engine {
namespace {

namespace fs = std::filesystem;

std::size_t element_count(const std::vector<std::int64_t>& shape) {
  return static_cast<std::size_t>(
      std::accumulate(shape.begin(), shape.end(), std::int64_t{1}, std::multiplies<>()));
}

}  // namespace

void write_safetensors(const fs::path& path, std::span<const TensorView> tensors) {
  Json header = Json::object();
  header["__metadata__"] = {{"format", "pt"}};
  std::uint64_t position = 0;
  for (const TensorView& tensor : tensors) {
    check(element_count(tensor.shape) * item_size(tensor.type) == tensor.bytes.size(),
          "tensor values fill the shape");
    const std::uint64_t end = position + tensor.bytes.size();
    header[tensor.name] = {{"dtype", to_string(tensor.type)},
                           {"shape", tensor.shape},
                           {"data_offsets", {position, end}}};
    position = end;
  }
  std::string text = header.dump();
  text.append((8 - text.size() % 8) % 8, ' ');  // data aligned for mapped readers
  const auto length = static_cast<std::uint64_t>(text.size());
  AtomicFile file(path);
  char prefix[8];
  for (int i = 0; i < 8; ++i) prefix[i] = static_cast<char>((length >> (8 * i)) & 0xff);
  file.write({prefix, sizeof prefix});
  file.write(text);
  for (const TensorView& tensor : tensors) {
    file.write({reinterpret_cast<const char*>(tensor.bytes.data()), tensor.bytes.size()});
  }
  file.commit();
}

void write_tensors(const fs::path& path, std::span<const NamedTensor> tensors) {
  std::vector<TensorView> views;
  for (const NamedTensor& tensor : tensors) {
    views.push_back({tensor.name,
                     TensorType::kF32,
                     tensor.shape,
                     {reinterpret_cast<const std::uint8_t*>(tensor.values.data()),
                      tensor.values.size() * sizeof(float)}});
  }
  write_safetensors(path, views);
}

}  // namespace elastic::engine
