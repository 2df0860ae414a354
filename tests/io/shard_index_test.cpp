// Which file holds which tensor; names that are none.

#include "engine/io/shard_index.h"

#include <gtest/gtest.h>

#include "base/error.h"

namespace elastic::engine {
namespace {

std::map<std::string, std::string> parse(const Json& index) {
  return parse_shard_index({index, "index.json"});
}

TEST(ShardIndex, NamesAFileForEveryTensor) {
  const Json map = {{"a", "x.safetensors"}, {"b", "y"}, {"c", std::string(255, 'x')}};
  EXPECT_EQ(parse({{"metadata", {}}, {"weight_map", map}}),
            (std::map<std::string, std::string>{
                {"a", "x.safetensors"}, {"b", "y"}, {"c", std::string(255, 'x')}}));
}

TEST(ShardIndex, WhatIsNoFileNameIsRefused) {
  for (const Json& name : {Json(""), Json("."), Json(".."), Json("../a"), Json("a/b"), Json("/a"),
                           Json(std::string("a\0b", 3)), Json(std::string(256, 'x')), Json(7),
                           Json(nullptr), Json::array({"a"})}) {
    try {
      parse({{"weight_map", {{"a", "fine"}, {"tensor", name}}}});
      ADD_FAILURE() << name.dump();
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::kCorrupt);
      EXPECT_TRUE(std::string(error.what()).starts_with("index.json: `weight_map` "))
          << error.what();
    }
  }
  for (const Json& index :
       {Json::array(), Json::object(), Json{{"weight_map", Json::array()}}, Json(1)}) {
    EXPECT_THROW(parse(index), Error) << index.dump();
  }
}

}  // namespace
}  // namespace elastic::engine
