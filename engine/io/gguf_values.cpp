// engine/io/gguf.h: typed access to metadata.

#include <fmt/format.h>

#include <type_traits>

#include "base/error.h"
#include "engine/io/gguf.h"

namespace elastic::engine {
namespace {

std::string kind_of(const GgufValue& value) {
  return fmt::format("{}{}", value.is_array ? "an array of " : "", to_string(value.type));
}

// f(address) for every element.
template <typename F>
void for_each_number(const GgufValue& value, const F& f) {
  const std::uint64_t size = item_size(value.type);
  for (std::uint64_t i = 0; i < value.count; ++i) f(value.bytes.data() + i * size);
}

bool is_whole(GgufType type) {
  return type <= GgufType::kI32 || type == GgufType::kU64 || type == GgufType::kI64;
}

// Nothing where it is no whole number of 63 bits.
std::optional<std::int64_t> whole_number(GgufType type, const std::uint8_t* at) {
  switch (type) {
    case GgufType::kU8:
      return *at;
    case GgufType::kI8:
      return stored_number<std::int8_t>(at);
    case GgufType::kU16:
      return stored_number<std::uint16_t>(at);
    case GgufType::kI16:
      return stored_number<std::int16_t>(at);
    case GgufType::kU32:
      return stored_number<std::uint32_t>(at);
    case GgufType::kI32:
      return stored_number<std::int32_t>(at);
    case GgufType::kI64:
      return stored_number<std::int64_t>(at);
    case GgufType::kU64:
      if (stored_number<std::int64_t>(at) >= 0) return stored_number<std::int64_t>(at);
      break;
    default:
      break;
  }
  return std::nullopt;
}

std::optional<double> any_number(GgufType type, const std::uint8_t* at) {
  if (type == GgufType::kF32) return stored_number<float>(at);
  if (type == GgufType::kF64) return stored_number<double>(at);
  const auto whole = whole_number(type, at);
  return whole ? std::optional(static_cast<double>(*whole)) : std::nullopt;
}

template <typename T>
struct IsVector : std::false_type {};
template <typename T>
struct IsVector<std::vector<T>> : std::true_type {};

template <typename T>
constexpr const char* kExpected = "a bool";
template <>
constexpr const char* kExpected<std::int64_t> = "a whole number";
template <>
constexpr const char* kExpected<double> = "a number";
template <>
constexpr const char* kExpected<std::string_view> = "a string";
template <>
constexpr const char* kExpected<std::vector<std::int64_t>> = "an array of whole numbers";
template <>
constexpr const char* kExpected<std::vector<double>> = "an array of numbers";
template <>
constexpr const char* kExpected<std::vector<std::string_view>> = "an array of strings";

// All elements as T; nothing where the value is of another kind.
template <typename T>
std::optional<std::vector<T>> elements_of(const GgufValue& value) {
  if constexpr (std::is_same_v<T, std::string_view>) {
    if (value.type != GgufType::kString) return std::nullopt;
    return value.texts;
  } else {
    const bool flag = std::is_same_v<T, bool>, whole = std::is_same_v<T, std::int64_t>;
    if (value.type == GgufType::kString || flag != (value.type == GgufType::kBool) ||
        (whole && !is_whole(value.type))) {
      return std::nullopt;
    }
    std::vector<T> list;
    bool good = true;
    for_each_number(value, [&](const std::uint8_t* at) {
      if constexpr (std::is_same_v<T, bool>) {
        list.push_back(*at != 0);
      } else if constexpr (std::is_same_v<T, double>) {
        const auto number = any_number(value.type, at);
        good = good && number.has_value();
        list.push_back(number.value_or(0));
      } else {
        const auto number = whole_number(value.type, at);
        good = good && number.has_value();
        list.push_back(number.value_or(0));
      }
    });
    return good ? std::optional(std::move(list)) : std::nullopt;
  }
}

}  // namespace

void GgufFile::missing(std::string_view key) const {
  throw Error(ErrorKind::kCorrupt, fmt::format("{}: key `{}` is missing", source_, key));
}

template <typename T>
std::optional<T> GgufFile::find(std::string_view key) const {
  const auto it = metadata_.find(key);
  if (it == metadata_.end()) return std::nullopt;
  const GgufValue& value = it->second;
  if (value.is_array == IsVector<T>::value) {
    if constexpr (IsVector<T>::value) {
      if (auto list = elements_of<typename T::value_type>(value)) return list;
    } else {
      if (const auto list = elements_of<T>(value)) return list->front();
    }
  }
  throw Error(ErrorKind::kCorrupt, fmt::format("{}: `{}` is {}, expected {}", source_, key,
                                               kind_of(value), kExpected<T>));
}

template std::optional<bool> GgufFile::find(std::string_view) const;
template std::optional<std::int64_t> GgufFile::find(std::string_view) const;
template std::optional<double> GgufFile::find(std::string_view) const;
template std::optional<std::string_view> GgufFile::find(std::string_view) const;
template std::optional<std::vector<std::int64_t>> GgufFile::find(std::string_view) const;
template std::optional<std::vector<double>> GgufFile::find(std::string_view) const;
template std::optional<std::vector<std::string_view>> GgufFile::find(std::string_view) const;

}  // namespace elastic::engine
