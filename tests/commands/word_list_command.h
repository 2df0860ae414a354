#pragma once

// A command on the demo model whose prompts are made of the word lists.

#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <string_view>

#include "tests/testing/program.h"

namespace elastic::testing {

class WordListCommand : public ::testing::Test {
 protected:
  void SetUp() override {
    data_ = word_list_folder();
    if (data_.empty()) GTEST_SKIP() << kNoWordLists;
    if (!kHasEngine) GTEST_SKIP() << kNoEngine;
  }

  std::string path(std::string_view name) const { return (folder_ / name).string(); }

  std::filesystem::path data_;
  TemporaryFolder folder_;
};

}  // namespace elastic::testing
