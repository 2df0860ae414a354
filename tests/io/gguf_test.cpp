// GGUF files: what is read of good ones, and what is said of broken ones.

#include "engine/io/gguf.h"

#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

#include "base/error.h"
#include "tests/testing/folders.h"
#include "tests/testing/gguf_writer.h"

namespace elastic::engine {
namespace {

using testing::GgufWriter;

std::string read_fault(const std::string& bytes) {
  try {
    const GgufFile file({reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()}, "x");
  } catch (const Error& error) {
    return std::string(to_string(error.kind())) + ": " + error.what();
  }
  return "read";
}

using testing::kGgufF32;
using testing::kGgufQ8_0;

GgufWriter small() {
  GgufWriter gguf;
  gguf.text("general.architecture", "llama");
  gguf.u32("llama.block_count", 2);
  gguf.tensor("a", {4, 2}, kGgufF32, std::string(32, '\1'));
  gguf.tensor("b", {32}, kGgufQ8_0, std::string(34, '\2'));
  return gguf;
}

TEST(Gguf, KeysAndTensorsOfAFile) {
  elastic::testing::TemporaryFolder folder;
  GgufWriter gguf = small();
  gguf.f32("real", 0.5F);
  gguf.flag("on", true);
  gguf.value("wide", GgufWriter::kU64, GgufWriter::raw(std::uint64_t{1} << 40));
  gguf.value("negative", GgufWriter::kI8, "\xFF");
  gguf.texts("names", {"x", "", "yz"});
  gguf.numbers<std::int16_t>("numbers", GgufWriter::kI16, {1, -2});
  gguf.numbers<double>("none", GgufWriter::kF64, {});
  elastic::testing::write_file(folder / "m.gguf", gguf.bytes());
  const GgufFile file(folder / "m.gguf");
  EXPECT_EQ(file.source(), (folder / "m.gguf").string());
  EXPECT_EQ(file.get<std::string_view>("general.architecture"), "llama");
  EXPECT_EQ(file.get<std::int64_t>("llama.block_count"), 2);
  EXPECT_EQ(file.get<double>("llama.block_count"), 2);
  EXPECT_EQ(file.get<double>("real"), 0.5);
  EXPECT_TRUE(file.get<bool>("on"));
  EXPECT_EQ(file.get<std::int64_t>("wide"), std::int64_t{1} << 40);
  EXPECT_EQ(file.get<std::int64_t>("negative"), -1);
  EXPECT_EQ(file.get<std::vector<std::string_view>>("names"),
            (std::vector<std::string_view>{"x", "", "yz"}));
  EXPECT_EQ(file.get<std::vector<std::int64_t>>("numbers"), (std::vector<std::int64_t>{1, -2}));
  EXPECT_EQ(file.get<std::vector<double>>("numbers"), (std::vector<double>{1, -2}));
  EXPECT_TRUE(file.get<std::vector<double>>("none").empty());
  EXPECT_FALSE(file.find<bool>("absent").has_value());
  ASSERT_EQ(file.tensors().size(), 2U);
  const GgufTensor& a = *file.find_tensor("a");
  EXPECT_EQ(a.shape, (std::vector<std::int64_t>{2, 4}));
  EXPECT_EQ(a.elements(), 8);
  EXPECT_EQ(std::string(a.bytes.begin(), a.bytes.end()), std::string(32, '\1'));
  const GgufTensor& b = *file.find_tensor("b");
  EXPECT_EQ(to_string(b.type), "Q8_0");
  EXPECT_EQ(std::string(b.bytes.begin(), b.bytes.end()), std::string(34, '\2'));
  EXPECT_EQ(file.find_tensor("c"), nullptr);
}

TEST(Gguf, TheOlderVersionAndAnotherAlignment) {
  GgufWriter gguf;
  gguf.version = 2;
  gguf.alignment = 8;
  gguf.u32("general.alignment", 8);
  gguf.tensor("a", {2}, kGgufF32, std::string(8, '\1'));
  gguf.tensor("b", {2}, kGgufF32, std::string(8, '\2'));
  EXPECT_EQ(read_fault(gguf.bytes()), "read");
  EXPECT_TRUE(is_gguf("m.gguf"));
  EXPECT_TRUE(is_gguf("M.GGUF"));
  EXPECT_FALSE(is_gguf("gguf"));
}

TEST(Gguf, ValuesOfAnotherKind) {
  GgufWriter gguf = small();
  gguf.texts("names", {"x"});
  gguf.value("huge", GgufWriter::kU64, GgufWriter::raw(~std::uint64_t{0}));
  gguf.f32("real", 0.5F);
  const std::string bytes = gguf.bytes();
  const GgufFile file({reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()}, "x");
  const auto said = [](const auto& read) {
    try {
      read();
    } catch (const Error& error) {
      return std::string(error.what());
    }
    return std::string("read");
  };
  using Texts = std::vector<std::string_view>;
  EXPECT_EQ(said([&] { file.get<bool>("absent"); }), "x: key `absent` is missing");
  EXPECT_EQ(said([&] { file.get<bool>("llama.block_count"); }),
            "x: `llama.block_count` is u32, expected a bool");
  EXPECT_EQ(said([&] { file.get<std::int64_t>("general.architecture"); }),
            "x: `general.architecture` is string, expected a whole number");
  EXPECT_EQ(said([&] { file.get<std::int64_t>("real"); }),
            "x: `real` is f32, expected a whole number");
  EXPECT_EQ(said([&] { file.get<std::int64_t>("huge"); }),
            "x: `huge` is u64, expected a whole number");
  EXPECT_EQ(said([&] { file.get<double>("names"); }),
            "x: `names` is an array of string, expected a number");
  EXPECT_EQ(said([&] { file.get<std::string_view>("real"); }),
            "x: `real` is f32, expected a string");
  EXPECT_EQ(said([&] { file.get<Texts>("general.architecture"); }),
            "x: `general.architecture` is string, expected an array of strings");
  EXPECT_EQ(said([&] { file.get<std::vector<std::int64_t>>("names"); }),
            "x: `names` is an array of string, expected an array of whole numbers");
}

struct Broken {
  const char* what;
  std::function<std::string()> bytes;
  const char* said;
};

// A file with one key whose value is these bytes.
std::string with_value(std::uint32_t type, const std::string& bytes) {
  GgufWriter gguf;
  gguf.value("k", type, bytes);
  return gguf.bytes();
}

std::string with_tensor(const std::vector<std::uint64_t>& extents, std::uint32_t type,
                        std::size_t bytes, std::optional<std::uint64_t> offset = std::nullopt) {
  GgufWriter gguf;
  gguf.tensor("first", {8}, kGgufF32, std::string(32, '\1'));
  gguf.tensor("t", extents, type, std::string(bytes, '\1'), offset);
  return gguf.bytes();
}

template <typename Change>
std::string changed(const Change& change) {
  GgufWriter gguf = small();
  change(gguf);
  return gguf.bytes();
}

std::string cut(std::size_t bytes) { return small().bytes().substr(0, bytes); }

std::string array(std::uint32_t type, std::uint64_t count, const std::string& bytes) {
  return GgufWriter::raw(type) + GgufWriter::raw(count) + bytes;
}

constexpr std::uint64_t kHuge = ~std::uint64_t{0};

const std::vector<Broken>& broken_files() {
  using W = GgufWriter;
  static const std::vector<Broken> kFiles = {
      {"nothing", [] { return std::string(); }, "the magic number takes 4 bytes at byte 0"},
      {"half a magic number", [] { return cut(3); }, "file ends at 3"},
      {"another format", [] { return changed([](W& w) { w.magic = "GGML"; }); },
       "begins with `GGML`"},
      {"magic number backwards", [] { return changed([](W& w) { w.magic = "FUGG"; }); },
       "begins with `FUGG`"},
      {"no version", [] { return cut(6); }, "the version takes 4 bytes at byte 4"},
      {"version 1", [] { return changed([](W& w) { w.version = 1; }); },
       "unsupported: x: is of GGUF version 1; known: 2, 3"},
      {"version 4", [] { return changed([](W& w) { w.version = 4; }); }, "GGUF version 4"},
      {"big-endian", [] { return changed([](W& w) { w.version = 0x03000000; }); },
       "unsupported: x: is big-endian"},
      {"no counts", [] { return cut(12); }, "the number of tensors takes 8 bytes"},
      {"half the counts", [] { return cut(20); }, "the number of keys takes 8 bytes"},
      {"counts alone", [] { return cut(24); }, "2 keys do not fit a file of 24 bytes"},
      {"far too many keys", [] { return changed([](W& w) { w.keys = kHuge; }); },
       "18446744073709551615 keys do not fit"},
      {"far too many tensors", [] { return changed([](W& w) { w.tensors = kHuge; }); },
       "18446744073709551615 tensors do not fit"},
      {"one key too many", [] { return changed([](W& w) { w.keys = 3; }); },
       "a tensor's name takes 562949953421312 bytes at byte 125"},
      {"one tensor too many", [] { return changed([](W& w) { w.tensors = 3; }); },
       "a tensor has no name"},
      {"cut in a key", [] { return cut(36); }, "keys do not fit"},
      {"cut in a value", [] { return cut(80); }, "2 tensors do not fit a file of 80 bytes"},
      {"cut before the tensors", [] { return cut(100); },
       "`llama.block_count` takes 4 bytes at byte 98, and the file ends at 100"},
      {"cut in the data", [] { return small().bytes().substr(0, small().bytes().size() - 1); },
       "tensor `b`: 34 bytes at data byte 32 lie outside the 65 data bytes"},
      {"no data", [] { return small().bytes().substr(0, small().bytes().size() - 80); },
       "lie outside"},
      {"a key beyond the file",
       [] {
         return W().bytes().replace(16, 8, W::raw(std::uint64_t{1})) + W::raw(kHuge) +
                std::string(16, 'x');
       },
       "a key takes 18446744073709551615 bytes"},
      {"an empty key", [] { return changed([](W& w) { w.u32("", 1); }); }, "a key is empty"},
      {"a key that is not UTF-8", [] { return changed([](W& w) { w.u32("a\xFFz", 1); }); },
       "a key is not UTF-8"},
      {"a key twice", [] { return changed([](W& w) { w.u32("llama.block_count", 3); }); },
       "`llama.block_count` is given twice"},
      {"an unknown value type", [] { return with_value(13, std::string(8, '\0')); },
       "`k` has the unknown type 13"},
      {"a huge value type", [] { return with_value(0xFFFFFFFF, std::string(8, '\0')); },
       "`k` has the unknown type 4294967295"},
      {"a string beyond the file", [] { return with_value(W::kString, W::raw(kHuge) + "abc"); },
       "`k` takes 18446744073709551615 bytes"},
      {"a string that is not UTF-8", [] { return with_value(W::kString, W::string("\xC3(")); },
       "`k` is not UTF-8"},
      {"a number cut short", [] { return with_value(W::kF64, "1234"); },
       "`k` takes 8 bytes at byte 37, and the file ends at 41"},
      {"a bool of 2", [] { return with_value(W::kBool, "\2"); }, "`k` is 2, expected 0 or 1"},
      {"a bool of 2 in an array", [] { return with_value(W::kArray, array(W::kBool, 2, "\1\2")); },
       "`k` is 2, expected 0 or 1"},
      {"an array of an unknown type",
       [] { return with_value(W::kArray, array(99, 1, "12345678")); },
       "elements of `k` has the unknown type 99"},
      {"an array of arrays",
       [] { return with_value(W::kArray, array(W::kArray, 1, std::string(16, '\0'))); },
       "unsupported: x: `k` holds arrays"},
      {"an array's length that overflows",
       [] { return with_value(W::kArray, array(W::kU64, kHuge / 4, "12345678")); },
       "`k` has 4611686018427387903 elements"},
      {"strings beyond the file",
       [] { return with_value(W::kArray, array(W::kString, kHuge, W::string("a"))); },
       "`k` has 18446744073709551615 elements"},
      {"a string of an array beyond the file",
       [] { return with_value(W::kArray, array(W::kString, 1, W::raw(kHuge) + "a")); },
       "`k` takes 18446744073709551615 bytes"},
      {"an array without a length", [] { return with_value(W::kArray, W::raw<std::uint32_t>(4)); },
       "length of `k` takes 8 bytes"},
      {"an alignment of 0", [] { return changed([](W& w) { w.u32("general.alignment", 0); }); },
       "`general.alignment` is 0, expected a power of two"},
      {"an alignment of 24", [] { return changed([](W& w) { w.u32("general.alignment", 24); }); },
       "`general.alignment` is 24"},
      {"an alignment of 2^31",
       [] { return changed([](W& w) { w.u32("general.alignment", 1U << 31); }); },
       "`general.alignment` is 2147483648"},
      {"an alignment in words",
       [] { return changed([](W& w) { w.text("general.alignment", "32"); }); },
       "`general.alignment` is string, expected a whole number"},
      {"one part of several", [] { return changed([](W& w) { w.u32("split.count", 3); }); },
       "unsupported: x: is one of 3 parts (`split.count`)"},
      {"a tensor without a name",
       [] { return changed([](W& w) { w.tensor("", {1}, kGgufF32, "1234"); }); },
       "a tensor has no name"},
      {"a tensor twice", [] { return changed([](W& w) { w.tensor("a", {1}, kGgufF32, "1234"); }); },
       "tensor `a` is listed twice"},
      {"no dimensions", [] { return with_tensor({}, kGgufF32, 4); },
       "tensor `t` has 0 dimensions, expected 1 .. 4"},
      {"five dimensions",
       [] {
         return with_tensor({1, 1, 1, 1, 1}, kGgufF32, 4);
       },
       "tensor `t` has 5 dimensions"},
      {"a dimension of 0",
       [] {
         return with_tensor({8, 0}, kGgufF32, 0);
       },
       "tensor `t` has a dimension of 0"},
      {"dimensions that overflow",
       [] {
         return with_tensor({std::uint64_t{1} << 32, std::uint64_t{1} << 32}, kGgufF32, 4);
       },
       "dimensions 4294967296 x 4294967296 overflow"},
      {"a dimension that overflows", [] { return with_tensor({kHuge}, kGgufF32, 4); }, "overflow"},
      {"bytes that overflow", [] { return with_tensor({std::uint64_t{1} << 62}, kGgufF32, 4); },
       "overflow"},
      {"no whole blocks", [] { return with_tensor({33}, kGgufQ8_0, 68); },
       "tensor `t`: rows of 33 elements are no whole blocks of 32 (Q8_0)"},
      {"no whole super-blocks",
       [] {
         return with_tensor({128, 2}, 12, 144);
       },
       "rows of 128 elements are no whole blocks of 256 (Q4_K)"},
      {"a type that is not read", [] { return with_tensor({256}, 10, 84); },
       "unsupported: x: tensor `t` is of type Q2_K; known: F32, F16, BF16, Q8_0"},
      {"a type that was withdrawn", [] { return with_tensor({32}, 4, 20); }, "is of type 4; known"},
      {"a type of nobody's", [] { return with_tensor({32}, 1000, 20); }, "is of type 1000; known"},
      {"an offset off the alignment", [] { return with_tensor({8}, kGgufF32, 32, 33); },
       "tensor `t` begins at data byte 33, which is no multiple of the alignment 32"},
      {"an offset beyond the file", [] { return with_tensor({8}, kGgufF32, 32, 1 << 20); },
       "tensor `t`: 32 bytes at data byte 1048576 lie outside the 64 data bytes"},
      {"an offset that overflows", [] { return with_tensor({8}, kGgufF32, 32, kHuge - 31); },
       "lie outside the 64 data bytes"},
      {"more bytes than there are", [] { return with_tensor({9}, kGgufF32, 32); },
       "tensor `t`: 36 bytes at data byte 32 lie outside the 64 data bytes"},
      {"tensors that overlap", [] { return with_tensor({8}, kGgufF32, 32, 0); },
       "overlaps the tensor before it at data byte 0"},
  };
  return kFiles;
}

TEST(Gguf, BrokenFilesAreNamed) {
  for (const Broken& broken : broken_files()) {
    const std::string said = read_fault(broken.bytes());
    EXPECT_NE(said.find(broken.said), std::string::npos) << broken.what << ": " << said;
  }
}

// Every prefix and every single changed byte: an error or a file whose tensors lie inside it.
TEST(Gguf, NoPrefixAndNoChangedByteBreaksOut) {
  const std::string whole = small().bytes();
  const auto visit = [](const std::string& bytes) {
    const auto* begin = reinterpret_cast<const std::uint8_t*>(bytes.data());
    try {
      const GgufFile file({begin, bytes.size()}, "x");
      for (const GgufTensor& tensor : file.tensors()) {
        EXPECT_GE(tensor.bytes.data(), begin);
        EXPECT_LE(tensor.bytes.data() + tensor.bytes.size(), begin + bytes.size());
      }
      return true;
    } catch (const Error&) {
      return false;
    }
  };
  for (std::size_t size = 0; size < whole.size(); ++size) {
    EXPECT_FALSE(visit(whole.substr(0, size))) << size;
  }
  for (std::size_t at = 0; at < whole.size(); ++at) {
    for (const int change : {0x01, 0x80, 0xFF}) {
      std::string bytes = whole;
      bytes[at] = static_cast<char>(bytes[at] ^ change);
      visit(bytes);
    }
  }
}

}  // namespace
}  // namespace elastic::engine
