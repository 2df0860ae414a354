// Prompts, cuts and templates of LongBench against the official code's, with its stand-in tokenizer
// (id = character + 10, id 1 the begin mark).

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/utf8.h"
#include "tasks/longbench/profile.h"
#include "tasks/longbench/prompt.h"
#include "tasks/metrics/choice.h"
#include "tests/tasks/longbench_golden.h"

namespace elastic::tasks {
namespace {

using testing::expect_every_line;
using testing::longbench_rows;
using testing::Rows;

constexpr std::int32_t kBegin = 1, kShift = 10;

Ids encode(std::string_view text) {
  Ids ids = {kBegin};
  for (const char32_t c : code_points(text)) ids.push_back(static_cast<std::int32_t>(c) + kShift);
  return ids;
}

std::string decode(std::span<const std::int32_t> ids) {
  std::string text;
  for (const std::int32_t id : ids) {
    if (id != kBegin) append_utf8(text, static_cast<char32_t>(id - kShift));
  }
  return text;
}

const TokenCoder kStandIn = {encode, decode};

void check_templates(Rows from) {
  const std::vector<Json> rows = longbench_rows("format.jsonl", from);
  for (const Json& row : rows) {
    SCOPED_TRACE(row.at("id").get<std::string>());
    const std::string format = row.at("format").get<std::string>();
    if (row.contains("expected")) {
      EXPECT_EQ(fill_template(format, row.at("record")), row.at("expected").get<std::string>());
    } else {
      EXPECT_THROW(fill_template(format, row.at("record")), Error);
    }
  }
  expect_every_line(rows.size(), "format.jsonl", from);
}

TEST(Golden_longbench, Templates) { check_templates(Rows::kGolden); }
TEST(LongbenchOwn, Templates) { check_templates(Rows::kOwn); }

void check_cuts(Rows from) {
  const std::vector<Json> rows = longbench_rows("truncation.jsonl", from);
  for (const Json& row : rows) {
    SCOPED_TRACE(row.at("id").get<std::string>());
    const Ids ids = row.at("ids").get<Ids>();
    const auto length = row.at("max_length").get<std::int64_t>();
    if (row.at("rule") == "v1") {
      Ids head, tail;
      const bool cut = split_middle(ids, length, head, tail);
      EXPECT_EQ(cut, !row.at("head").is_null());
      if (cut) {
        EXPECT_EQ(head, row.at("head").get<Ids>());
        EXPECT_EQ(tail, row.at("tail").get<Ids>());
      }
    } else {
      const Ids joined = join_middle(ids, length);
      EXPECT_EQ(joined, row.at("joined").is_null() ? ids : row.at("joined").get<Ids>());
    }
  }
  expect_every_line(rows.size(), "truncation.jsonl", from);
}

TEST(Golden_longbench, Cuts) { check_cuts(Rows::kGolden); }
TEST(LongbenchOwn, Cuts) { check_cuts(Rows::kOwn); }

TEST(Golden_longbench, PromptsV1) {
  if (testing::data_path("longbench_config/v1").empty()) {
    GTEST_SKIP() << "data folder absent: longbench_config/v1";
  }
  const auto profile = longbench_profile("longbench-official", testing::data_path("."));
  std::size_t cases = 0;
  for (const Json& row : longbench_rows("prompt_v1.jsonl", Rows::kGolden)) {
    SCOPED_TRACE(row.at("id").get<std::string>());
    const LongbenchSet& set = longbench_set(row.at("dataset").get<std::string>());
    const std::string prompt =
        fill_template(profile->prompts.at(std::string(set.name)), row.at("record"));
    EXPECT_EQ(prompt, row.at("prompt").get<std::string>());
    const MiddleCut cut = cut_middle(kStandIn, prompt, row.at("max_length").get<std::int64_t>());
    const std::string final = set.chat ? "[INST]" + cut.text + "[/INST]" : cut.text;
    EXPECT_EQ(final, row.at("final_prompt").get<std::string>());
    EXPECT_EQ(set.chat, row.at("chat_template_applied").get<bool>());
    EXPECT_EQ(static_cast<std::int64_t>(encode(final).size()),
              row.at("context_tokens").get<std::int64_t>());
    EXPECT_EQ(profile->budgets.at(std::string(set.name)),
              row.at("generate").at("max_new_tokens").get<std::int64_t>());
    EXPECT_EQ(set.answer_budget, profile->budgets.at(std::string(set.name)));
    ++cases;
  }
  expect_every_line(cases, "prompt_v1.jsonl", Rows::kGolden);
}

std::string read_v2_prompt(const std::string& name) {
  return read_file(testing::data_path("longbench_config/v2/prompts") / name);
}

// The `count` best chunks as the official retrieval prompts show them: in the order of the text.
std::string retrieved_chunks(const Json& record, std::int64_t count) {
  std::vector<Json> chunks = record.at("retrieved_context");
  chunks.resize(std::min(chunks.size(), static_cast<std::size_t>(count)));
  std::ranges::stable_sort(chunks, {},
                           [](const Json& chunk) { return chunk.at("c_idx").get<int>(); });
  std::string out;
  for (std::size_t i = 0; i < chunks.size(); ++i) {
    out += fmt::format("{}Retrieved chunk {}: {}", i == 0 ? "" : "\n\n", i + 1,
                       chunks[i].at("content").get<std::string>());
  }
  return out;
}

void check_v2_row(const Json& row) {
  const std::string mode = row.at("mode").get<std::string>();
  const Json& record = row.at("record");
  const auto rag = row.at("rag_n").get<std::int64_t>();
  const auto length = row.at("max_len").get<std::int64_t>();
  const bool cot = mode.find("cot") != std::string::npos;
  const std::string file = rag > 0                                        ? "0shot_rag.txt"
                           : mode.find("no_context") != std::string::npos ? "0shot_no_context.txt"
                           : cot                                          ? "0shot_cot.txt"
                                                                          : "0shot.txt";
  const std::string context =
      rag > 0 ? retrieved_chunks(record, rag) : record.at("context").get<std::string>();
  const auto content = [&](std::size_t i) {
    return row.at("requests").at(i).at("messages").at(0).at("content").get<std::string>();
  };
  const auto expect = [&](std::size_t i, const std::string& prompt) {
    EXPECT_EQ(cut_middle_v2(kStandIn, prompt, length).text, content(i));
  };
  expect(0, fill_v2_template(read_v2_prompt(file), record, context, nullptr));
  const auto replies = row.at("replies").get<std::vector<std::string>>();
  if (row.at("requests").size() > 1 && replies.size() > 1 && !replies[0].empty()) {
    expect(1, fill_v2_template(read_v2_prompt("0shot_cot_ans.txt"), record, context, &replies[0]));
  }
  if (row.at("output_line").is_null()) return;
  const Json line = parse_json(row.at("output_line").get<std::string>(), "output_line");
  const auto letter = extract_choice(line.at("response").get<std::string>());
  EXPECT_EQ(letter ? Json(std::string(1, *letter)) : Json(nullptr), line.at("pred"));
}

TEST(Golden_longbench, PromptsV2) {
  if (testing::data_path("longbench_config/v2/prompts").empty()) {
    GTEST_SKIP() << "data folder absent: longbench_config/v2/prompts";
  }
  std::size_t cases = 0;
  for (const Json& row : longbench_rows("prompt_v2.jsonl", Rows::kGolden)) {
    SCOPED_TRACE(row.at("id").get<std::string>());
    check_v2_row(row);
    ++cases;
  }
  expect_every_line(cases, "prompt_v2.jsonl", Rows::kGolden);
}

}  // namespace
}  // namespace elastic::tasks
