// Rows of the user's training files to the token, and what is said about bad ones.

#include <gtest/gtest.h>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <functional>

#include "base/error.h"
#include "base/text.h"
#include "tasks/training/file_row.h"
#include "tests/tasks/training_documents.h"

namespace elastic::tasks {
namespace {

FileOptions two_tasks() {
  FileOptions options;
  options.tasks = {{"Single QA", 1}, {"Code", 1}};
  return options;
}

std::string message(const std::function<std::string()>& act) {
  try {
    return act() + "\n";
  } catch (const Error& error) {
    return fmt::format("{} {}\n", static_cast<int>(error.kind()), error.what());
  }
}

std::string shown_row(const Json& row, const FileOptions& options = two_tasks()) {
  return message([&] {
    std::string text;
    for (const auto& d : read_row(row, "row", options, demo_tokenizer())) {
      EXPECT_EQ(d.ids.size(), d.is_answer.size());
      text +=
          fmt::format(" [{}] {} {} from {}: {}|", d.task, fmt::join(d.ids, " "),
                      fmt::join(d.is_answer, ""), d.prompt_tokens, demo_tokenizer().decode(d.ids));
    }
    return replace_all(text, "\n", "/");
  });
}

Json document(std::string_view context, std::string_view question,
              const Json& more = Json::object()) {
  Json row = {{"context", context}, {"question", question}, {"answer", "z"}, {"task", "Code"}};
  row.update(more);
  return row;
}

TEST(TrainingRows, DocumentsKeepTheirBlanksInFront) {
  std::string all = "\n";
  for (const bool prefix : {true, false}) {
    for (const auto& [context, question] : {std::pair("  a b ", " c d "),
                                            {"", ""},
                                            {" ", "  "},
                                            {"a", ""},
                                            {"", "c"},
                                            {"\xEF\xBB\xBF"
                                             "a",
                                             "\xEF\xBB\xBF"
                                             "c"},
                                            {"\na\n", "\nc\n"}}) {
      all += shown_row(document(context, question, {{"is_prefix", prefix}}));
    }
  }
  EXPECT_EQ(all, R"(
 [1] 1 6104 3 6111 428 6104 3 3 6104 366 363 3 6137 2 00000000000011 from 12: /c d //  a b/z|
 [1] 1 6104 3 3 3 3 6137 2 00000011 from 6: ////z|
 [1] 1 6104 3 3 3 3 6137 2 00000011 from 6: ////z|
 [1] 1 6104 3 3 3 6108 3 6137 2 000000011 from 7: ///a/z|
 [1] 1 6104 3 6111 3 3 3 6137 2 000000011 from 7: /c///z|
 [1] 1 6104 3 6111 3 3 6108 3 6137 2 0000000011 from 8: /c//a/z|
 [1] 1 6104 3 6111 3 3 3 3 6108 3 6137 2 000000000011 from 10: /c////a/z|
 [1] 1 6104 3 6104 366 363 3 3 6111 428 6104 3 6137 2 00000000000011 from 12: /  a b//c d /z|
 [1] 1 6104 3 3 3 3 6137 2 00000011 from 6: ////z|
 [1] 1 6104 3 3 3 3 6137 2 00000011 from 6: ////z|
 [1] 1 6104 3 6108 3 3 3 6137 2 000000011 from 7: /a///z|
 [1] 1 6104 3 3 3 6111 3 6137 2 000000011 from 7: ///c/z|
 [1] 1 6104 3 6108 3 3 6111 3 6137 2 0000000011 from 8: /a//c/z|
 [1] 1 6104 3 3 6108 3 3 6111 3 3 6137 2 000000000011 from 10: //a//c//z|
)");
}

TEST(TrainingRows, AnswersBeginWhereTheEncodingsPart) {
  std::string all = "\n";
  const auto with = [&](const char* text, const char* end, const Json& row) {
    FileOptions options = two_tasks();
    options.text = text;
    options.end = end;
    options.wrappings = {{"Code", {"w", "v"}}};
    all += shown_row(row, options);
  };
  const Json single = document("a", "c", {{"task", "Single QA"}, {"answer", "three"}});
  for (const char* text :
       {"{prompt}\n{answer}", "{prompt}{answer}", "{answer}", "<{prompt}>{answer}."}) {
    for (const char* end : {"</s>", "no such piece", "."}) {
      with(text, end, single);
      with(text, end, document("a", "c"));
    }
  }
  with("{prompt}{prompts}{answer}", "", single);
  with("{prompt}{answer}{more}", "", single);
  EXPECT_EQ(all, R"(
 [0] 1 6104 3 6111 3 3 6108 3 500 604 2 00000000111 from 8: /c//a/three|
 [1] 1 333 3 6111 3 3 501 3 6137 2 0000000011 from 8: w/c//av/z|
 [0] 1 6104 3 6111 3 3 6108 3 500 604 0000000011 from 8: /c//a/three|
 [1] 1 333 3 6111 3 3 501 3 6137 000000001 from 8: w/c//av/z|
 [0] 1 6104 3 6111 3 3 6108 3 500 604 4 00000000111 from 8: /c//a/three.|
 [1] 1 333 3 6111 3 3 501 3 6137 4 0000000011 from 8: w/c//av/z.|
 [0] 1 6104 3 6111 3 3 763 604 2 000000111 from 6: /c//athree|
 [1] 1 333 3 6111 3 3 501 6137 2 000000011 from 7: w/c//avz|
 [0] 1 6104 3 6111 3 3 763 604 00000011 from 6: /c//athree|
 [1] 1 333 3 6111 3 3 501 6137 00000001 from 7: w/c//avz|
 [0] 1 6104 3 6111 3 3 763 604 4 000000111 from 6: /c//athree.|
 [1] 1 333 3 6111 3 3 501 6137 4 000000011 from 7: w/c//avz.|
 [0] 1 1388 2 011 from 1: three|
 [1] 1 705 2 011 from 1: z|
 [0] 1 1388 01 from 1: three|
 [1] 1 705 01 from 1: z|
 [0] 1 1388 4 011 from 1: three.|
 [1] 1 705 4 011 from 1: z.|
 [0] 1 6104 134 3 6111 3 3 6108 136 500 604 4 2 0000000001111 from 9: </c//a>three.|
 [1] 1 6104 134 6117 3 6111 3 3 501 136 6137 4 2 0000000000111 from 10: <w/c//av>z.|
 [0] 1 6104 134 3 6111 3 3 6108 136 500 604 4 000000000111 from 9: </c//a>three.|
 [1] 1 6104 134 6117 3 6111 3 3 501 136 6137 4 000000000011 from 10: <w/c//av>z.|
 [0] 1 6104 134 3 6111 3 3 6108 136 500 604 4 000000000111 from 9: </c//a>three.|
 [1] 1 6104 134 6117 3 6111 3 3 501 136 6137 4 000000000011 from 10: <w/c//av>z.|
2 prompt pack: unknown field `{prompts}` in a template
2 prompt pack: unknown field `{more}` in a template
)");
}

TEST(TrainingRows, DocumentsFillABatchExactly) {
  const auto size = static_cast<std::int64_t>(
      read_row(document("a", "c"), "row", two_tasks(), demo_tokenizer())[0].ids.size());
  FileOptions options = two_tasks();
  options.tokens_per_batch = size;
  EXPECT_EQ(shown_row(document("a", "c"), options), shown_row(document("a", "c")));
  options.tokens_per_batch = size - 1;
  EXPECT_EQ(shown_row(document("a", "c"), options),
            fmt::format("2 row: {} tokens, tokens_per_batch is {}; cut the row, leave it out or "
                        "raise `tokens_per_batch`\n",
                        size, size - 1));
}

TEST(TrainingRows, BadDocumentsAreNamed) {
  std::string all = "\n";
  const Json bad[] = {
      Json::array(),
      document("a", "c", {{"task", "Poems"}}),
      document("a", "c", {{"task", 3}}),
      document("a", "c", {{"answer", " \n"}}),
      document("a", "c", {{"answer", 1}}),
      document("a", "c", {{"is_prefix", 1}}),
      document("a", "c", {{"question", nullptr}}),
      document("a", "c", {{"context", nullptr}}),
      document("a", "c", {{"metadata", "[1]"}}),
      document("a", "c", {{"metadata", "{'a': b}"}}),
      document("a", "c", {{"metadata", 1}}),
      document("a", "c", {{"metadata", {{"is_prefix", 1}}}}),
      {{"context", "a"}, {"question", "c"}, {"answer", "z"}},
      {{"context", "a"}, {"question", "c"}, {"answer", "z"}, {"metadata", {{"task", 1}}}},
  };
  for (const Json& row : bad) all += shown_row(row);
  FileOptions none;
  all += shown_row(document("a", "c"), none);
  EXPECT_EQ(all, R"(
2 row: is not a JSON object
2 row: task `Poems` has no target sparsity; known: Single QA, Code; add it to `targets` or leave the row out
2 row: key `task` is 3, expected a string
2 row: `answer` is empty; leave the row out
2 row: key `answer` is 1, expected a string
2 row: key `is_prefix` is 1, expected true or false
2 row: key `question` is null, expected a string
2 row: key `context` is null, expected a string
2 row, `metadata`: is the text of no object
2 row, `metadata`: no literal value of `metadata` found: line 1 assigns `b`
2 row: key `metadata` is 1, expected a string
2 row: key `is_prefix` is 1, expected true or false
2 row: no key `task`; name the task that the document belongs to, as "Single QA"
2 row: key `task` is 1, expected a string
2 row: task `Code` has no target sparsity; known: ; add it to `targets` or leave the row out
)");
}

Json pack(const std::string& changes = "{}") {
  Json row = parse_json(R"({"input_ids": [1, 500, 604, 705, 1, 6137], "seq_lengths": [0, 4, 6],
      "task_ids": [0, 1], "range_ids": [[0, 0, 0, 0, 0, 0, 2, 3], [0, 1, 1, 1, 1, 1, 1, 1]]})",
                        "pack");
  row.update(parse_json(changes, "changes"));
  return row;
}

TEST(TrainingRows, PacksAreReadToTheirBounds) {
  const std::int64_t last = demo_tokenizer().vocab_size() - 1;
  std::string all = fmt::format("\n{}", shown_row(pack()));
  all += shown_row(pack(fmt::format(R"({{"input_ids": [0, {}, 0, 0, 1, 2]}})", last)));
  for (const char* changes :
       {R"({"range_ids": [[0,0,0,0,0,0,1,1], [0,0,0,0,0,0,1,1]]})",
        R"({"range_ids": [[0,0,0,0,0,0,3,3], [0,0,0,0,0,0,1,1]]})",
        R"({"range_ids": [[0,0,0,0,0,0,0,1], [0,0,0,0,0,0,1,1]]})",
        R"({"range_ids": [[0,0,0,0,0,0,3,2], [0,0,0,0,0,0,1,1]]})",
        R"({"range_ids": [[0,0,0,0,0,0,3,4], [0,0,0,0,0,0,1,1]]})",
        R"({"range_ids": [[0,0,0,0,0,1,1], [0,0,0,0,0,0,1,1]]})",
        R"({"range_ids": [[0,0,0,0,0,0,1,1,1], [0,0,0,0,0,0,1,1]]})",
        R"({"range_ids": [3, [0,0,0,0,0,0,1,1]]})",
        R"({"range_ids": [[0,0,0,0,0,0,1,1]]})",
        R"({"range_ids": 3})",
        R"({"range_ids": [[0,0,0,0,0,0,-1,1], []]})",
        R"({"seq_lengths": [0, 6]})",
        R"({"seq_lengths": [0, 6], "task_ids": [1], "range_ids": [[0,0,0,0,0,0,5,5]]})",
        R"({"seq_lengths": [0, 4, 4, 6]})",
        R"({"seq_lengths": [0, 4, 3, 6]})",
        R"({"seq_lengths": [1, 6]})",
        R"({"seq_lengths": [0, 5]})",
        R"({"seq_lengths": [0, 7]})",
        R"({"seq_lengths": [6]})",
        R"({"seq_lengths": [0], "input_ids": []})",
        R"({"seq_lengths": []})",
        R"({"seq_lengths": [0, 1.5, 6]})",
        R"({"seq_lengths": 3})",
        R"({"task_ids": [0, 2]})",
        R"({"task_ids": [-1, 1]})",
        R"({"task_ids": [0]})",
        R"({"task_ids": 3})",
        R"({"input_ids": 3})",
        R"({"input_ids": [1, "a", 1, 1, 1, 1]})"}) {
    all += shown_row(pack(changes));
  }
  for (const std::int64_t id : {last + 1, std::int64_t{-1}}) {
    Json row = pack();
    row["input_ids"][5] = id;
    all += replace_all(shown_row(row), std::to_string(last), "LAST");
  }
  for (const char* key : {"seq_lengths", "task_ids", "range_ids"}) {
    Json row = pack();
    row.erase(key);
    all += shown_row(row);
  }
  FileOptions options = two_tasks();
  for (const std::int64_t most : {6, 5}) {
    options.tokens_per_batch = most;
    all += shown_row(pack(), options);
  }
  EXPECT_EQ(all, R"(
 [0] 1 500 604 705 0011 from 2: three z| [1] 1 6137 01 from 1: z|
 [0] 0 6143 0 0 0011 from 2:  ⁇ ñ ⁇  ⁇ | [1] 1 2 01 from 1: |
 [0] 1 500 604 705 0100 from 1: three z| [1] 1 6137 01 from 1: z|
 [0] 1 500 604 705 0001 from 3: three z| [1] 1 6137 01 from 1: z|
2 row: `range_ids` must hold 8 numbers for each document, the last two the answer's first and last token (1 to 3)
2 row: `range_ids` must hold 8 numbers for each document, the last two the answer's first and last token (1 to 3)
2 row: `range_ids` holds 4, expected whole numbers from 0 to 3
2 row: `range_ids` must hold 8 numbers for each document, the last two the answer's first and last token (1 to 3)
2 row: `range_ids` must hold 8 numbers for each document, the last two the answer's first and last token (1 to 3)
2 row: `range_ids` is not a list of numbers
2 row: 2 documents by `seq_lengths`, but 2 `task_ids` and 1 `range_ids`
2 row: a packed row without the list `range_ids`
2 row: `range_ids` holds -1, expected whole numbers from 0 to 3
2 row: 1 documents by `seq_lengths`, but 2 `task_ids` and 2 `range_ids`
 [1] 1 500 604 705 1 6137 000001 from 5: three zz|
2 row: `seq_lengths` must ascend from 0 to the 6 tokens of `input_ids`
2 row: `seq_lengths` must ascend from 0 to the 6 tokens of `input_ids`
2 row: `seq_lengths` must ascend from 0 to the 6 tokens of `input_ids`
2 row: `seq_lengths` must ascend from 0 to the 6 tokens of `input_ids`
2 row: `seq_lengths` holds 7, expected whole numbers from 0 to 6
2 row: `seq_lengths` must ascend from 0 to the 6 tokens of `input_ids`
2 row: `seq_lengths` must ascend from 0 to the 0 tokens of `input_ids`
2 row: `seq_lengths` must ascend from 0 to the 6 tokens of `input_ids`
2 row: `seq_lengths` holds 1.5, expected whole numbers from 0 to 6
2 row: a packed row without the list `seq_lengths`
2 row: `task_ids` holds 2, expected whole numbers from 0 to 1
2 row: `task_ids` holds -1, expected whole numbers from 0 to 1
2 row: 2 documents by `seq_lengths`, but 1 `task_ids` and 2 `range_ids`
2 row: `task_ids` is not a list of numbers
2 row: a packed row without the list `input_ids`
2 row: `input_ids` holds "a", expected whole numbers from 0 to 6143
2 row: `input_ids` holds 6144, expected whole numbers from 0 to LAST
2 row: `input_ids` holds -1, expected whole numbers from 0 to LAST
2 row: a packed row without the list `seq_lengths`
2 row: a packed row without `task_ids`; give one task id for each document
2 row: a packed row without the list `range_ids`
 [0] 1 500 604 705 0011 from 2: three z| [1] 1 6137 01 from 1: z|
2 row: 6 tokens, tokens_per_batch is 5; cut the row, leave it out or raise `tokens_per_batch`
)");
}

}  // namespace
}  // namespace elastic::tasks
