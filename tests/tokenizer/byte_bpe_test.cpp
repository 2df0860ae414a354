#include "engine/tokenizer/byte_bpe.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "engine/tokenizer/tokenizer_spec.h"

namespace elastic::engine {
namespace {

using Ids = std::vector<std::int32_t>;

Ids encode(const std::string& model, std::string_view text) {
  const std::string json = R"({"pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false},)"
                           R"( "decoder": {"type": "ByteLevel"}, "model": {"type": "BPE", )" +
                           model + "}}";
  return ByteBpe(parse_tokenizer_json(json, "test")).encode(text, false);
}

TEST(ByteBpe, UnknownBytesAreOneTokenEachOrFused) {
  const std::string model =
      R"("merges": [], "unk_token": "?", "vocab": {"a": 0, "?": 1}, "fuse_unk": )";
  EXPECT_EQ(encode(model + "false", "axxaxxx"), (Ids{0, 1, 1, 0, 1, 1, 1}));
  EXPECT_EQ(encode(model + "true", "axxaxxx"), (Ids{0, 1, 0, 1}));
}

TEST(ByteBpe, APieceThatNoMergeMakesIsUsedWhereMergesAreIgnored) {
  const std::string model =
      R"("merges": [], "vocab": {"a": 0, "b": 1, "ab": 2}, "ignore_merges": )";
  EXPECT_EQ(encode(model + "false", "ab"), (Ids{0, 1}));
  EXPECT_EQ(encode(model + "true", "ab"), Ids{2});
}

}  // namespace
}  // namespace elastic::engine
