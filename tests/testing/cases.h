#pragma once

// How many cases a suite over stored expectations ran: said aloud, and held against what its folder
// holds, counted apart from the code that reads it.
//
//   testing::expect_all_ran(ran, testing::stored_lines(folder / "cases.jsonl"));

#include <cstddef>
#include <filesystem>

namespace elastic::testing {

/// Lines that hold something; 0 where the file is absent.
std::size_t stored_lines(const std::filesystem::path& file);

/// Prints "<ran> cases ran". Fails unless these and the `passed_over`, for want of data that the
/// test has named, are all that is `stored`. Marks the test as skipped where none ran.
void expect_all_ran(std::size_t ran, std::size_t stored, std::size_t passed_over = 0);

}  // namespace elastic::testing
