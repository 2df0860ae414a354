// The checkpoint's own chat template on the command line: `generate --chat` and RULER's
// `--model-template checkpoint`. The model is the demo with a template beside it.

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "base/file.h"
#include "base/json.h"
#include "base/text.h"
#include "tests/testing/folders.h"
#include "tests/testing/program.h"

namespace elastic {
namespace {

namespace fs = std::filesystem;
using testing::ProgramResult;

constexpr std::string_view kTemplate =
    "{{ bos_token }}{% for m in messages %}[{{ m.role }}]{{ m.content }}\n{% endfor %}"
    "{% if add_generation_prompt %}[assistant]{% endif %}";

class ChatCommand : public ::testing::Test {
 protected:
  void SetUp() override {
    const fs::path demo = testing::source_folder() / "models/demo";
    fs::create_directories(folder_ / "model");
    for (const char* file :
         {"config.json", "model.safetensors", "tokenizer.model", "tokenizer_config.json"}) {
      fs::create_symlink(demo / file, folder_ / "model" / file);
    }
    set_template(kTemplate);
  }

  void set_template(std::string_view text) const {
    write_file_atomic(folder_ / "model/chat_template.jinja", text);
  }
  std::string model() const { return (folder_ / "model").string(); }

  ProgramResult program(const std::vector<std::string>& arguments) const {
    return testing::Program(ELASTIC_BENCH_BINARY, arguments,
                            {{"ELASTIC_DATA_DIR", testing::word_list_folder().string()},
                             {"ELASTIC_CACHE_DIR", (folder_ / "cache").string()},
                             {"OMP_NUM_THREADS", "1"}})
        .wait();
  }

  ProgramResult generate(std::vector<std::string> more) const {
    more.insert(more.begin(), {"generate", "--device", "cpu", "--max-new-tokens", "2", "--json"});
    return program(more);
  }

  testing::TemporaryFolder folder_;
};

TEST_F(ChatCommand, GenerateWrapsThePromptWithOneBos) {
  if (!testing::kHasEngine) GTEST_SKIP() << testing::kNoEngine;
  const auto result = [&](const std::vector<std::string>& flags) {
    const auto generated = generate(flags);
    EXPECT_EQ(generated.code, 0) << generated.err;
    return parse_json(generated.out, "generate");
  };
  const Json plain = result({"--model", model(), "--prompt", "[user]Hello\n[assistant]"});
  const std::vector<std::string> flags = {"--model", model(), "--prompt", "Hello", "--chat"};
  // After a BOS that is read out of the text no blank is put in front of the rest.
  const int tokens = plain.at("prompt_tokens");
  EXPECT_EQ(result(flags).at("prompt_tokens"), tokens - 1);
  set_template(kTemplate.substr(kTemplate.find("{%")));
  const Json chat = result(flags);
  EXPECT_EQ(chat.at("prompt_tokens"), tokens);
  EXPECT_EQ(chat.at("ids"), plain.at("ids"));
}

TEST_F(ChatCommand, GenerateSaysWhatIsMissingOrWrong) {
  const auto ids = generate({"--model", model(), "--ids", "1,2", "--chat"});
  EXPECT_EQ(ids.code, 2);
  EXPECT_TRUE(ids.says("--chat goes with --prompt")) << ids.err;
  const auto none = generate({"--model", "demo", "--prompt", "a", "--chat"});
  EXPECT_EQ(none.code, 2);
  EXPECT_TRUE(none.says("no chat template")) << none.err;
  set_template(
      "{% set n = namespace(x=[1]) %}{% for i in range(50) %}{% set n.x = [n.x, n.x] %}"
      "{% endfor %}\n{{ n.x }}");
  const auto bomb = generate({"--model", model(), "--prompt", "a", "--chat"});
  EXPECT_EQ(bomb.code, 3);
  EXPECT_TRUE(bomb.says("chat_template.jinja, line 2: ")) << bomb.err;
}

TEST_F(ChatCommand, RulerPutsTheAnswerPrefixAfterTheAssistantsHeader) {
  if (!testing::kHasEngine) GTEST_SKIP() << testing::kNoEngine;
  if (testing::word_list_folder().empty()) GTEST_SKIP() << testing::kNoWordLists;
  const std::vector<std::string> flags = {
      "--model", model(), "--profile", "ruler@builtin", "--model-template", "checkpoint"};
  std::vector<std::string> arguments = {"preview", "--task", "ruler/niah_single_1", "--length",
                                        "512"};
  arguments.insert(arguments.end(), flags.begin(), flags.end());
  const auto preview = program(arguments);
  ASSERT_EQ(preview.code, 0) << preview.err;
  EXPECT_TRUE(preview.says("\n[user]")) << preview.out;
  EXPECT_FALSE(preview.says("<s>"));
  const std::size_t header = preview.out.find("\n[assistant]");
  ASSERT_NE(header, std::string::npos);
  EXPECT_NE(preview.out[header + 12], '\n') << "the answer prefix follows at once";
  const std::size_t ids = preview.out.find('\n', preview.out.find("== ids"));
  EXPECT_EQ(preview.out.compare(ids, 3, "\n1 "), 0);
  EXPECT_NE(preview.out.compare(ids, 5, "\n1 1 "), 0);

  arguments = {"run",
               "--tasks",
               "ruler/niah_single_1",
               "--modes",
               "fa",
               "--lengths",
               "512",
               "--limit",
               "1",
               "--device",
               "cpu",
               "--output",
               (folder_ / "run").string()};
  arguments.insert(arguments.end(), flags.begin(), flags.end());
  const auto run = program(arguments);
  EXPECT_EQ(run.code, 0) << run.err;
  const Json record = parse_json(
      split(read_file(folder_ / "run/samples.rank0.jsonl"), '\n').front(), "samples.rank0.jsonl");
  EXPECT_EQ(record.at("outcome"), "ok") << record.dump();
  EXPECT_LE(record.at("prompt_tokens").get<int>(), 512 - 128 + 1);
}

TEST_F(ChatCommand, DataGenerateTakesTheTemplateOfTheModel) {
  if (testing::word_list_folder().empty()) GTEST_SKIP() << testing::kNoWordLists;
  std::vector<std::string> arguments = {"data",      "generate",      "ruler/niah_single_1",
                                        "--length",  "512",           "--num-samples",
                                        "2",         "--output",      "-",
                                        "--profile", "ruler@builtin", "--model-template",
                                        "checkpoint"};
  const auto nobody = program(arguments);
  EXPECT_EQ(nobody.code, 2);
  EXPECT_TRUE(nobody.says("give --model DIR")) << nobody.err;
  arguments.insert(arguments.end(), {"--model", model()});
  const auto generated = program(arguments);
  ASSERT_EQ(generated.code, 0) << generated.err;
  for (const std::string_view line : split(generated.out, '\n')) {
    if (line.empty()) continue;
    const std::string input = parse_json(line, "line").at("input");
    EXPECT_TRUE(input.starts_with("[user]")) << input.substr(0, 80);
    EXPECT_TRUE(input.ends_with("\n[assistant]")) << input.substr(input.size() - 80);
  }
  set_template("changed {{ messages[0].content }}");  // another template is no hit of the cache
  EXPECT_NE(program(arguments).out, generated.out);
}

}  // namespace
}  // namespace elastic
