#pragma once

// The GGUF file format, versions 2 and 3, little-endian: a header, metadata (typed values by key),
// a list of tensors, then their bytes. Files are memory-mapped and the lists are checked whole
// before anything is handed out: counts and strings must fit the file, names may occur once,
// tensors must lie inside the file, aligned and without overlap. Torch-free.
//
//   const GgufFile file("model.gguf");
//   file.get<std::string_view>("general.architecture");  // "llama"
//   file.find_tensor("token_embd.weight")->bytes;        // points into the map: keep `file`

#include <bit>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/file.h"

namespace elastic::engine {

/// Of metadata; values are the format's numbers.
enum class GgufType : std::uint32_t {
  kU8,
  kI8,
  kU16,
  kI16,
  kU32,
  kI32,
  kF32,
  kBool,
  kString,
  kArray,
  kU64,
  kI64,
  kF64
};

/// "u32", "string", ...
std::string_view to_string(GgufType type);
/// Bytes of a number or bool; 0 for strings and arrays.
std::size_t item_size(GgufType type);

struct GgufValue {
  GgufType type{};  // of the value, or of an array's elements
  bool is_array = false;
  std::uint64_t count = 1;
  std::span<const std::uint8_t> bytes;  // as stored, `count` elements; not aligned
  std::vector<std::string_view> texts;  // of kString
};

/// How a tensor's numbers are stored; values are the format's numbers.
enum class GgufTensorType : std::uint32_t {
  kF32 = 0,
  kF16 = 1,
  kQ4_0 = 2,
  kQ4_1 = 3,
  kQ5_0 = 6,
  kQ5_1 = 7,
  kQ8_0 = 8,
  kQ4_K = 12,
  kQ5_K = 13,
  kQ6_K = 14,
  kBF16 = 30
};

/// The format's own name ("F32", "Q4_K", ...).
std::string_view to_string(GgufTensorType type);

struct GgufBlock {  // of neighbours in a row that share their scales
  std::int64_t elements = 1, bytes = 0;
};
GgufBlock block_of(GgufTensorType type);

struct GgufTensor {
  std::string name;
  GgufTensorType type{};
  std::vector<std::int64_t> shape;      // row-major: the format's dimensions from last to first
  std::span<const std::uint8_t> bytes;  // rows of whole blocks

  std::int64_t elements() const;
};

class GgufFile {
 public:
  /// kNotFound, kIo, kCorrupt naming file and key or tensor, kUnsupported for another version, byte
  /// order or tensor type, and for one part of several.
  explicit GgufFile(const std::filesystem::path& path);

  /// The same from memory, which must outlive it; `source` names it in errors.
  GgufFile(std::span<const std::uint8_t> bytes, std::string source);

  const std::string& source() const { return source_; }  // the path
  /// By key.
  const std::map<std::string, GgufValue, std::less<>>& metadata() const { return metadata_; }
  /// In the order of their bytes.
  const std::vector<GgufTensor>& tensors() const { return tensors_; }
  /// nullptr where absent.
  const GgufTensor* find_tensor(std::string_view name) const;

  /// The value of a key, nothing where it is absent; kCorrupt naming file, key and type where it is
  /// of another kind. T: bool, std::int64_t (of any whole number), double (of any number),
  /// std::string_view, and vectors of the last three.
  template <typename T>
  std::optional<T> find(std::string_view key) const;
  /// kCorrupt where the key is absent.
  template <typename T>
  T get(std::string_view key) const;

 private:
  void parse(std::span<const std::uint8_t> bytes);
  [[noreturn]] void missing(std::string_view key) const;

  std::string source_;
  std::optional<MappedFile> map_;
  std::map<std::string, GgufValue, std::less<>> metadata_;
  std::vector<GgufTensor> tensors_;
  std::unordered_map<std::string, std::size_t> index_;
};

template <typename T>
T GgufFile::get(std::string_view key) const {
  std::optional<T> value = find<T>(key);
  if (!value) missing(key);
  return *std::move(value);
}

/// A number as the format stores it: little-endian, at any address.
template <typename T>
T stored_number(const std::uint8_t* bytes) {
  static_assert(std::endian::native == std::endian::little);
  T value;
  std::memcpy(&value, bytes, sizeof(T));
  return value;
}

/// Whether a model is given as such a file: by its ending, in any case of letters.
bool is_gguf(const std::filesystem::path& model);

}  // namespace elastic::engine
