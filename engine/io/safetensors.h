#pragma once

// The safetensors file format: eight bytes of header length (little-endian), a JSON header that
// gives dtype, shape and byte range of every tensor, then the bytes. Files are memory-mapped and
// the header is checked whole before anything is handed out: ranges must lie inside the file,
// follow each other without overlap or hole, and agree with shape x dtype. Torch-free.
//
//   const SafetensorsFile file("model.safetensors");
//   const TensorView& w = file.at("model.norm.weight");  // points into the map: keep `file`

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/file.h"

namespace elastic::engine {

enum class TensorType { kF64, kF32, kF16, kBF16, kI64, kI32, kI16, kI8, kU8, kBool };

/// The format's own name ("F32", "BF16", ...).
std::string_view to_string(TensorType type);
std::size_t item_size(TensorType type);

struct TensorView {
  std::string name;
  TensorType type = TensorType::kF32;
  std::vector<std::int64_t> shape;      // empty = scalar
  std::span<const std::uint8_t> bytes;  // row-major, little-endian; not necessarily aligned
};

class SafetensorsFile {
 public:
  /// kNotFound, kIo, or kCorrupt naming the file, the tensor and what is wrong with it.
  explicit SafetensorsFile(const std::filesystem::path& path);

  const std::filesystem::path& path() const { return path_; }
  /// In the order of their bytes.
  const std::vector<TensorView>& tensors() const { return tensors_; }
  /// nullptr where absent.
  const TensorView* find(std::string_view name) const;
  /// kCorrupt naming file and tensor where absent.
  const TensorView& at(std::string_view name) const;

 private:
  std::filesystem::path path_;
  MappedFile map_;
  std::vector<TensorView> tensors_;
  std::unordered_map<std::string, std::size_t> index_;
};

/// The checked tensor list of a whole file's bytes; `source` names it in errors.
std::vector<TensorView> parse_safetensors(std::span<const std::uint8_t> bytes,
                                          std::string_view source);

/// Values of F64, F32, F16 or BF16 as float; kCorrupt for integers.
std::vector<float> float_values(const TensorView& tensor);

/// Writes the tensors in order, beside the target, synced, then renamed: the old file or the new
/// one, never a part. kIo naming the path and the reason.
void write_safetensors(const std::filesystem::path& path, std::span<const TensorView> tensors);

}  // namespace elastic::engine
