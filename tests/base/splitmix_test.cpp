#include "base/splitmix.h"

#include <gtest/gtest.h>

#include <utility>
#include <vector>

namespace elastic {
namespace {

// The published outputs of SplitMix64 for two seeds.
TEST(SplitMix, TheStreamIsThePublishedOne) {
  const std::vector<std::pair<std::uint64_t, std::vector<std::uint64_t>>> rows = {
      {0, {0xe220a8397b1dcdafu, 0x6e789e6aa1b965f4u, 0x06c45d188009454fu}},
      {1234567,
       {6457827717110365317u, 3203168211198807973u, 9817491932198370423u, 4593380528125082431u}}};
  for (const auto& [seed, values] : rows) {
    SplitMix64 numbers(seed), shares(seed);
    for (const std::uint64_t value : values) {
      EXPECT_EQ(numbers.next(), value) << seed;
      EXPECT_EQ(shares.uniform(), static_cast<double>(value >> 11) / 9007199254740992.0) << seed;
    }
  }
}

}  // namespace
}  // namespace elastic
