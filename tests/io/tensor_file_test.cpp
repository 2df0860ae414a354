// safetensors files byte by byte, what is said of damaged ones, and the small files beside them.

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/file.h"
#include "engine/api/hub_cache.h"
#include "engine/api/mode_list.h"
#include "engine/api/tensor_file.h"
#include "engine/io/safetensors.h"
#include "engine/io/shard_index.h"
#include "engine/io/state_header.h"
#include "tests/testing/folders.h"

namespace elastic::engine {
namespace {

namespace fs = std::filesystem;
using elastic::testing::TemporaryFolder;

template <typename Act>
std::string fault_of(const Act& act) {
  try {
    act();
  } catch (const Error& error) {
    return std::string(to_string(error.kind())) + ": " + error.what();
  }
  return "no error";
}

std::span<const std::uint8_t> bytes_of(const std::string& text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

// The length of a header, little-endian in eight bytes, before it.
std::string framed(const std::string& header) {
  std::string out;
  for (std::size_t i = 0, n = header.size(); i < 8; ++i, n /= 256)
    out += static_cast<char>(n % 256);
  return out + header;
}

std::string fault_of_header(const std::string& header, std::size_t data = 8) {
  const std::string file = framed(header) + std::string(data, 'x');
  return fault_of([&] { parse_safetensors(bytes_of(file), "f"); });
}

std::string entry(const std::string& dtype, const std::string& shape, const std::string& offsets) {
  return fmt::format(R"({{"w":{{"dtype":{},"shape":{},"data_offsets":{}}}}})", dtype, shape,
                     offsets);
}

TEST(TensorFile, DamageIsSaidExactly) {
  const std::string f32 = R"("F32")", tensor = "corrupt: f: tensor `w`: ";
  const std::string whole = ", not a whole number >= 0";
  const std::pair<std::string, std::string> cases[] = {
      {R"({"w":3})", tensor + "header entry is not an object"},
      {R"({"w":{"dtype":"F32","shape":[2]}})", tensor + "key `data_offsets` is missing"},
      {R"({"w":{"shape":[2],"data_offsets":[0,8]}})", tensor + "key `dtype` is missing"},
      {R"({"w":{"dtype":"F32","data_offsets":[0,8]}})", tensor + "key `shape` is missing"},
      {entry(R"("Q4")", "[2]", "[0,8]"), tensor + "unknown dtype \"Q4\""},
      {entry("4", "[2]", "[0,8]"), tensor + "unknown dtype 4"},
      {entry(f32, "2", "[0,8]"), tensor + "`shape` is not an array"},
      {entry(f32, "[-2]", "[0,8]"), tensor + "`shape` holds -2" + whole},
      {entry(f32, "[2.0]", "[0,8]"), tensor + "`shape` holds 2.0" + whole},
      {entry(f32, "[9223372036854775808]", "[0,8]"),
       tensor + "`shape` holds 9223372036854775808" + whole},
      {entry(f32, "[2305843009213693952]", "[0,8]"),
       tensor + "shape [2305843009213693952] overflows"},
      {entry(f32, "[2305843009213693951]", "[0,8]"),
       tensor + "bytes [0, 8) do not hold shape [2305843009213693951] of F32 (9223372036854775804 "
                "bytes)"},
      {entry(f32, "[0,2305843009213693952]", "[0,8]"),
       tensor + "bytes [0, 8) do not hold shape [0,2305843009213693952] of F32 (0 bytes)"},
      {entry(f32, "[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,2]", "[0,8]"), tensor + "17 dimensions"},
      {entry(f32, "[2]", "8"), tensor + "`data_offsets` is 8, expected [begin, end]"},
      {entry(f32, "[2]", "[8]"), tensor + "`data_offsets` is [8], expected [begin, end]"},
      {entry(f32, "[2]", "[0,4,8]"), tensor + "`data_offsets` is [0,4,8], expected [begin, end]"},
      {entry(f32, "[2]", "[-8,0]"), tensor + "`data_offsets` holds -8" + whole},
      {entry(f32, "[2]", R"([0,"8"])"), tensor + "`data_offsets` holds \"8\"" + whole},
      {entry(f32, "[2]", "[8,0]"),
       tensor + "bytes [8, 0) lie outside the 8 data bytes of the file"},
      {entry(f32, "[2]", "[1,9]"),
       tensor + "bytes [1, 9) lie outside the 8 data bytes of the file"},
      {entry(f32, "[1]", "[0,8]"), tensor + "bytes [0, 8) do not hold shape [1] of F32 (4 bytes)"},
      {entry(f32, "[1]", "[4,8]"), tensor + "bytes [0, 4) before it belong to no tensor"},
      {entry(f32, "[1]", "[0,4]"),
       "corrupt: f: tensors end at data byte 4 but the file holds 8: cut, padded or joined"},
      {R"({"a":{"dtype":"U8","shape":[6],"data_offsets":[0,6]},)"
       R"("w":{"dtype":"U8","shape":[3],"data_offsets":[5,8]}})",
       tensor + "overlaps another tensor at byte 5"},
      {R"({"w":{"dtype":"U8","shape":[8],"data_offsets":[0,8]},"w":{}})",
       tensor + "named twice in the header"},
      {"[1]", "corrupt: f: the header is not a JSON object"},
      {"7", "corrupt: f: the header is not a JSON object"},
      {std::string("{}\0", 3), "corrupt: f: header is not JSON: it holds a zero byte"},
      {entry(f32, "[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,2]", "[0,8]"), "no error"},
  };
  for (const auto& [header, said] : cases) EXPECT_EQ(fault_of_header(header), said) << header;
  EXPECT_EQ(fault_of([] { parse_safetensors(bytes_of("1234567"), "f"); }),
            "corrupt: f: 7 bytes are too few for a safetensors file");
  EXPECT_EQ(fault_of([] { parse_safetensors(bytes_of(framed("{}").substr(0, 9)), "f"); }),
            "corrupt: f: header of 2 bytes does not fit a file of 9 bytes");
  EXPECT_EQ(fault_of_header("{}", 0), "no error");
}

TEST(TensorFile, LongValuesAreCutAndDepthIsBounded) {
  const auto unknown = [](const std::string& dtype) {
    return fault_of_header(entry('"' + dtype + '"', "[2]", "[0,8]"));
  };
  const std::string said = "corrupt: f: tensor `w`: unknown dtype \"";
  EXPECT_EQ(unknown(std::string(78, 'x')), said + std::string(78, 'x') + '"');
  EXPECT_EQ(unknown(std::string(79, 'x')), said + std::string(79, 'x') + "...");
  EXPECT_EQ(unknown("\u00e9"), said + "\\u00e9\"");
  const auto nested = [](std::size_t depth) {
    return fault_of_header(
        R"({"__metadata__":)" + std::string(depth, '[') + std::string(depth, ']') + "}", 0);
  };
  EXPECT_EQ(nested(8), "no error");
  EXPECT_EQ(nested(9), "corrupt: f: tensor `__metadata__`: header nested too deep");
}

TEST(TensorFile, EveryByteOfAWrittenFile) {
  const TemporaryFolder folder;
  const std::string data = "abcdefghij";
  const auto part = [&](std::size_t at, std::size_t size) {
    return bytes_of(data).subspan(at, size);
  };
  for (const std::string name :
       {"n", "nn", "nnn", "nnnn", "nnnnn", "nnnnnn", "nnnnnnn", "nnnnnnnn"}) {
    const std::vector<TensorView> tensors = {{name, TensorType::kI16, {2, 1}, part(0, 4)},
                                             {"z", TensorType::kU8, {6}, part(4, 6)},
                                             {"none", TensorType::kF64, {0, 3}, part(0, 0)}};
    write_safetensors(folder / "t", tensors);
    std::string header = R"({"__metadata__":{"format":"pt"},")" + name +
                         R"(":{"dtype":"I16","shape":[2,1],"data_offsets":[0,4]},)"
                         R"("z":{"dtype":"U8","shape":[6],"data_offsets":[4,10]},)"
                         R"("none":{"dtype":"F64","shape":[0,3],"data_offsets":[10,10]}})";
    while (header.size() % 8 != 0) header += ' ';
    EXPECT_EQ(read_file(folder / "t"), framed(header) + data);
  }
  const std::vector<TensorView> wrong = {{"w", TensorType::kF32, {3}, part(0, 8)}};
  EXPECT_THROW(write_safetensors(folder / "t", wrong), std::logic_error);
  write_tensors(folder / "t", std::vector<NamedTensor>{{"a", {2}, {1.5f, -2}}, {"b", {}, {3}}});
  const SafetensorsFile file(folder / "t");
  EXPECT_EQ(float_values(file.at("a")), (std::vector<float>{1.5f, -2}));
  EXPECT_EQ(float_values(file.at("b")), std::vector<float>{3});
  EXPECT_EQ(fault_of([&] { file.at("c"); }),
            "corrupt: " + (folder / "t").string() + ": no tensor `c`");
}

// A header so long that its length takes all of three bytes.
TEST(TensorFile, ALongHeaderReadsBack) {
  const TemporaryFolder folder;
  std::vector<NamedTensor> tensors;
  tensors.reserve(1200);
  for (int i = 0; i < 1200; ++i)
    tensors.push_back({"tensor." + std::to_string(i), {1}, {static_cast<float>(i)}});
  write_tensors(folder / "t", tensors);
  const SafetensorsFile file(folder / "t");
  ASSERT_EQ(file.tensors().size(), 1200U);
  EXPECT_EQ(float_values(file.at("tensor.1199")), std::vector<float>{1199});
}

TEST(TensorFile, EveryFloatingTypeIsWidened) {
  const std::string bytes("\x01\xff\x02\x80\x00\x00\xc0\x3f\xff\xff\xff\xff\xff\xff\xff\x7f", 16);
  EXPECT_EQ(float_values({"w", TensorType::kF32, {}, bytes_of(bytes).subspan(4, 4)}),
            std::vector<float>{1.5f});
  EXPECT_EQ(float_values({"w", TensorType::kBF16, {}, bytes_of(bytes).subspan(4, 4)}),
            (std::vector<float>{0, 1.5f}));
  const double half = 0.5;
  EXPECT_EQ(
      float_values({"w", TensorType::kF64, {}, {reinterpret_cast<const std::uint8_t*>(&half), 8}}),
      std::vector<float>{0.5f});
  EXPECT_EQ(fault_of([&] {
              float_values({"w", TensorType::kI8, {}, bytes_of(bytes).subspan(0, 1)});
            }),
            "corrupt: tensor `w` is I8, expected floating point");
}

TEST(TensorFile, ShardIndexesAndStateHeadersAreSaidExactly) {
  const auto index = [](const Json& json) {
    return fault_of([&] { parse_shard_index({json, "i"}); });
  };
  const std::string missing = "corrupt: i: key `weight_map` is missing or no object";
  for (const Json& json : {Json(1), Json::array(), Json::object(), Json{{"weight_map", nullptr}},
                           Json{{"weight_map", "a"}}}) {
    EXPECT_EQ(index(json), missing) << json.dump();
  }
  EXPECT_EQ(index({{"weight_map", {{"t", 1}}}}), "corrupt: i: `weight_map` of `t` is no file name");
  for (const std::string name : {"", ".", "..", "a/b", "/"}) {
    EXPECT_EQ(index({{"weight_map", {{"t", name}}}}),
              "corrupt: i: `weight_map` names `" + name + "`, not a plain file name");
  }
  for (const std::string name : {"...", ".a", "a.", "a"}) {
    EXPECT_EQ(index({{"weight_map", {{"t", name}}}}), "no error");
  }
  const auto header = [](std::int64_t step, std::int64_t tokens) {
    const std::string text = state_header_text({step, tokens, "{}"});
    return fault_of([&] {
      parse_state_header({"s", TensorType::kU8, {}, bytes_of(text)}, "state");
    });
  };
  EXPECT_EQ(header(0, 0), "no error");
  EXPECT_EQ(header(-1, 5), "corrupt: state: `step` is -1 and `tokens` 5, expected 0 or more");
  EXPECT_EQ(header(5, -1), "corrupt: state: `step` is 5 and `tokens` -1, expected 0 or more");
  EXPECT_EQ(state_header_text({1, 2, "{\"a\":3}"}),
            R"({"step":1,"tokens":2,"options":"{\"a\":3}"})");
  const auto compared = [](const char* stored, const char* wanted) {
    return fault_of([&] { compare_state_options("state", stored, wanted); });
  };
  EXPECT_EQ(compared("not even JSON", "not even JSON"), "no error");
  EXPECT_EQ(compared(R"({"a":1,"b":2})", R"({"a":1,"b":3})"),
            "invalid argument: state: was trained with `b` 2, now it is 3; resume with the same "
            "options or choose another output folder");
  EXPECT_EQ(compared(R"({"a":1,"b":2})", R"({"a":1})"),
            "invalid argument: state: was trained with other options: {\"a\":1,\"b\":2}");
}

TEST(ModeList, WordsThatAreOptionsOrModes) {
  using Modes = std::vector<std::string>;
  EXPECT_EQ(split_modes("a:x=1"), Modes{"a:x=1"});
  EXPECT_EQ(split_modes("a,x=1,y=2,b,c:z=3"), (Modes{"a:x=1,y=2", "b", "c:z=3"}));
  EXPECT_EQ(split_modes("a,b:x=1,y=2"), (Modes{"a", "b:x=1,y=2"}));
  EXPECT_EQ(split_modes("a,x=b:c"), Modes{"a:x=b:c"}) << "a colon of the value";
  EXPECT_EQ(split_modes("a:,x=1"), Modes{"a:,x=1"});
  EXPECT_EQ(split_modes(":=1"), Modes{":=1"});
  EXPECT_EQ(
      fault_of([] { split_modes("x=1,a"); }),
      "invalid argument: list of modes `x=1,a` starts with the option `x=1`: options follow a "
      "mode's name, as in ssa:local=1024");
}

TEST(HubCache, WhereItLiesAndWhatItNames) {
  const TemporaryFolder folder;
  const std::pair<const char*, std::string> places[] = {
      {"HOME", ".cache/huggingface/hub"}, {"HF_HOME", "hub"}, {"HF_HUB_CACHE", ""}};
  const char* home = std::getenv("HOME");
  const std::string home_before = home == nullptr ? "" : home;
  ::unsetenv("HF_HUB_CACHE");
  ::unsetenv("HF_HOME");
  for (const auto& [variable, below] : places) {
    const fs::path root = folder.path() / variable;
    ::setenv(variable, root.c_str(), 1);
    EXPECT_EQ(find_in_hub_cache("o/m").looked.lexically_normal(),
              (root / below / "models--o--m").lexically_normal())
        << "each wins over those before it";
  }
  const fs::path model = folder / "HF_HUB_CACHE" / "models--o--m";
  create_folders(model / "refs/main");
  EXPECT_TRUE(find_in_hub_cache("o/m").folder.empty()) << "a folder in the file's place";
  fs::remove(model / "refs/main");
  write_file_atomic(model / "refs/main", "\n");
  EXPECT_EQ(
      fault_of([] { find_in_hub_cache("o/m"); }),
      "corrupt: " + (model / "refs/main").string() + ": names no commit; download the model anew");
  write_file_atomic(model / "refs/main", "abc");
  create_folders(model / "snapshots");
  write_file_atomic(model / "snapshots/abc", "");
  EXPECT_TRUE(find_in_hub_cache("o/m").folder.empty()) << "no folder";
  ::unsetenv("HF_HUB_CACHE");
  ::unsetenv("HF_HOME");
  ::setenv("HOME", home_before.c_str(), 1);
  EXPECT_EQ(model_name("/x/models--o--a--b/snapshots/c"), "b");
}

}  // namespace
}  // namespace elastic::engine
