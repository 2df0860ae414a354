#pragma once

// Bytes of a GGUF file, right or wrong: keys and tensors in the order they are added, every count
// and offset open to change.
//
//   GgufWriter gguf;
//   gguf.text("general.architecture", "llama");
//   gguf.tensor("output_norm.weight", {8}, 0, std::string(32, '\0'));
//   write_file(folder / "x.gguf", gguf.bytes());

#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace elastic::testing {

/// Numbers of the format's types of tensors.
inline constexpr std::uint32_t kGgufF32 = 0, kGgufF16 = 1, kGgufQ8_0 = 8;

class GgufWriter {
 public:
  /// Numbers of the format's value types.
  enum Type : std::uint32_t {
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

  std::string magic = "GGUF";
  std::uint32_t version = 3;
  std::optional<std::uint64_t> keys, tensors;  // instead of how many there are
  std::uint64_t alignment = 32;

  template <typename T>
  static std::string raw(T value) {
    std::string bytes(sizeof(T), '\0');
    std::memcpy(bytes.data(), &value, sizeof(T));
    return bytes;
  }
  static std::string string(std::string_view text) {
    return raw<std::uint64_t>(text.size()) + std::string(text);
  }

  /// A key with the bytes of its value, whatever they are.
  void value(std::string_view key, std::uint32_t type, std::string_view bytes) {
    key_bytes_ += string(key) + raw(type) + std::string(bytes);
    ++key_count_;
  }
  void text(std::string_view key, std::string_view text) { value(key, kString, string(text)); }
  void u32(std::string_view key, std::uint32_t number) { value(key, kU32, raw(number)); }
  void f32(std::string_view key, float number) { value(key, kF32, raw(number)); }
  void flag(std::string_view key, bool on) { value(key, kBool, std::string(1, on ? '\1' : '\0')); }
  void texts(std::string_view key, const std::vector<std::string>& list) {
    std::string bytes = raw<std::uint32_t>(kString) + raw<std::uint64_t>(list.size());
    for (const std::string& text : list) bytes += string(text);
    value(key, kArray, bytes);
  }
  template <typename T>
  void numbers(std::string_view key, std::uint32_t type, const std::vector<T>& list) {
    std::string bytes = raw(type) + raw<std::uint64_t>(list.size());
    for (const T number : list) bytes += raw(number);
    value(key, kArray, bytes);
  }

  /// `extents` as the format has them, the row's length first. At `offset`, else behind the tensors
  /// before it.
  void tensor(std::string_view name, const std::vector<std::uint64_t>& extents, std::uint32_t type,
              std::string_view bytes, std::optional<std::uint64_t> offset = std::nullopt) {
    pad(data_);
    tensor_bytes_ += string(name) + raw(static_cast<std::uint32_t>(extents.size()));
    for (const std::uint64_t extent : extents) tensor_bytes_ += raw(extent);
    tensor_bytes_ += raw(type) + raw(offset.value_or(data_.size()));
    data_ += bytes;
    ++tensor_count_;
  }

  std::string bytes() const {
    std::string all = magic + raw(version) + raw(tensors.value_or(tensor_count_)) +
                      raw(keys.value_or(key_count_)) + key_bytes_ + tensor_bytes_;
    if (tensor_count_ > 0) pad(all);
    return all + data_;
  }

 private:
  void pad(std::string& bytes) const {
    bytes.resize((bytes.size() + alignment - 1) / alignment * alignment);
  }

  std::string key_bytes_, tensor_bytes_, data_;
  std::uint64_t key_count_ = 0, tensor_count_ = 0;
};

}  // namespace elastic::testing
