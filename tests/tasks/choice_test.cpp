#include "tasks/metrics/choice.h"

#include <gtest/gtest.h>

namespace elastic::tasks {
namespace {

TEST(Choice, TheFirstOfEachFormAndBracketsBeforeBareLetters) {
  const std::pair<const char*, std::optional<char>> rows[] = {
      {"The correct answer is (B).", 'B'},
      {"The correct answer is B", 'B'},
      {"**The correct answer is (C)**", 'C'},
      {"The correct answer is A. No: The correct answer is B.", 'A'},
      {"The correct answer is A. No: The correct answer is (B).", 'B'},
      {"The correct answer is (A). No: The correct answer is (B).", 'A'},
      {"The correct answer is (E). The correct answer is D", 'D'},
      {"The correct answer is (A", std::nullopt},
      {"The correct answer is E", std::nullopt},
      {"The correct answer is ", std::nullopt},
      {"the correct answer is (A)", std::nullopt},
      {"B", std::nullopt},
      {"", std::nullopt},
  };
  for (const auto& [reply, letter] : rows) EXPECT_EQ(extract_choice(reply), letter) << reply;
}

}  // namespace
}  // namespace elastic::tasks
