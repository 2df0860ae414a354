// The merge step against its definition, on both sides of the length from which a heap is used.

#include "engine/tokenizer/bpe_merge.h"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <utility>
#include <vector>

namespace elastic::engine {
namespace {

using Symbols = std::vector<std::int32_t>;
using Rules = std::map<std::pair<std::int32_t, std::int32_t>, Merge>;

// As long as some pair is in the list: the one of lowest rank, leftmost first.
Symbols by_definition(const Rules& rules, Symbols symbols) {
  while (true) {
    Merge best;
    std::size_t at = 0;
    for (std::size_t i = 0; i + 1 < symbols.size(); ++i) {
      const auto rule = rules.find({symbols[i], symbols[i + 1]});
      if (rule == rules.end() || rule->second.rank >= best.rank) continue;
      best = rule->second;
      at = i;
    }
    if (best.rank == kNoRank) return symbols;
    symbols[at] = best.id;
    symbols.erase(symbols.begin() + static_cast<std::ptrdiff_t>(at) + 1);
  }
}

Symbols merged(const Rules& rules, const Symbols& symbols) {
  MergeTable table(rules.size());
  for (const auto& [pair, merge] : rules) table.add(pair.first, pair.second, merge);
  MergeWorkspace workspace;
  workspace.symbols = symbols;
  for (std::size_t i = 0; i + 1 < symbols.size(); ++i) {
    workspace.merges.push_back(table.find(symbols[i], symbols[i + 1]));
  }
  merge_symbols(table, workspace);
  return workspace.symbols;
}

TEST(BpeMerge, EqualRanksMergeFromTheLeft) {
  const Rules rules = {{{0, 0}, {.rank = 3, .id = 1}}};
  for (const std::size_t length : {5, 95, 97, 101, 1001}) {
    Symbols expected(length / 2, 1);
    expected.push_back(0);
    EXPECT_EQ(merged(rules, Symbols(length, 0)), expected) << length;
  }
}

TEST(BpeMerge, EqualsItsDefinition) {
  std::mt19937 random(5);
  for (int round = 0; round < 300; ++round) {
    Rules rules;
    const auto letters = static_cast<std::int32_t>(2 + random() % 3);
    std::int32_t next = letters;
    for (std::uint32_t rank = 0; rank < 12; ++rank) {
      const auto any = [&] {
        return static_cast<std::int32_t>(random() % static_cast<unsigned>(next));
      };
      const std::pair pair = {any(), any()};
      if (rules.emplace(pair, Merge{.rank = rank, .id = next}).second) ++next;
    }
    Symbols symbols(1 + random() % 300);
    for (std::int32_t& s : symbols)
      s = static_cast<std::int32_t>(random() % static_cast<unsigned>(letters));
    ASSERT_EQ(merged(rules, symbols), by_definition(rules, symbols)) << "round " << round;
  }
}

TEST(MergeTable, TheLastLineOfAPairCounts) {
  MergeTable table(3);
  table.add(1, 2, {.rank = 0, .id = 7});
  table.add(2, 1, {.rank = 1, .id = 8});
  table.add(1, 2, {.rank = 2, .id = 9});
  EXPECT_EQ(table.find(1, 2).rank, 2u);
  EXPECT_EQ(table.find(1, 2).id, 9);
  EXPECT_EQ(table.find(2, 1).id, 8);
  EXPECT_EQ(table.find(1, 1).rank, kNoRank);
}

}  // namespace
}  // namespace elastic::engine
