#include "datasets/build_prompt_pack.h"

#include <gtest/gtest.h>

#include <fstream>

#include "base/error.h"
#include "base/file.h"
#include "datasets/python_literals.h"
#include "tests/testing/folders.h"

namespace elastic::datasets {
namespace {

namespace fs = std::filesystem;

// Python files of the shape of upstream's, in words of our own.
constexpr std::string_view kConstants = R"py(# A comment with a 'quote
"""
Module text:  TASKS = {"not": "this"}
"""
TASKS = {
    'niah': {
        'tokens_to_generate': 12,  # answer budget
        'template': """Some {type_needle_v} lie below.\n{context}\nAsk: {query}?""",
        'answer_prefix': """ They are""",
    },
    'variable_tracking' : {
        "tokens_to_generate": 1_0, "template": ('Follow ' "the \"names\".\n"
            + '{context} {query}'), 'answer_prefix': ' Names \u00e9:',
    },
    'common_words_extraction': {'tokens_to_generate': 7, 'template': 'c {context}',
        'answer_prefix': r' raw\n'},
    'freq_words_extraction': {'tokens_to_generate': 7, 'template': 'f {context}', 'answer_prefix': ''},
    'qa': {'tokens_to_generate': 5, 'template': 'q {context} {query}', 'answer_prefix': ' A:',
           'unused': [1, -2.5, None, True, ()]},
    'other': {'template': 'ignored'},
}
)py";
constexpr std::string_view kTemplates =
    "Templates = {\n    'base': \"{task_template}\",\n    'chat': '<u>{task_template}</u>\\t',\n}\n"
    "KINDS = {\"auto\", \"chat\"}\n";
constexpr std::string_view kNiah = R"py('''
needle = "wrong: this is a module text"
'''
parser.add_argument("--x", help='it\'s (odd)')
needle = "The {type_needle_v} of {key}: {value}."
if a == 'essay':
    haystack = re.sub(r'\s+', " ", essay).split(" ")
elif a == 'noise':
    haystack = "Rain falls. Wind blows."
)py";
constexpr std::string_view kTracking = "def f():\n    noise = \"Rain falls. Wind blows.\\n\"\n";
constexpr std::string_view kQa = "DOCUMENT_PROMPT = \"Text {i}:\\n{document}\"\n";

std::map<std::string, std::string> sources() {
  return {{"synthetic/constants.py", std::string(kConstants)},
          {"template.py", std::string(kTemplates)},
          {"synthetic/niah.py", std::string(kNiah)},
          {"synthetic/variable_tracking.py", std::string(kTracking)},
          {"synthetic/qa.py", std::string(kQa)}};
}

const PackOrigin kOrigin = {"ruler@test", "someone/somewhere", "abc"};

void expect_pack(const Json& pack) {
  EXPECT_EQ(pack["texts"]["needle"], "The {type_needle_v} of {key}: {value}.");
  EXPECT_EQ(pack["texts"]["noise"], "Rain falls. Wind blows.");
  EXPECT_EQ(pack["texts"]["qa_document"], "Text {i}:\n{document}");
  EXPECT_EQ(pack["tasks"].size(), 5u);
  EXPECT_EQ(pack["tasks"]["niah"]["template"],
            "Some {type_needle_v} lie below.\n{context}\nAsk: {query}?");
  EXPECT_EQ(pack["tasks"]["variable_tracking"]["template"],
            "Follow the \"names\".\n{context} {query}");
  EXPECT_EQ(pack["tasks"]["variable_tracking"]["tokens_to_generate"], 10);
  EXPECT_EQ(pack["tasks"]["variable_tracking"]["answer_prefix"], " Names \u00e9:");
  EXPECT_EQ(pack["tasks"]["common_words_extraction"]["answer_prefix"], " raw\\n");
  EXPECT_EQ(pack["model_templates"]["chat"], "<u>{task_template}</u>\t");
}

TEST(BuildPromptPack, ReadsTheConstants) {
  const Json pack = build_prompt_pack(sources(), kOrigin);
  expect_pack(pack);
  std::vector<std::string> keys;
  for (const auto& [key, ignored] : pack.items()) keys.push_back(key);
  EXPECT_EQ(keys, (std::vector<std::string>{"schema_version", "profile", "source", "texts", "tasks",
                                            "model_templates"}));
  EXPECT_EQ(pack["tasks"]["niah"].begin().key(), "template");
}

TEST(BuildPromptPack, LineEndsAreThoseOfPython) {
  auto crlf = sources();
  for (auto& [name, text] : crlf) {
    std::string changed;
    for (const char c : text) changed += c == '\n' ? std::string("\r\n") : std::string(1, c);
    text = changed;
  }
  expect_pack(build_prompt_pack(crlf, kOrigin));
}

TEST(BuildPromptPack, NoiseMayComeFromVariableTracking) {
  auto other = sources();
  other["synthetic/niah.py"] = "needle = \"{key} {value}\"\nhaystack = load()\n";
  EXPECT_EQ(build_prompt_pack(other, kOrigin)["texts"]["noise"], "Rain falls. Wind blows.");
}

TEST(BuildPromptPack, WhatIsMissingIsNamed) {
  const auto message = [](std::map<std::string, std::string> changed) -> std::string {
    try {
      build_prompt_pack(changed, kOrigin);
    } catch (const Error& error) {
      return error.what();
    }
    return "no error";
  };
  auto missing = sources();
  missing.erase("template.py");
  EXPECT_NE(message(missing).find("template.py"), std::string::npos);
  auto renamed = sources();
  renamed["synthetic/qa.py"] = "PROMPT = 'x'\n";
  EXPECT_NE(message(renamed).find("DOCUMENT_PROMPT"), std::string::npos);
  auto computed = sources();
  computed["synthetic/constants.py"] = "TASKS = load_tasks()\n";
  EXPECT_NE(message(computed).find("`load_tasks`"), std::string::npos) << message(computed);
  auto short_of = sources();
  short_of["synthetic/constants.py"] = "TASKS = {'niah': {}}\n";
  EXPECT_NE(message(short_of).find("niah"), std::string::npos);
}

TEST(BuildPromptPack, CheckoutTellsItsGenerationAndCommit) {
  const testing::TemporaryFolder folder;
  EXPECT_FALSE(prompt_pack_of_checkout(folder.path()));
  for (const auto& [name, text] : sources()) {
    const fs::path file = folder.path() / "scripts/data" / name;
    fs::create_directories(file.parent_path());
    std::ofstream(file) << text;
  }
  fs::create_directories(folder / ".git");
  std::ofstream(folder / ".git/HEAD") << "0123456789\n";
  auto pack = prompt_pack_of_checkout(folder.path());
  ASSERT_TRUE(pack);
  EXPECT_EQ(pack->at("profile"), "ruler@gen-a");
  EXPECT_EQ(pack->at("source")["commit"], "0123456789");
  std::ofstream(folder.path() / "scripts/data/synthetic/niah.py", std::ios::app)
      << "row['answer_prefix'] = x\n";
  EXPECT_EQ(prompt_pack_of_checkout(folder.path())->at("profile"), "ruler@gen-b");
}

// A JSON string is a Python string but for escapes beyond the BMP, which the packs do not hold.
std::string python_source(std::string_view name, const Json& value) {
  return std::string(name) + " = " + value.dump(4, ' ', true) + "\n";
}

// Known packs, spelt as Python and read back, are the same bytes.
TEST(BuildPromptPack, RebuildsKnownPacks) {
  const auto folder = testing::data_path("ruler");
  if (folder.empty()) GTEST_SKIP() << "data folder absent: ruler";
  int packs = 0;
  for (const auto& entry : fs::directory_iterator(folder)) {
    if (!entry.path().filename().string().starts_with("prompts-")) continue;
    ++packs;
    SCOPED_TRACE(entry.path().string());
    const std::string bytes = read_file(entry.path());
    const Json known = parse_json(bytes, entry.path().string());
    const Json& texts = known["texts"];
    const std::map<std::string, std::string> spelt = {
        {"synthetic/constants.py", python_source("TASKS", known["tasks"])},
        {"template.py", python_source("Templates", known["model_templates"])},
        {"synthetic/niah.py",
         python_source("needle", texts["needle"]) + python_source("haystack", texts["noise"])},
        {"synthetic/variable_tracking.py", ""},
        {"synthetic/qa.py", python_source("DOCUMENT_PROMPT", texts["qa_document"])}};
    const Json& source = known["source"];
    const Json built = build_prompt_pack(
        spelt, {known["profile"].get<std::string>(), source["repository"].get<std::string>(),
                source["commit"].get<std::string>(), source["licence"].get<std::string>()});
    EXPECT_EQ(prompt_pack_text(built), bytes);
  }
  if (packs == 0) GTEST_SKIP() << "data absent: ruler/prompts-*.json";
}

}  // namespace
}  // namespace elastic::datasets
