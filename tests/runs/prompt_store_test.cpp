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

TEST(PromptStore, AStrangeNameIsAnError) {
  const testing::TemporaryFolder folder;
  EXPECT_THROW(write_prompt(folder.path(), "../../etc/passwd", "a prompt"), Error);
  EXPECT_THROW(write_prompt(folder.path(), std::string(64, 'G'), "a prompt"), Error);
}

TEST(PromptStore, ReadsBackWhatIsThere) {
  const testing::TemporaryFolder folder;
  for (const std::string& text : {std::string(), std::string("one\ntwo"), std::string(3, '\0')}) {
    const std::string hash = sha256_hex(text);
    EXPECT_EQ(read_prompt(folder.path(), hash), std::nullopt);
    write_prompt(folder.path(), hash, text);
    EXPECT_EQ(read_prompt(folder.path(), hash), text);
  }
  EXPECT_THROW(read_prompt(folder.path(), "../run"), Error);
}

TEST(PromptStore, WhatIsNotThePromptIsAnError) {
  const testing::TemporaryFolder folder;
  const auto fault = [&](const std::string& hash) -> std::string {
    try {
      read_prompt(folder.path(), hash);
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  };
  const std::string hash = sha256_hex("the prompt"), other = sha256_hex("another");
  write_prompt(folder.path(), hash, "the prompt");
  const auto path = folder / "prompts" / (hash + ".zst");
  const std::string frame = read_file(path);
  write_file_atomic(folder / "prompts" / (other + ".zst"), frame);
  EXPECT_TRUE(fault(other).ends_with("not the prompt of that hash"));
  write_file_atomic(path, frame.substr(0, frame.size() - 1));
  EXPECT_NE(fault(hash), "");
  write_file_atomic(path, "no frame");
  EXPECT_TRUE(fault(hash).ends_with("no zstd frame that states its size"));
  // A frame of one segment that states 2^40 bytes.
  const std::string huge("\x28\xb5\x2f\xfd\xe0\x00\x00\x00\x00\x00\x01\x00\x00", 13);
  write_file_atomic(path, huge);
  EXPECT_TRUE(fault(hash).ends_with("a prompt of 1099511627776 bytes")) << fault(hash);
}

}  // namespace
}  // namespace elastic::runs
