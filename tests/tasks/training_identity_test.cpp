// Synthetic documents are a function of family, shape and seed on every machine and from version to
// version: a trained router can be trained again. Whoever changes a family on purpose writes the
// hash that this test prints, and says in docs/training_data.md what changed.

#include <gtest/gtest.h>

#include <fmt/format.h>

#include "base/hash.h"
#include "tests/tasks/training_documents.h"

namespace elastic::tasks {
namespace {

// All ids of 108 documents, and where each prompt ends.
std::string identity(const Family& family) {
  std::vector<std::int32_t> all;
  for (const std::int64_t length : {256, 1024, 4096}) {
    if (length < family.min_length) continue;
    for (const Style style : kStyles) {
      for (std::uint64_t seed = 1; seed <= 12; ++seed) {
        const double absent = seed % 2 == 0 ? .3 : 0;
        const MixDocument drawn =
            draw(family.name, {.length = length, .absent_share = absent, .style = style}, seed);
        const auto& ids = drawn.document.ids;
        all.insert(all.end(), ids.begin(), ids.end());
        all.push_back(static_cast<std::int32_t>(drawn.document.prompt_tokens));
      }
    }
  }
  return sha256_ids(all).substr(0, 16);
}

constexpr std::string_view kIdentities = R"(
single ad5103e6cfd3f3b8
multikey 37c6d519262f471c
needles 0df815c154e3decc
uuids eefc880720fb8949
multivalue dc5bf4d16d7f8183
multiquery 581dfd8b64d57fcb
vt 3e7f9ef351b51eeb
recent 4abbb7e7a056d8c6
frequent fd79b8c9cf186e75
common aa8084e57b4e1c22
)";

TEST(training_identity, families_draw_what_they_always_drew) {
  std::string identities = "\n";
  for (const Family& family : families()) {
    identities += fmt::format("{} {}\n", family.name, identity(family));
  }
  EXPECT_EQ(identities, kIdentities);
}

// Which families, how long, how full: the mixture as a whole, short lengths and long ones.
TEST(training_identity, batches_are_what_they_always_were) {
  const engine::BatchSource source = mix(R"({"tokens_per_batch": 8192, "curriculum": [
    {"until": 0.5, "lengths": [256, 511]}, {"until": 1, "lengths": [512, 1024], "weights": [1, 3]}]})");
  std::vector<std::int32_t> all;
  for (std::int64_t step = 0; step < 12; ++step) {
    for (const auto& document :
         source.draw({.step = step, .progress = static_cast<double>(step) / 12})) {
      all.insert(all.end(), document.ids.begin(), document.ids.end());
      all.push_back(static_cast<std::int32_t>(document.task));
    }
  }
  EXPECT_EQ(sha256_ids(all).substr(0, 16), "824a5fa43686852c");
}

}  // namespace
}  // namespace elastic::tasks
