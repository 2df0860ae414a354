#include "tasks/training/families.h"

#include <fmt/format.h>

#include "base/error.h"
#include "base/registry.h"

namespace elastic::tasks {
namespace {

constexpr int kMaxTries = 50;

// Weights: the hard ones more often (multikey in prose, haystacks of needles, uuids, chains).
constexpr Family kFamilies[] = {
    {"single", "one needle, or up to four, in noise or prose", false, 1, 128, draw_single},
    {"multikey", "four to twelve needles, one asked for", false, 3, 128, draw_multikey},
    {"needles", "a needle in a haystack of needles", false, 4, 128, draw_needles},
    {"uuids", "the same with uuids as names and values", false, 3, 256, draw_uuids},
    {"multivalue", "names with several values each", false, 2, 256, draw_multivalue},
    {"multiquery", "several names asked for at once", false, 3, 256, draw_multiquery},
    {"vt", "chains of assignments", false, 3, 256, draw_chain},
    {"recent", "needles within the last 150 tokens", true, 1, 256, draw_recent},
    {"frequent", "the most frequent word or words of a stream", true, 1.5, 256, draw_frequent},
    {"common", "the ten common words of a numbered list", true, .5, 1024, draw_common},
};

}  // namespace

std::span<const Family> families() { return kFamilies; }

const Family& find_family(std::string_view name) { return find_entry(families(), "family", name); }

MixDocument draw_document(const Family& family, const DocumentShape& shape,
                          const MixSources& sources, MixRandom& random) {
  DocumentShape fitted = shape;
  for (int i = 0; i < kMaxTries; ++i) {
    MixDocument document = family.draw(fitted, sources, random);
    if (document.tokens() <= shape.length) return document;
    fitted.room = shape.length * (kMaxTries - i) / kMaxTries;
  }
  throw Error(ErrorKind::kInvalidArgument,
              fmt::format("family `{}`: no document fits into {} tokens with this tokenizer; take "
                          "the length out of `curriculum` or set the family's weight to 0",
                          family.name, shape.length));
}

bool draw_absent(const DocumentShape& shape, MixRandom& random) {
  return shape.absent_share > 0 && random.chance(shape.absent_share);
}

}  // namespace elastic::tasks
