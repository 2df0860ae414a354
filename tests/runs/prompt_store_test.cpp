#include "runs/prompt_store.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "base/file.h"
#include "base/hash.h"
#include "tests/testing/folders.h"

namespace elastic::runs {
namespace {

TEST(PromptStore, KeepsEachPromptOnceAndSmall) {
  const testing::TemporaryFolder folder;
  std::string text;
  for (int i = 0; i < 2000; ++i) text += "The grass is green. The sky is blue. ";
  const std::string hash = sha256_hex(text);
  write_prompt(folder.path(), hash, text);
  const auto path = folder / "prompts" / (hash + ".zst");
  const auto written = std::filesystem::last_write_time(path);
  write_prompt(folder.path(), hash, text);
  EXPECT_EQ(std::filesystem::last_write_time(path), written);
  EXPECT_LT(std::filesystem::file_size(path), text.size() / 50);
  EXPECT_EQ(read_prompt(folder.path(), hash), text);
}

TEST(PromptStore, DamageAndStrangeNamesAreErrors) {
  const testing::TemporaryFolder folder;
  const std::string text = "a prompt", hash = sha256_hex(text), other = sha256_hex("another");
  write_prompt(folder.path(), hash, text);
  EXPECT_THROW(read_prompt(folder.path(), other), Error);
  EXPECT_THROW(read_prompt(folder.path(), "../../etc/passwd"), Error);
  const auto path = folder / "prompts" / (hash + ".zst");
  const std::string frame = read_file(path);
  write_file_atomic(folder / "prompts" / (other + ".zst"), frame);
  EXPECT_THROW(read_prompt(folder.path(), other), Error) << "content of another hash";
  // Headers claim what they like; what is beyond the longest prompt is not taken for one.
  const auto claims = [](std::string_view size) {
    return "\x28\xb5\x2f\xfd\xa0" + std::string(size) + std::string("\x01\0\0", 3);  // 4-byte size
  };
  for (const auto& [size, expected] :
       {std::pair<std::string, const char*>(std::string("\0\0\0\x10", 4), "damaged zstd frame"),
        {std::string("\x01\0\0\x10", 4), "not a zstd frame of a prompt"}}) {  // 2^28, one more
    try {
      unpack_prompt(claims(size), "x.zst");
      ADD_FAILURE() << expected;
    } catch (const Error& error) {
      EXPECT_EQ(error.what(), "x.zst: " + std::string(expected));
    }
  }
  // A header that claims 3 GiB: magic, descriptor of a single segment with an 8-byte size, size.
  const std::string huge("\x28\xb5\x2f\xfd\xe0\x00\x00\x00\xc0\x00\x00\x00\x00\x01\x00\x00", 16);
  for (const std::string& bytes : {std::string(), std::string("junk"), frame.substr(0, 9), huge}) {
    write_file_atomic(path, bytes);
    EXPECT_THROW(read_prompt(folder.path(), hash), Error);
  }
}

}  // namespace
}  // namespace elastic::runs
