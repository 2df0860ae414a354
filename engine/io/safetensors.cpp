#include "engine/io/safetensors.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <limits>
#include <nlohmann/json.hpp>
#include <unordered_set>

#include "base/error.h"
#include "engine/io/dequantize.h"

namespace elastic::engine {
namespace {

constexpr std::uint64_t kMaxHeaderBytes = 100'000'000;  // the format's own limit
constexpr std::size_t kPrefixBytes = 8;
constexpr int kMaxHeaderDepth = 8;

// Sorted keys, so that a hostile header of a million names costs no more than its bytes.
using HeaderJson = nlohmann::json;

struct TypeRow {
  TensorType type;
  std::string_view name;
  std::size_t bytes;
};
constexpr std::array kTypes = {
    TypeRow{TensorType::kF64, "F64", 8}, TypeRow{TensorType::kF32, "F32", 4},
    TypeRow{TensorType::kF16, "F16", 2}, TypeRow{TensorType::kBF16, "BF16", 2},
    TypeRow{TensorType::kI64, "I64", 8}, TypeRow{TensorType::kI32, "I32", 4},
    TypeRow{TensorType::kI16, "I16", 2}, TypeRow{TensorType::kI8, "I8", 1},
    TypeRow{TensorType::kU8, "U8", 1},   TypeRow{TensorType::kBool, "BOOL", 1},
};

const TypeRow& row_of(TensorType type) {
  return *std::find_if(kTypes.begin(), kTypes.end(),
                       [&](const TypeRow& row) { return row.type == type; });
}

[[noreturn]] void corrupt(std::string_view source, std::string_view tensor,
                          const std::string& what) {
  throw Error(ErrorKind::kCorrupt, fmt::format("{}: tensor `{}`: {}", source, tensor, what));
}

// A value as it stands in the header, cut for the error text.
std::string brief(const HeaderJson& value) {
  constexpr std::size_t kLongest = 80;
  std::string text = value.dump(-1, ' ', true, HeaderJson::error_handler_t::replace);
  if (text.size() > kLongest) text = text.substr(0, kLongest) + "...";
  return text;
}

std::uint64_t non_negative(const HeaderJson& value, std::string_view source,
                           std::string_view tensor, std::string_view key) {
  if (!value.is_number_unsigned() ||
      value.get<std::uint64_t>() >
          static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) {
    corrupt(source, tensor,
            fmt::format("`{}` holds {}, not a whole number >= 0", key, brief(value)));
  }
  return value.get<std::uint64_t>();
}

std::vector<std::int64_t> parse_shape(const HeaderJson& value, std::string_view source,
                                      std::string_view tensor, std::uint64_t item,
                                      std::uint64_t& bytes) {
  if (!value.is_array()) corrupt(source, tensor, "`shape` is not an array");
  if (value.size() > 16) corrupt(source, tensor, fmt::format("{} dimensions", value.size()));
  std::vector<std::int64_t> shape;
  bytes = item;
  for (const HeaderJson& entry : value) {
    const std::uint64_t extent = non_negative(entry, source, tensor, "shape");
    if (extent != 0 && bytes > std::numeric_limits<std::int64_t>::max() / extent) {
      corrupt(source, tensor, fmt::format("shape {} overflows", brief(value)));
    }
    bytes *= extent;
    shape.push_back(static_cast<std::int64_t>(extent));
  }
  return shape;
}

TensorView parse_entry(const std::string& name, const HeaderJson& entry,
                       std::span<const std::uint8_t> data, std::string_view source) {
  if (!entry.is_object()) corrupt(source, name, "header entry is not an object");
  for (const char* key : {"dtype", "shape", "data_offsets"}) {
    if (!entry.contains(key)) corrupt(source, name, fmt::format("key `{}` is missing", key));
  }
  const HeaderJson& dtype = entry.at("dtype");
  const auto row = std::find_if(kTypes.begin(), kTypes.end(), [&](const TypeRow& candidate) {
    return dtype.is_string() && dtype.get_ref<const std::string&>() == candidate.name;
  });
  if (row == kTypes.end()) corrupt(source, name, fmt::format("unknown dtype {}", brief(dtype)));
  std::uint64_t bytes = 0;
  TensorView view{
      name, row->type, parse_shape(entry.at("shape"), source, name, row->bytes, bytes), {}};
  const HeaderJson& offsets = entry.at("data_offsets");
  if (!offsets.is_array() || offsets.size() != 2) {
    corrupt(source, name,
            fmt::format("`data_offsets` is {}, expected [begin, end]", brief(offsets)));
  }
  const std::uint64_t begin = non_negative(offsets[0], source, name, "data_offsets");
  const std::uint64_t end = non_negative(offsets[1], source, name, "data_offsets");
  if (begin > end || end > data.size()) {
    corrupt(source, name,
            fmt::format("bytes [{}, {}) lie outside the {} data bytes of the file", begin, end,
                        data.size()));
  }
  if (end - begin != bytes) {
    corrupt(source, name,
            fmt::format("bytes [{}, {}) do not hold shape {} of {} ({} bytes)", begin, end,
                        brief(entry.at("shape")), row->name, bytes));
  }
  view.bytes = data.subspan(begin, bytes);
  return view;
}

// Entries are checked and taken as they are parsed; a name seen twice would otherwise silently
// replace the first.
std::vector<TensorView> parse_header(std::string_view header, std::span<const std::uint8_t> data,
                                     std::string_view source) {
  std::vector<TensorView> tensors;
  std::unordered_set<std::string> seen;
  std::string name;
  bool is_object = false;
  using Event = HeaderJson::parse_event_t;
  const auto callback = [&](int depth, Event event, HeaderJson& parsed) {
    if (depth > kMaxHeaderDepth) corrupt(source, name, "header nested too deep");
    if (event == Event::object_start && depth == 0) is_object = true;
    if (depth != 1 || !is_object || event == Event::object_start || event == Event::array_start)
      return true;
    if (event == Event::key) {
      name = parsed.get<std::string>();
      if (!seen.insert(name).second) corrupt(source, name, "named twice in the header");
      return true;
    }
    if (name != "__metadata__") tensors.push_back(parse_entry(name, parsed, data, source));
    return false;
  };
  if (header.find('\0') != std::string_view::npos) {  // the parser would end there
    throw Error(ErrorKind::kCorrupt,
                fmt::format("{}: header is not JSON: it holds a zero byte", source));
  }
  try {
    const HeaderJson rest = HeaderJson::parse(header.begin(), header.end(), callback);
  } catch (const HeaderJson::exception& error) {
    throw Error(ErrorKind::kCorrupt,
                fmt::format("{}: header is not JSON: {}", source, error.what()));
  }
  if (!is_object) {
    throw Error(ErrorKind::kCorrupt, fmt::format("{}: the header is not a JSON object", source));
  }
  return tensors;
}

// Sorted by position, tensors must tile the data: an overlap or a
// hole means a broken writer or a cut file.
void check_tiling(std::vector<TensorView>& tensors, std::span<const std::uint8_t> data,
                  std::string_view source) {
  std::stable_sort(tensors.begin(), tensors.end(), [](const TensorView& a, const TensorView& b) {
    return std::pair(a.bytes.data(), a.bytes.size()) < std::pair(b.bytes.data(), b.bytes.size());
  });
  std::size_t position = 0;
  for (const TensorView& tensor : tensors) {
    const auto begin = static_cast<std::size_t>(tensor.bytes.data() - data.data());
    if (begin < position)
      corrupt(source, tensor.name, fmt::format("overlaps another tensor at byte {}", begin));
    if (begin > position) {
      corrupt(source, tensor.name,
              fmt::format("bytes [{}, {}) before it belong to no tensor", position, begin));
    }
    position = begin + tensor.bytes.size();
  }
  if (position != data.size()) {
    throw Error(
        ErrorKind::kCorrupt,
        fmt::format("{}: tensors end at data byte {} but the file holds {}: cut, padded or joined",
                    source, position, data.size()));
  }
}

template <typename Stored, typename Convert>
std::vector<float> widen(const TensorView& tensor, Convert convert) {
  std::vector<float> out(tensor.bytes.size() / sizeof(Stored));
  for (std::size_t i = 0; i < out.size(); ++i) {
    Stored value;
    std::memcpy(&value, tensor.bytes.data() + i * sizeof(Stored), sizeof(Stored));
    out[i] = convert(value);
  }
  return out;
}

}  // namespace

std::string_view to_string(TensorType type) { return row_of(type).name; }

std::size_t item_size(TensorType type) { return row_of(type).bytes; }

std::vector<TensorView> parse_safetensors(std::span<const std::uint8_t> bytes,
                                          std::string_view source) {
  if (bytes.size() < kPrefixBytes) {
    throw Error(ErrorKind::kCorrupt, fmt::format("{}: {} bytes are too few for a safetensors file",
                                                 source, bytes.size()));
  }
  std::uint64_t length = 0;
  for (std::size_t i = 0; i < kPrefixBytes; ++i) length |= std::uint64_t{bytes[i]} << (8 * i);
  if (length > kMaxHeaderBytes || length > bytes.size() - kPrefixBytes) {
    throw Error(ErrorKind::kCorrupt,
                fmt::format("{}: header of {} bytes does not fit a file of {} bytes", source,
                            length, bytes.size()));
  }
  const std::string_view header(reinterpret_cast<const char*>(bytes.data()) + kPrefixBytes, length);
  const auto data = bytes.subspan(kPrefixBytes + length);
  std::vector<TensorView> tensors = parse_header(header, data, source);
  check_tiling(tensors, data, source);
  return tensors;
}

SafetensorsFile::SafetensorsFile(const std::filesystem::path& path)
    : path_(path), map_(path), tensors_(parse_safetensors(map_.bytes(), path.string())) {
  for (std::size_t i = 0; i < tensors_.size(); ++i) index_.emplace(tensors_[i].name, i);
}

const TensorView* SafetensorsFile::find(std::string_view name) const {
  const auto it = index_.find(std::string(name));
  return it == index_.end() ? nullptr : &tensors_[it->second];
}

const TensorView& SafetensorsFile::at(std::string_view name) const {
  const TensorView* found = find(name);
  if (found == nullptr) {
    throw Error(ErrorKind::kCorrupt, fmt::format("{}: no tensor `{}`", path_.string(), name));
  }
  return *found;
}

std::vector<float> float_values(const TensorView& tensor) {
  switch (tensor.type) {
    case TensorType::kF64:
      return widen<double>(tensor, [](double v) { return static_cast<float>(v); });
    case TensorType::kF32:
      return widen<float>(tensor, [](float v) { return v; });
    case TensorType::kF16:
      return widen<std::uint16_t>(tensor, half_to_float);
    case TensorType::kBF16:
      return widen<std::uint16_t>(
          tensor, [](std::uint16_t v) { return std::bit_cast<float>(std::uint32_t{v} << 16); });
    default:
      break;
  }
  throw Error(ErrorKind::kCorrupt, fmt::format("tensor `{}` is {}, expected floating point",
                                               tensor.name, to_string(tensor.type)));
}

}  // namespace elastic::engine
