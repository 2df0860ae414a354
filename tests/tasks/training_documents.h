#pragma once

// Synthetic training documents for tests: the demo model's tokenizer, the fixture's word lists.
//
//   const MixDocument drawn = draw("vt", {.length = 512, .style = Style::kOwn}, seed);
//   EXPECT_EQ(answer_of(drawn), "ABCDE FGHIJ KLMNO PQRST UVWXY\n");

#include <gtest/gtest.h>

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>

#include "tasks/training/families.h"
#include "tasks/training/training_mix.h"
#include "tests/testing/folders.h"

namespace elastic::tasks {

inline constexpr Style kStyles[] = {Style::kBuiltin, Style::kOwn, Style::kRandomWords};

inline const engine::Tokenizer& demo_tokenizer() {
  static const auto kTokenizer =
      engine::Tokenizer::load(elastic::testing::source_folder() / "models/demo");
  return kTokenizer;
}

inline const MixSources& sources() {
  static const MixSources kSources(demo_tokenizer(),
                                   testing::fixture("ruler/data/ruler/wonderwords-3.0.1"), 7);
  return kSources;
}

inline Json config(const std::string& more = "{}") {
  Json json = parse_json(more, "test");
  json["kind"] = "synthetic";
  json["data_dir"] = testing::fixture("ruler/data").string();
  return json;
}

inline engine::BatchSource mix(const std::string& more = "{}") {
  return make_training_mix(config(more), demo_tokenizer());
}

/// The room is 97 % of the shape's length.
inline MixDocument draw(std::string_view family, DocumentShape shape, std::uint64_t seed) {
  MixRandom random(seed);
  shape.room = shape.length * 97 / 100;
  return draw_document(find_family(family), shape, sources(), random);
}

/// The text behind the first question's answer prefix, without the blank: the answer where one
/// question is asked.
inline std::string answer_of(const MixDocument& drawn) {
  const auto& document = drawn.document;
  return demo_tokenizer().decode(
      std::span(document.ids).subspan(static_cast<std::size_t>(document.prompt_tokens)));
}

inline std::string prompt_of(const MixDocument& drawn) {
  const std::string answer = answer_of(drawn);
  EXPECT_TRUE(drawn.text.ends_with(" " + answer)) << answer;
  return drawn.text.substr(0, drawn.text.size() - answer.size() - 1);
}

}  // namespace elastic::tasks
