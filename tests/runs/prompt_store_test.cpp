#include "runs/prompt_store.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "base/hash.h"
#include "tests/testing/folders.h"
#include "tests/testing/stored_prompt.h"

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
  EXPECT_EQ(testing::stored_prompt(folder.path(), hash), text);
}

TEST(PromptStore, AStrangeNameIsAnError) {
  const testing::TemporaryFolder folder;
  EXPECT_THROW(write_prompt(folder.path(), "../../etc/passwd", "a prompt"), Error);
  EXPECT_THROW(write_prompt(folder.path(), std::string(64, 'G'), "a prompt"), Error);
}

}  // namespace
}  // namespace elastic::runs
