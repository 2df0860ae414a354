// Training data of the user's: documents, packed rows, and what is said about bad ones.

#include <gtest/gtest.h>

#include <csignal>
#include <fstream>
#include <set>

#include "base/error.h"
#include "base/interrupt.h"
#include "tasks/training/file_row.h"
#include "tasks/training/mix_random.h"
#include "tasks/training/training_mix.h"
#include "tests/testing/folders.h"

namespace elastic::tasks {
namespace {

const engine::Tokenizer& demo_tokenizer() {
  static const auto kTokenizer =
      engine::Tokenizer::load(elastic::testing::source_folder() / "models/demo");
  return kTokenizer;
}

std::string write(const testing::TemporaryFolder& folder, const std::string& bytes) {
  const auto file = folder / "rows.jsonl";
  std::ofstream(file, std::ios::binary) << bytes;
  return file.string();
}

engine::BatchSource load(const std::string& file, const std::string& more = "{}") {
  Json json = parse_json(more, "test");
  json["kind"] = "files";
  json["files"] = {file};
  return make_training_mix(json, demo_tokenizer());
}

std::string text_of(const engine::TrainingDocument& document, bool answer) {
  std::vector<std::int32_t> ids;
  for (std::size_t i = 0; i < document.ids.size(); ++i) {
    if ((document.is_answer[i] != 0) == answer) ids.push_back(document.ids[i]);
  }
  return demo_tokenizer().decode(ids, {.skip_special = true, .clean_up_spaces = {}});
}

constexpr const char* kDocument =
    R"({"context": "A cart rolls past. ", "question": " Who?", "answer": "the cart", "task": "Single QA"})";

TEST(training_files, a_document_is_prompt_answer_and_end) {
  const testing::TemporaryFolder folder;
  const auto source = load(write(folder, std::string(kDocument) + "\n"));
  const auto documents = source.draw({});
  ASSERT_EQ(documents.size(), 1u);
  EXPECT_EQ(text_of(documents[0], false), "\nWho?\n\nA cart rolls past.\n");
  EXPECT_EQ(text_of(documents[0], true), "the cart");
  EXPECT_EQ(documents[0].ids.front(), *demo_tokenizer().bos_id());
  EXPECT_EQ(documents[0].ids.back(), *demo_tokenizer().piece_id("</s>"));
  EXPECT_EQ(documents[0].is_answer[static_cast<std::size_t>(documents[0].prompt_tokens)], 1);
  EXPECT_EQ(source.tasks[static_cast<std::size_t>(documents[0].task)].name, "Single QA");
}

TEST(training_files, a_signal_ends_the_first_reading) {
  const testing::TemporaryFolder folder;
  const std::string file = write(folder, std::string(kDocument) + "\n");
  const InterruptGuard guard("");
  std::raise(SIGTERM);
  EXPECT_THROW(load(file), Interrupted);
}

TEST(training_files, text_and_metadata_say_how_a_document_is_written) {
  const testing::TemporaryFolder folder;
  const auto source =
      load(write(folder, R"({"context": "C", "question": "Q", "answer": "A", "is_prefix": false, )"
                         R"("metadata": {"task": "mine"}})"
                         "\n"),
           R"({"text": "<{prompt}> {answer}", "targets": {"mine": 0.25}})");
  const auto documents = source.draw({});
  EXPECT_EQ(text_of(documents[0], false) + "|" + text_of(documents[0], true), "<\nC\n\nQ>|A");
  EXPECT_EQ(source.tasks[static_cast<std::size_t>(documents[0].task)].target_sparsity, .25);
}

std::string row(const std::string& more) {
  return R"({"context": "C", "question": "Q", "answer": "A", )" + more + "}\n";
}

// Published sets carry the task within `metadata`, as an object or as the text of one.
TEST(training_files, metadata_is_an_object_or_the_text_of_one) {
  const std::string texts[] = {
      row(R"("metadata": {"task": "Single QA", "is_prefix": false, "length": 3})"),
      row(R"("metadata": "{'task': 'Single QA', 'is_prefix': False, 'length': '3'}")"),
      row(R"("metadata": "{\"task\": \"Single QA\", \"is_prefix\": false}")"),
      row(R"("task": "Single QA", "metadata": {"task": "Code", "is_prefix": false})"),
      row(R"("is_prefix": false, "metadata": {"task": "Single QA", "is_prefix": true})"),
      row(R"("task": "Single QA", "is_prefix": false, "metadata": null)"),
  };
  for (const std::string& text : texts) {
    const testing::TemporaryFolder folder;
    const auto source = load(write(folder, text));
    const auto documents = source.draw({});
    EXPECT_EQ(text_of(documents[0], false), "\nC\n\nQ\n") << text;
    EXPECT_EQ(source.tasks[static_cast<std::size_t>(documents[0].task)].name, "Single QA") << text;
  }
  const testing::TemporaryFolder folder;
  const auto prefix = load(write(folder, row(R"("metadata": {"task": "Single QA"})")));
  EXPECT_EQ(text_of(prefix.draw({})[0], false), "\nQ\n\nC\n");
}

TEST(training_files, summaries_and_code_are_asked_for) {
  const testing::TemporaryFolder folder;
  const auto prompt = [&](const char* task, const std::string& config) {
    const auto source = load(write(folder, row(R"("task": ")" + std::string(task) + "\"")), config);
    return text_of(source.draw({})[0], false);
  };
  EXPECT_EQ(prompt("Summarization", "{}"),
            "Here is a text. Summarise it in one page.\nQ\n\nC\n\nSummary:\n");
  EXPECT_EQ(prompt("Code", "{}"), "Continue this program with its next line.\nQ\n\nC\n");
  EXPECT_EQ(prompt("MultiHop QA", "{}"), "\nQ\n\nC\n");
  // Of the profile's prompts: the first line, and of the summary's the last paragraph.
  std::filesystem::create_directories(folder / "longbench_config/v1");
  const auto config_file = [&](const char* name, const char* bytes) {
    std::ofstream(folder / "longbench_config/v1" / name) << bytes;
  };
  config_file("dataset2maxlen.json", "{}");
  config_file("model2maxlen.json", "{}");
  config_file("dataset2prompt.json",
              R"({"multi_news": "One. Two. \n\nNews:\n{context}\n\nNow.\n\nEnd:",
                  "lcc": "Go on. \n{context}Next:\n"})");
  const std::string official =
      R"({"prompts": "longbench-official", "data_dir": ")" + folder.path().string() + "\"}";
  EXPECT_EQ(prompt("Summarization", official), "One. Two.\nQ\n\nC\n\nEnd:\n");
  EXPECT_EQ(prompt("Code", official), "Go on.\nQ\n\nC\n");
  EXPECT_THROW(prompt("Code", R"({"prompts": "longbench-v2@builtin"})"), Error);
  EXPECT_THROW(prompt("Code", R"({"prompts": "no-such"})"), Error);
}

TEST(training_files, every_row_comes_once_an_epoch_in_an_order_of_its_own) {
  const testing::TemporaryFolder folder;
  std::string rows;
  for (int i = 0; i < 12; ++i) {
    rows += R"({"context": "x", "question": "y", "answer": ")" + std::to_string(100 + i) +
            R"(", "task": "Single QA"})" + "\n";
  }
  const auto source = load(write(folder, rows), R"({"tokens_per_batch": 20})");
  std::vector<std::vector<std::string>> epochs(2);
  for (int step = 0; step < 12; ++step) {
    for (int rank = 0; rank < 2; ++rank) {
      for (const auto& document : source.draw({.step = step, .rank = rank, .world = 2})) {
        epochs[static_cast<std::size_t>(step / 6)].push_back(text_of(document, true));
      }
    }
  }
  for (const auto& epoch : epochs) {
    EXPECT_EQ(std::set<std::string>(epoch.begin(), epoch.end()).size(), 12u);
  }
  EXPECT_NE(epochs[0], epochs[1]);
}

constexpr const char* kPack =
    R"({"input_ids": [1, 300, 301, 302, 1, 303, 304], "labels": [-100, 300, 301, 302, -100, 303, 304],
        "seq_lengths": [0, 4, 7], "task_ids": [0, 3], "task_type": ["Single QA", "Code"],
        "range_ids": [[0, 0, 0, 1, 0, 1, 2, 3], [0, 0, 0, 1, 0, 1, 2, 2]]})";

TEST(training_files, a_packed_row_is_its_documents) {
  const testing::TemporaryFolder folder;
  std::string row = kPack;
  std::erase(row, '\n');
  const auto documents = load(write(folder, row + "\n")).draw({});
  ASSERT_EQ(documents.size(), 2u);
  EXPECT_EQ(documents[0].ids, (std::vector<std::int32_t>{1, 300, 301, 302}));
  EXPECT_EQ(documents[0].is_answer, (std::vector<std::uint8_t>{0, 0, 1, 1}));
  EXPECT_EQ(documents[0].prompt_tokens, 2);
  EXPECT_EQ(documents[1].ids, (std::vector<std::int32_t>{1, 303, 304}));
  EXPECT_EQ(documents[1].task, 3);
}

struct BadRow {
  const char* name;
  std::string row;
  const char* expected;  // part of the message
  std::string config = "{}";
};

std::string packed(const std::string& changes) {
  Json row = parse_json(kPack, "pack");
  row.update(parse_json(changes, "changes"));
  for (auto it = row.begin(); it != row.end();) it = it->is_null() ? row.erase(it) : std::next(it);
  return dump_line(row);
}

std::vector<BadRow> bad_rows() {
  return {
      {"no_task", R"({"context": "x", "question": "y", "answer": "z"})", "no key `task`"},
      {"unknown_task", R"({"context": "x", "question": "y", "answer": "z", "task": "Poems"})",
       "task `Poems` has no target sparsity"},
      {"no_context", R"({"question": "y", "answer": "z", "task": "Code"})", "key `context`"},
      {"no_answer", R"({"context": "x", "question": "y", "answer": " ", "task": "Code"})",
       "`answer` is empty"},
      {"context_no_text", R"({"context": 3, "question": "y", "answer": "z", "task": "Code"})",
       "key `context`"},
      {"metadata_no_object",
       R"({"context": "x", "question": "y", "answer": "z", "metadata": "[1]"})",
       "`metadata`: is the text of no object"},
      {"metadata_no_text", R"({"context": "x", "question": "y", "answer": "z", "metadata": "{a"})",
       "`metadata`"},
      {"metadata_number", R"({"context": "x", "question": "y", "answer": "z", "metadata": 3})",
       "key `metadata` is 3"},
      {"metadata_without_task",
       R"({"context": "x", "question": "y", "answer": "z", "metadata": {"is_prefix": true}})",
       "no key `task`"},
      {"prefix_no_flag",
       R"({"context": "x", "question": "y", "answer": "z", "task": "Code", )"
       R"("metadata": {"is_prefix": "yes"}})",
       "key `is_prefix`"},
      {"document_too_long", kDocument, "tokens_per_batch is 4; cut the row",
       R"({"tokens_per_batch": 4})"},
      {"pack_too_long", packed("{}"), "7 tokens, tokens_per_batch is 6",
       R"({"tokens_per_batch": 6})"},
      {"id_beyond_vocabulary", packed(R"({"input_ids": [1, 300, 301, 302, 1, 303, 999999]})"),
       "`input_ids` holds 999999"},
      {"negative_id", packed(R"({"input_ids": [1, 300, 301, 302, 1, 303, -1]})"), "holds -1"},
      {"no_task_ids", packed(R"({"task_ids": null})"), "without `task_ids`"},
      {"task_id_out_of_range", packed(R"({"task_ids": [0, 5]})"),
       "`task_ids` holds 5, expected whole numbers from 0 to 4"},
      {"task_ids_missing_one", packed(R"({"task_ids": [0]})"), "2 documents by `seq_lengths`"},
      {"lengths_fall", packed(R"({"seq_lengths": [0, 5, 4, 7]})"), "`seq_lengths` must ascend"},
      {"lengths_short", packed(R"({"seq_lengths": [0, 4, 6]})"), "to the 7 tokens"},
      {"no_lengths", packed(R"({"seq_lengths": null})"), "without the list `seq_lengths`"},
      {"range_beyond", packed(R"({"range_ids": [[0,0,0,1,0,1,2,4], [0,0,0,1,0,1,2,2]]})"),
       "`range_ids` holds 4"},
      {"range_of_seven", packed(R"({"range_ids": [[0,0,0,1,0,1,2], [0,0,0,1,0,1,2,2]]})"),
       "8 numbers"},
      {"range_backwards", packed(R"({"range_ids": [[0,0,0,1,0,1,3,2], [0,0,0,1,0,1,2,2]]})"),
       "8 numbers"},
      {"not_json", "{\"context\": ", "rows.jsonl, line 2"},
      {"not_an_object", "[1]", "is not a JSON object"},
  };
}

class TrainingRow : public ::testing::TestWithParam<BadRow> {};

TEST_P(TrainingRow, IsRefusedNamingFileAndLine) {
  const testing::TemporaryFolder folder;
  const std::string file = write(folder, "\n" + GetParam().row + "\n");
  try {
    load(file, GetParam().config);
    FAIL() << "no error";
  } catch (const Error& error) {
    const std::string message = error.what();
    EXPECT_EQ(error.kind(), ErrorKind::kCorrupt) << message;
    EXPECT_NE(message.find(file + ", line 2"), std::string::npos) << message;
    EXPECT_NE(message.find(GetParam().expected), std::string::npos) << message;
  }
}

INSTANTIATE_TEST_SUITE_P(training, TrainingRow, ::testing::ValuesIn(bad_rows()),
                         [](const auto& test) { return test.param.name; });

// Rows with bytes changed at random are documents or an error, never anything else.
TEST(training_files, changed_bytes_are_documents_or_an_error) {
  std::string pack = kPack;
  std::erase(pack, '\n');
  FileOptions options;
  options.tasks = {{"Single QA", 1}, {"Code", 1}};
  MixRandom random(5);
  int refused = 0;
  for (int i = 0; i < 4000; ++i) {
    std::string row = i % 2 == 0 ? pack : kDocument;
    for (std::int64_t changes = random.between(1, 4); changes > 0; --changes) {
      row[random.below(row.size())] = static_cast<char>(random.between(32, 126));
    }
    try {
      for (const auto& document :
           read_row(parse_json(row, "row"), "row", options, demo_tokenizer())) {
        ASSERT_EQ(document.is_answer.size(), document.ids.size()) << row;
        ASSERT_LT(document.task, 2) << row;
        ASSERT_GT(document.prompt_tokens, 0) << row;
        ASSERT_LT(document.prompt_tokens, static_cast<std::int64_t>(document.ids.size())) << row;
      }
    } catch (const Error&) {
      ++refused;
    }
  }
  EXPECT_GT(refused, 1000);
}

TEST(training_files, an_empty_file_and_a_missing_one_are_named) {
  const testing::TemporaryFolder folder;
  const std::string file = write(folder, "\n\n");
  for (const auto& [name, kind] :
       {std::pair(file, ErrorKind::kCorrupt), std::pair(file + "x", ErrorKind::kNotFound)}) {
    try {
      load(name);
      FAIL() << "no error";
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), kind) << error.what();
      EXPECT_NE(std::string(error.what()).find(name), std::string::npos) << error.what();
    }
  }
}

TEST(training_files, an_unknown_kind_is_an_error_with_the_known_ones) {
  try {
    make_training_mix(parse_json(R"({"kind": "file"})", "test"), demo_tokenizer());
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("did you mean `files`?"), std::string::npos);
  }
}

}  // namespace
}  // namespace elastic::tasks
