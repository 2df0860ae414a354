#include "engine/io/gguf.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <limits>

#include "base/error.h"
#include "base/text.h"
#include "base/unicode.h"
#include "base/utf8.h"

namespace elastic::engine {
namespace {

constexpr std::string_view kMagic = "GGUF";
constexpr std::uint32_t kOldest = 2, kNewest = 3;
constexpr std::uint32_t kMaxDimensions = 4;
constexpr std::uint64_t kDefaultAlignment = 32;
constexpr const char* kAlignment = "general.alignment";
constexpr const char* kParts = "split.count";
// Least bytes of an entry: an empty name with a value of one byte, a tensor without a name.
constexpr std::uint64_t kLeastKey = 13, kLeastTensor = 32;

struct ValueTypeRow {
  GgufType type;
  std::string_view name;
  std::size_t bytes;  // 0: strings and arrays
};
constexpr std::array kValueTypes = {
    ValueTypeRow{GgufType::kU8, "u8", 1},         ValueTypeRow{GgufType::kI8, "i8", 1},
    ValueTypeRow{GgufType::kU16, "u16", 2},       ValueTypeRow{GgufType::kI16, "i16", 2},
    ValueTypeRow{GgufType::kU32, "u32", 4},       ValueTypeRow{GgufType::kI32, "i32", 4},
    ValueTypeRow{GgufType::kF32, "f32", 4},       ValueTypeRow{GgufType::kBool, "bool", 1},
    ValueTypeRow{GgufType::kString, "string", 0}, ValueTypeRow{GgufType::kArray, "array", 0},
    ValueTypeRow{GgufType::kU64, "u64", 8},       ValueTypeRow{GgufType::kI64, "i64", 8},
    ValueTypeRow{GgufType::kF64, "f64", 8},
};

struct TensorTypeRow {
  GgufTensorType type;
  std::string_view name;
  GgufBlock block;
};
constexpr std::array kTensorTypes = {
    TensorTypeRow{GgufTensorType::kF32, "F32", {1, 4}},
    TensorTypeRow{GgufTensorType::kF16, "F16", {1, 2}},
    TensorTypeRow{GgufTensorType::kBF16, "BF16", {1, 2}},
    TensorTypeRow{GgufTensorType::kQ8_0, "Q8_0", {32, 34}},
    TensorTypeRow{GgufTensorType::kQ4_0, "Q4_0", {32, 18}},
    TensorTypeRow{GgufTensorType::kQ4_1, "Q4_1", {32, 20}},
    TensorTypeRow{GgufTensorType::kQ5_0, "Q5_0", {32, 22}},
    TensorTypeRow{GgufTensorType::kQ5_1, "Q5_1", {32, 24}},
    TensorTypeRow{GgufTensorType::kQ4_K, "Q4_K", {256, 144}},
    TensorTypeRow{GgufTensorType::kQ5_K, "Q5_K", {256, 176}},
    TensorTypeRow{GgufTensorType::kQ6_K, "Q6_K", {256, 210}},
};

// Types of the format that nothing here dequantises.
struct OtherType {
  std::uint32_t number;
  std::string_view name;
};
constexpr std::array kOtherTypes = {
    OtherType{9, "Q8_1"},     OtherType{10, "Q2_K"},    OtherType{11, "Q3_K"},
    OtherType{15, "Q8_K"},    OtherType{16, "IQ2_XXS"}, OtherType{17, "IQ2_XS"},
    OtherType{18, "IQ3_XXS"}, OtherType{19, "IQ1_S"},   OtherType{20, "IQ4_NL"},
    OtherType{21, "IQ3_S"},   OtherType{22, "IQ2_S"},   OtherType{23, "IQ4_XS"},
    OtherType{24, "I8"},      OtherType{25, "I16"},     OtherType{26, "I32"},
    OtherType{27, "I64"},     OtherType{28, "F64"},     OtherType{29, "IQ1_M"},
    OtherType{34, "TQ1_0"},   OtherType{35, "TQ2_0"},   OtherType{39, "MXFP4"},
};

const TensorTypeRow& row_of(GgufTensorType type) {
  return *std::find_if(kTensorTypes.begin(), kTensorTypes.end(),
                       [&](const TensorTypeRow& row) { return row.type == type; });
}

const ValueTypeRow& row_of(GgufType type) { return kValueTypes[static_cast<std::size_t>(type)]; }

// Takes the file apart from the front; what it reads is named in errors.
class Reader {
 public:
  Reader(std::span<const std::uint8_t> bytes, const std::string& source)
      : bytes_(bytes), source_(source) {}

  std::uint64_t position() const { return at_; }
  std::uint64_t left() const { return bytes_.size() - at_; }

  [[noreturn]] void corrupt(const std::string& what) const {
    throw Error(ErrorKind::kCorrupt, fmt::format("{}: {}", source_, what));
  }
  [[noreturn]] void unsupported(const std::string& what) const {
    throw Error(ErrorKind::kUnsupported, fmt::format("{}: {}", source_, what));
  }

  std::span<const std::uint8_t> take(std::uint64_t count, std::string_view what) {
    if (count > left()) {
      corrupt(
          fmt::format("{} takes {} bytes at byte {}, and the file ends at {}: cut off, or no "
                      "GGUF file",
                      what, count, at_, bytes_.size()));
    }
    const auto taken = bytes_.subspan(at_, count);
    at_ += count;
    return taken;
  }

  template <typename T>
  T number(std::string_view what) {
    return stored_number<T>(take(sizeof(T), what).data());
  }

  std::string_view text(std::string_view what) {
    const auto length = number<std::uint64_t>(fmt::format("length of {}", what));
    const auto taken = take(length, what);
    const std::string_view found(reinterpret_cast<const char*>(taken.data()), taken.size());
    if (valid_utf8_prefix(found) != found.size()) corrupt(fmt::format("{} is not UTF-8", what));
    return found;
  }

 private:
  std::span<const std::uint8_t> bytes_;
  const std::string& source_;
  std::uint64_t at_ = 0;
};

void read_magic(Reader& in) {
  const auto magic = in.take(kMagic.size(), "the magic number");
  if (std::memcmp(magic.data(), kMagic.data(), kMagic.size()) != 0) {
    in.corrupt(fmt::format("begins with `{}`, not with `{}`: no GGUF file",
                           visible({reinterpret_cast<const char*>(magic.data()), magic.size()}),
                           kMagic));
  }
  const auto version = in.number<std::uint32_t>("the version");
  if (version >= kOldest && version <= kNewest) return;
  if ((version & 0xFFFFU) == 0) {
    in.unsupported("is big-endian; only little-endian files are read: convert the model again");
  }
  in.unsupported(fmt::format("is of GGUF version {}; known: {}, {}", version, kOldest, kNewest));
}

GgufType read_type(Reader& in, std::string_view what) {
  const auto number = in.number<std::uint32_t>(fmt::format("type of {}", what));
  if (number >= kValueTypes.size()) {
    in.corrupt(fmt::format("{} has the unknown type {}", what, number));
  }
  return static_cast<GgufType>(number);
}

GgufValue read_value(Reader& in, std::string_view what) {
  GgufValue value{.type = read_type(in, what)};
  if (value.type == GgufType::kArray) {
    value.is_array = true;
    value.type = read_type(in, fmt::format("elements of {}", what));
    if (value.type == GgufType::kArray) in.unsupported(fmt::format("{} holds arrays", what));
    value.count = in.number<std::uint64_t>(fmt::format("length of {}", what));
  }
  const bool texts = value.type == GgufType::kString;
  const std::uint64_t least = texts ? sizeof(std::uint64_t) : item_size(value.type);
  if (value.is_array && value.count > in.left() / least) {
    in.corrupt(fmt::format("{} has {} elements, more than the {} bytes that are left hold", what,
                           value.count, in.left()));
  }
  if (texts) {
    for (std::uint64_t i = 0; i < value.count; ++i) value.texts.push_back(in.text(what));
    return value;
  }
  value.bytes = in.take(value.count * least, what);
  if (value.type == GgufType::kBool) {
    for (const std::uint8_t byte : value.bytes) {
      if (byte > 1) in.corrupt(fmt::format("{} is {}, expected 0 or 1", what, byte));
    }
  }
  return value;
}

GgufTensorType read_tensor_type(Reader& in, std::string_view what) {
  const auto number = in.number<std::uint32_t>(fmt::format("type of {}", what));
  std::vector<std::string> known;
  for (const TensorTypeRow& row : kTensorTypes) {
    if (static_cast<std::uint32_t>(row.type) == number) return row.type;
    known.emplace_back(row.name);
  }
  const auto other = std::find_if(kOtherTypes.begin(), kOtherTypes.end(),
                                  [&](const OtherType& type) { return type.number == number; });
  in.unsupported(
      fmt::format("{} is of type {}; known: {}", what,
                  other == kOtherTypes.end() ? std::to_string(number) : std::string(other->name),
                  join(known, ", ")));
}

// Row-major extents; `bytes`: what they take in whole blocks.
std::vector<std::int64_t> check_extents(const Reader& in, const std::string& what,
                                        const std::vector<std::uint64_t>& extents,
                                        GgufTensorType type, std::uint64_t& bytes) {
  const GgufBlock block = block_of(type);
  std::uint64_t elements = 1;
  for (const std::uint64_t extent : extents) {
    if (extent == 0) in.corrupt(fmt::format("{} has a dimension of 0", what));
    if (elements > std::numeric_limits<std::int64_t>::max() / extent / 8) {
      in.corrupt(fmt::format("{}: dimensions {} overflow", what, fmt::join(extents, " x ")));
    }
    elements *= extent;
  }
  if (extents[0] % static_cast<std::uint64_t>(block.elements) != 0) {
    in.corrupt(fmt::format("{}: rows of {} elements are no whole blocks of {} ({})", what,
                           extents[0], block.elements, to_string(type)));
  }
  bytes = elements / static_cast<std::uint64_t>(block.elements) *
          static_cast<std::uint64_t>(block.bytes);
  return {extents.rbegin(), extents.rend()};
}

struct Placed {
  GgufTensor tensor;
  std::uint64_t offset = 0, bytes = 0;  // in the data
};

Placed read_tensor(Reader& in) {
  const std::string_view name = in.text("a tensor's name");
  if (name.empty()) in.corrupt("a tensor has no name");
  const std::string what = fmt::format("tensor `{}`", name);
  const auto dimensions = in.number<std::uint32_t>(fmt::format("rank of {}", what));
  if (dimensions < 1 || dimensions > kMaxDimensions) {
    in.corrupt(
        fmt::format("{} has {} dimensions, expected 1 .. {}", what, dimensions, kMaxDimensions));
  }
  std::vector<std::uint64_t> extents;
  for (std::uint32_t i = 0; i < dimensions; ++i) {
    extents.push_back(in.number<std::uint64_t>(fmt::format("dimensions of {}", what)));
  }
  Placed placed{.tensor = {.name = std::string(name)}};
  placed.tensor.type = read_tensor_type(in, what);
  placed.tensor.shape = check_extents(in, what, extents, placed.tensor.type, placed.bytes);
  placed.offset = in.number<std::uint64_t>(fmt::format("offset of {}", what));
  return placed;
}

// Sorts by offset and points every tensor at its bytes.
void place(const Reader& in, std::vector<Placed>& list, std::span<const std::uint8_t> file,
           std::uint64_t alignment) {
  std::sort(list.begin(), list.end(),
            [](const Placed& a, const Placed& b) { return a.offset < b.offset; });
  const std::uint64_t begin = (in.position() + alignment - 1) / alignment * alignment;
  const std::uint64_t size = file.size() < begin ? 0 : file.size() - begin;
  std::uint64_t end = 0;
  for (Placed& placed : list) {
    const std::string what = fmt::format("tensor `{}`", placed.tensor.name);
    if (placed.offset % alignment != 0) {
      in.corrupt(fmt::format("{} begins at data byte {}, which is no multiple of the alignment {}",
                             what, placed.offset, alignment));
    }
    if (placed.offset > size || placed.bytes > size - placed.offset) {
      in.corrupt(
          fmt::format("{}: {} bytes at data byte {} lie outside the {} data bytes of the file: it "
                      "is cut off",
                      what, placed.bytes, placed.offset, size));
    }
    if (placed.offset < end) {
      in.corrupt(
          fmt::format("{} overlaps the tensor before it at data byte {}", what, placed.offset));
    }
    end = placed.offset + placed.bytes;
    placed.tensor.bytes = file.subspan(begin + placed.offset, placed.bytes);
  }
}

}  // namespace

std::string_view to_string(GgufType type) { return row_of(type).name; }

std::size_t item_size(GgufType type) { return row_of(type).bytes; }

std::string_view to_string(GgufTensorType type) { return row_of(type).name; }

GgufBlock block_of(GgufTensorType type) { return row_of(type).block; }

std::int64_t GgufTensor::elements() const {
  std::int64_t count = 1;
  for (const std::int64_t extent : shape) count *= extent;
  return count;
}

GgufFile::GgufFile(const std::filesystem::path& path) : source_(path.string()), map_(path) {
  parse(map_->bytes());
}

GgufFile::GgufFile(std::span<const std::uint8_t> bytes, std::string source)
    : source_(std::move(source)) {
  parse(bytes);
}

void GgufFile::parse(std::span<const std::uint8_t> bytes) {
  Reader in(bytes, source_);
  read_magic(in);
  const auto tensors = in.number<std::uint64_t>("the number of tensors");
  const auto keys = in.number<std::uint64_t>("the number of keys");
  if (keys > in.left() / kLeastKey) {
    in.corrupt(fmt::format("{} keys do not fit a file of {} bytes", keys, bytes.size()));
  }
  if (tensors > in.left() / kLeastTensor) {
    in.corrupt(fmt::format("{} tensors do not fit a file of {} bytes", tensors, bytes.size()));
  }
  for (std::uint64_t i = 0; i < keys; ++i) {
    const std::string_view key = in.text("a key");
    if (key.empty()) in.corrupt("a key is empty");
    GgufValue value = read_value(in, fmt::format("`{}`", key));
    if (!metadata_.emplace(key, std::move(value)).second) {
      in.corrupt(fmt::format("`{}` is given twice", key));
    }
  }
  if (const auto parts = find<std::int64_t>(kParts); parts.value_or(1) > 1) {
    in.unsupported(
        fmt::format("is one of {} parts (`{}`); merge them into one file", *parts, kParts));
  }
  const auto alignment = find<std::int64_t>(kAlignment).value_or(kDefaultAlignment);
  if (alignment < 1 || alignment > (1 << 20) || (alignment & (alignment - 1)) != 0) {
    in.corrupt(fmt::format("`{}` is {}, expected a power of two", kAlignment, alignment));
  }
  std::vector<Placed> list;
  for (std::uint64_t i = 0; i < tensors; ++i) list.push_back(read_tensor(in));
  place(in, list, bytes, static_cast<std::uint64_t>(alignment));
  for (Placed& placed : list) {
    if (!index_.emplace(placed.tensor.name, tensors_.size()).second) {
      in.corrupt(fmt::format("tensor `{}` is listed twice", placed.tensor.name));
    }
    tensors_.push_back(std::move(placed.tensor));
  }
}

const GgufTensor* GgufFile::find_tensor(std::string_view name) const {
  const auto it = index_.find(std::string(name));
  return it == index_.end() ? nullptr : &tensors_[it->second];
}

bool is_gguf(const std::filesystem::path& model) {
  std::string ending = model.extension().string();
  for (char& c : ending) c = static_cast<char>(c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c);
  return ending == ".gguf";
}

}  // namespace elastic::engine
