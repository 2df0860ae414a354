// Objects of files that are longer than what is read at once: wherever a chunk ends, the text of an
// object and its place in the file are the same.

#include "datasets/object_stream.h"

#include <gtest/gtest.h>

#include <fmt/format.h>

#include "base/error.h"
#include "base/file.h"
#include "tests/testing/folders.h"

namespace elastic::datasets {
namespace {

// Braces and quotes within texts, nested objects, some of them longer than a chunk.
std::vector<std::string> objects() {
  std::vector<std::string> all;
  for (int i = 0; i < 40; ++i) {
    const std::size_t length =
        i % 13 == 5 ? kReadChunk + 77 : 60000 + 4099 * static_cast<std::size_t>(i);
    all.push_back(fmt::format(R"({{"i": {}, "text": "}}\"{{\\", "inner": {{"long": "{}"}}}})", i,
                              std::string(length, static_cast<char>('a' + i % 26))));
  }
  return all;
}

TEST(ObjectStream, ChunksDoNotShow) {
  const testing::TemporaryFolder folder;
  const std::vector<std::string> expected = objects();
  for (const auto& [first, between, last] : {std::tuple("", "\n", "\n"),
                                             {"[", ",", "]"},
                                             {" [\n", " ,\r\n", "\n]\n"},
                                             {"\xEF\xBB\xBF", "\n\n", ""}}) {
    std::string file = first;
    for (const std::string& object : expected) {
      if (&object != &expected.front()) file += between;
      file += object;
    }
    write_file_atomic(folder / "file", file + last);
    ObjectStream stream(folder / "file");
    for (std::size_t i = 0; i < expected.size(); ++i) {
      const std::optional<ObjectText> object = stream.next();
      ASSERT_TRUE(object) << i;
      ASSERT_EQ(object->text, expected[i]) << i;
      ASSERT_EQ(file.substr(static_cast<std::size_t>(object->offset), object->text.size()),
                expected[i]);
      ASSERT_EQ(read_object(folder / "file", object->offset, object->text.size()), expected[i]);
      ASSERT_TRUE(stream.where().ends_with(fmt::format("file, row {}", i))) << stream.where();
    }
    EXPECT_FALSE(stream.next());
    EXPECT_FALSE(stream.next()) << "the end stays the end";
  }
}

TEST(ObjectStream, ObjectsAreBounded) {
  const testing::TemporaryFolder folder;
  write_file_atomic(folder / "file", R"({"a": 1})");
  EXPECT_TRUE(ObjectStream(folder / "file", 8).next());
  EXPECT_THROW(ObjectStream(folder / "file", 7).next(), Error);
}

}  // namespace
}  // namespace elastic::datasets
