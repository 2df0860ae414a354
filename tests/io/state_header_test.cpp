#include "engine/io/state_header.h"

#include <gtest/gtest.h>

#include "base/error.h"

namespace elastic::engine {
namespace {

StateHeader parse_text(const std::string& text) {
  return parse_state_header({kStateHeader,
                             TensorType::kU8,
                             {static_cast<std::int64_t>(text.size())},
                             {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()}},
                            "state");
}

TEST(StateHeader, ReadsWhatItWrites) {
  const StateHeader header = parse_text(state_header_text({7, 9000, R"({"seed":1})"}));
  EXPECT_EQ(header.step, 7);
  EXPECT_EQ(header.tokens, 9000);
  EXPECT_EQ(header.options, R"({"seed":1})");
}

TEST(StateHeader, BadOnesAreNamed) {
  for (const char* bad : {"", "7", "[]", R"({"step": 1, "tokens": 2})",
                          R"({"step": "1", "tokens": 2, "options": ""})",
                          R"({"step": -1, "tokens": 2, "options": ""})",
                          R"({"step": 1, "tokens": -2, "options": ""})",
                          R"({"step": 1e30, "tokens": 2, "options": ""})"}) {
    try {
      parse_text(bad);
      ADD_FAILURE() << bad;
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::kCorrupt) << bad;
      EXPECT_TRUE(std::string_view(error.what()).starts_with("state")) << error.what();
    }
  }
}

TEST(StateHeader, TheFirstOptionThatDiffersIsNamed) {
  const auto message = [](const char* stored) {
    try {
      compare_state_options("state", stored, R"({"lr":2,"seed":1})");
    } catch (const Error& error) {
      return std::string(error.what());
    }
    return std::string();
  };
  EXPECT_EQ(message(R"({"lr":2,"seed":1})"), "");
  EXPECT_NE(message(R"({"lr":2,"seed":3})").find("`seed` 3, now it is 1"), std::string::npos);
  EXPECT_NE(message(R"({"seed":1})").find("`lr` null, now it is 2"), std::string::npos);
  EXPECT_NE(message(R"({"lr":2,"seed":1,"more":4})").find("other options"), std::string::npos);
}

}  // namespace
}  // namespace elastic::engine
