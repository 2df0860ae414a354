#include "tests/testing/cases.h"

#include <gtest/gtest.h>

#include <fstream>
#include <iostream>
#include <string>

namespace elastic::testing {

std::size_t stored_lines(const std::filesystem::path& file) {
  std::size_t lines = 0;
  std::ifstream in(file);
  for (std::string line; std::getline(in, line);) lines += line.empty() ? 0 : 1;
  return lines;
}

void expect_all_ran(std::size_t ran, std::size_t stored, std::size_t passed_over) {
  std::cout << ran << " cases ran";
  if (passed_over > 0) std::cout << ", " << passed_over << " passed over for want of data";
  std::cout << "\n";
  EXPECT_EQ(ran + passed_over, stored) << "stored cases were not run";
  if (ran == 0) GTEST_SKIP() << "no case that could run";
}

}  // namespace elastic::testing
