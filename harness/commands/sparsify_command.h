#pragma once

// What `analyze heads` leaves for `analyze sparsify`: pattern files whose gates are orders of heads
// (gates_of_order() of reports/head_scores.h).
//
//   write_file_atomic(order_file(folder, kByScore), pattern_text(gates_of_order(order, heads_kv)));

#include <CLI/CLI.hpp>
#include <filesystem>
#include <string_view>

namespace elastic::harness {

inline constexpr const char* kByScore = "score";
inline constexpr const char* kReverse = "reverse";
inline constexpr const char* kRandom = "random";

/// "order_score.tsv" in the folder.
std::filesystem::path order_file(const std::filesystem::path& folder, std::string_view order);

void add_sparsify(CLI::App& analyze, int& exit_code);

}  // namespace elastic::harness
