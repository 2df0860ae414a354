#pragma once

// The weights of a model as tensors by Hugging Face's names: of a folder, model.safetensors, else
// the shards that model.safetensors.index.json lists, else every *.safetensors; or of a GGUF file,
// dequantised. Files stay mapped for as long as a tensor that was handed out without a copy lives.
//
//   const Checkpoint checkpoint("models/demo");
//   at::Tensor w = checkpoint.load("model.norm.weight", {256}, at::kFloat, at::kCPU);

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace elastic::engine {

class Checkpoint {
 public:
  /// kNotFound where the folder holds no weights, kCorrupt naming file and tensor; of a GGUF file
  /// as gguf_weights().
  explicit Checkpoint(const std::filesystem::path& model);
  /// The one file of the folder, whatever else lies there.
  Checkpoint(const std::filesystem::path& folder, const std::string& file);

  /// Or the GGUF file.
  const std::filesystem::path& folder() const { return folder_; }
  bool contains(std::string_view name) const;
  /// Of all tensors, sorted.
  std::vector<std::string> names() const;
  /// kCorrupt naming folder and tensor where absent.
  const std::vector<std::int64_t>& shape(std::string_view name) const;

  /// The tensor in `dtype` on `device`; a CPU tensor of the stored dtype is the mapped bytes
  /// themselves and must not be written to. kCorrupt where its shape is not `shape`, kUnsupported
  /// where it is not F32, F16 or BF16.
  at::Tensor load(std::string_view name, at::IntArrayRef shape, at::ScalarType dtype,
                  at::Device device) const;

  /// Weight files in name order.
  std::vector<std::filesystem::path> files() const;
  /// SHA-256 over the bytes of files(), one after the other. Throws Interrupted after a signal.
  std::string sha256() const;

 private:
  struct Entry {
    std::filesystem::path file;
    std::vector<std::int64_t> shape;
    std::function<at::Tensor()> read;  // in its stored type, fp32 where dequantised; on the CPU
  };
  const Entry& entry(std::string_view name) const;
  void add_folder(const std::filesystem::path& folder);
  void add_file(const std::string& name);
  void add_gguf();
  void read_index(const std::filesystem::path& path);

  std::filesystem::path folder_;
  std::vector<std::filesystem::path> files_;
  std::unordered_map<std::string, Entry> entries_;
};

}  // namespace elastic::engine
