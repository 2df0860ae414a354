#include "engine/io/safetensors.h"

#include <gtest/gtest.h>

#include <fmt/format.h>

#include <cmath>
#include <string>

#include "base/error.h"
#include "base/file.h"
#include "engine/api/tensor_file.h"
#include "tests/testing/folders.h"

namespace elastic::engine {
namespace {

std::string file_bytes(const std::string& header, const std::string& data,
                       std::int64_t length = -1) {
  auto n =
      static_cast<std::uint64_t>(length < 0 ? static_cast<std::int64_t>(header.size()) : length);
  std::string out;
  for (int i = 0; i < 8; ++i, n >>= 8) out += static_cast<char>(n & 0xff);
  return out + header + data;
}

std::vector<TensorView> parse(const std::string& bytes) {
  return parse_safetensors({reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()},
                           "x.safetensors");
}

struct MalformedFile {
  const char* what;
  std::string bytes;
  const char* words;  // must stand in the error text
};

const std::string kEight(8, '\0');

std::vector<MalformedFile> malformed_files() {
  const auto entry = [](const std::string& dtype, const std::string& shape,
                        const std::string& offsets) {
    return R"({"w":{"dtype":)" + dtype + R"(,"shape":)" + shape + R"(,"data_offsets":)" + offsets +
           "}}";
  };
  const std::string good = entry(R"("F32")", "[2]", "[0,8]");
  std::string deep = R"({"w":)";
  for (int i = 0; i < 100000; ++i) deep += "[";
  return {
      {"empty file", "", "too few"},
      {"five bytes", "abcde", "too few"},
      {"header longer than the file", file_bytes(good, kEight, 1 << 20), "does not fit"},
      {"header of 2^63 bytes", std::string("\0\0\0\0\0\0\0\x80", 8) + good, "does not fit"},
      {"all ones length", std::string(8, '\xff') + good, "does not fit"},
      {"header cut", file_bytes(good.substr(0, 20), kEight), "not JSON"},
      {"header is text", file_bytes("hello", kEight), "not JSON"},
      {"header empty", file_bytes("", ""), "not JSON"},
      {"header padded with zeros", file_bytes(good + std::string(4, '\0'), kEight), "not JSON"},
      {"header is a list", file_bytes("[1,2]", ""), "not a JSON object"},
      {"header is a number", file_bytes("7", ""), "not a JSON object"},
      {"header nested deep", file_bytes(deep, ""), "too deep"},
      {"header not UTF-8", file_bytes("{\"\xff\xfe\":{}}", ""), "not JSON"},
      {"entry is a number", file_bytes(R"({"w":3})", ""), "`w`: header entry is not an object"},
      {"no dtype", file_bytes(R"({"w":{"shape":[2],"data_offsets":[0,8]}})", kEight), "`dtype`"},
      {"no shape", file_bytes(R"({"w":{"dtype":"F32","data_offsets":[0,8]}})", kEight), "`shape`"},
      {"no offsets", file_bytes(R"({"w":{"dtype":"F32","shape":[2]}})", kEight), "`data_offsets`"},
      {"unknown dtype", file_bytes(entry(R"("Q4")", "[2]", "[0,8]"), kEight), "unknown dtype"},
      {"dtype is a number", file_bytes(entry("5", "[2]", "[0,8]"), kEight), "unknown dtype"},
      {"negative extent", file_bytes(entry(R"("F32")", "[-2]", "[0,8]"), kEight), "whole number"},
      {"fractional extent", file_bytes(entry(R"("F32")", "[2.5]", "[0,8]"), kEight),
       "whole number"},
      {"huge extent", file_bytes(entry(R"("F32")", "[9223372036854775807]", "[0,8]"), kEight),
       "overflows"},
      {"product overflows",
       file_bytes(entry(R"("F32")", "[4294967296,4294967296,4294967296]", "[0,8]"), kEight),
       "overflows"},
      {"extent beyond 64 bits",
       file_bytes(entry(R"("F32")", "[99999999999999999999]", "[0,8]"), kEight), "whole number"},
      {"shape is text", file_bytes(entry(R"("F32")", R"("2")", "[0,8]"), kEight), "not an array"},
      {"forty dimensions",
       file_bytes(entry(R"("F32")", "[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,2]", "[0,8]"),
                  kEight),
       "dimensions"},
      {"offsets reversed", file_bytes(entry(R"("F32")", "[2]", "[8,0]"), kEight), "outside"},
      {"offsets beyond the file", file_bytes(entry(R"("F32")", "[4]", "[0,16]"), kEight),
       "outside"},
      {"one offset", file_bytes(entry(R"("F32")", "[2]", "[0]"), kEight), "[begin, end]"},
      {"negative offset", file_bytes(entry(R"("F32")", "[2]", "[-8,0]"), kEight), "whole number"},
      {"bytes do not fill the shape", file_bytes(entry(R"("F32")", "[1]", "[0,8]"), kEight),
       "do not hold"},
      {"named twice",
       file_bytes(R"({"w":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},)"
                  R"("w":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}})",
                  kEight),
       "named twice"},
      {"overlap",
       file_bytes(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},)"
                  R"("b":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}})",
                  kEight),
       "overlaps"},
      {"hole",
       file_bytes(R"({"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},)"
                  R"("b":{"dtype":"U8","shape":[2],"data_offsets":[6,8]}})",
                  kEight),
       "belong to no tensor"},
      {"bytes after the last tensor", file_bytes(good, kEight + "more"), "cut, padded or joined"},
      {"data cut", file_bytes(good, "1234"), "outside"},
  };
}

TEST(Safetensors, MalformedFilesAreNamedErrors) {
  for (const MalformedFile& row : malformed_files()) {
    SCOPED_TRACE(row.what);
    try {
      parse(row.bytes);
      ADD_FAILURE() << "no error";
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::kCorrupt);
      const std::string text = error.what();
      EXPECT_NE(text.find("x.safetensors"), std::string::npos) << text;
      EXPECT_NE(text.find(row.words), std::string::npos) << text;
    }
  }
}

TEST(Safetensors, EveryTypeHasItsSize) {
  const std::pair<const char*, std::size_t> types[] = {
      {"F64", 8}, {"F32", 4}, {"F16", 2}, {"BF16", 2}, {"I64", 8},
      {"I32", 4}, {"I16", 2}, {"I8", 1},  {"U8", 1},   {"BOOL", 1}};
  for (const auto& [type, size] : types) {
    for (const std::size_t bytes : {3 * size, 3 * size + 1}) {
      const std::string header =
          fmt::format(R"({{"w":{{"dtype":"{}","shape":[3],"data_offsets":[0,{}]}}}})", type, bytes);
      const std::string file = file_bytes(header, std::string(bytes, 'x'));
      const std::span<const std::uint8_t> view(reinterpret_cast<const std::uint8_t*>(file.data()),
                                               file.size());
      if (bytes == 3 * size) {
        EXPECT_EQ(parse_safetensors(view, "t").at(0).bytes.size(), bytes) << type;
      } else {
        EXPECT_THROW(parse_safetensors(view, "t"), Error) << type;
      }
    }
  }
}

TEST(Safetensors, AManyNamedHeaderIsReadInTime) {
  std::string header = "{";
  for (int i = 0; i < 100000; ++i) {
    header += (i == 0 ? "\"t" : ",\"t") + std::to_string(i) +
              R"(":{"dtype":"U8","shape":[0],"data_offsets":[0,0]})";
  }
  EXPECT_EQ(parse(file_bytes(header + "}", "")).size(), 100000u);
}

TEST(Safetensors, ReadsTypesScalarsEmptyTensorsAndMetadata) {
  const std::string header = R"({"__metadata__":{"format":"pt"},)"
                             R"("h":{"dtype":"F16","shape":[4],"data_offsets":[0,8]},)"
                             R"("b":{"dtype":"BF16","shape":[1],"data_offsets":[8,10]},)"
                             R"("none":{"dtype":"I32","shape":[0,3],"data_offsets":[10,10]},)"
                             R"("s":{"dtype":"U8","shape":[],"data_offsets":[10,11]}})";
  // 1.0, -2.0, smallest subnormal, infinity; 1.5; 7
  const std::string data("\x00\x3c\x00\xc0\x01\x00\x00\x7c\xc0\x3f\x07", 11);
  const std::string bytes = file_bytes(header, data);  // the views point into it
  const auto tensors = parse(bytes);
  ASSERT_EQ(tensors.size(), 4u);
  const std::vector<float> half = float_values(tensors[0]);
  EXPECT_EQ(half[0], 1.0f);
  EXPECT_EQ(half[1], -2.0f);
  EXPECT_EQ(half[2], std::ldexp(1.0f, -24));
  EXPECT_TRUE(std::isinf(half[3]));
  EXPECT_EQ(float_values(tensors[1]), std::vector<float>{1.5f});
  EXPECT_TRUE(tensors[2].bytes.empty());
  EXPECT_EQ(tensors[3].bytes[0], 7);
  EXPECT_TRUE(tensors[3].shape.empty());
  EXPECT_THROW(float_values(tensors[3]), Error);
}

// Halves by hand: -2^-24, the largest subnormal, -1, the largest, the infinities, no number.
TEST(Safetensors, HalvesOfEveryKindAreWidened) {
  const std::vector<std::uint16_t> halves = {0x8001, 0x03ff, 0xbc00, 0x7bff,
                                             0x7c00, 0xfc00, 0x7e01};
  const TensorView view{
      "h",
      TensorType::kF16,
      {7},
      {reinterpret_cast<const std::uint8_t*>(halves.data()), halves.size() * sizeof(halves[0])}};
  const std::vector<float> values = float_values(view);
  EXPECT_EQ(values[0], -0x1p-24f);
  EXPECT_EQ(values[1], 1023 * 0x1p-24f);
  EXPECT_EQ(values[2], -1);
  EXPECT_EQ(values[3], 65504);
  EXPECT_EQ(values[4], INFINITY);
  EXPECT_EQ(values[5], -INFINITY);
  EXPECT_TRUE(std::isnan(values[6]));
}

TEST(Safetensors, WrittenTensorsReadBack) {
  const elastic::testing::TemporaryFolder folder;
  const std::vector<NamedTensor> tensors = {{"logits", {2, 3}, {1, 2, 3, 4, 5, 6}},
                                            {"hidden.0", {1}, {-0.5f}}};
  write_tensors(folder / "out.safetensors", tensors);
  const SafetensorsFile file(folder / "out.safetensors");
  EXPECT_EQ(file.at("logits").shape, (std::vector<std::int64_t>{2, 3}));
  EXPECT_EQ(float_values(file.at("logits")), tensors[0].values);
  EXPECT_EQ(float_values(file.at("hidden.0")), tensors[1].values);
  EXPECT_EQ(file.find("absent"), nullptr);
  EXPECT_THROW(file.at("absent"), Error);
  EXPECT_THROW(write_tensors(folder / "no/such/folder.safetensors", tensors), Error);
}

}  // namespace
}  // namespace elastic::engine
