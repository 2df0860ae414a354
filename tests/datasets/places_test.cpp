// Where an import puts files, what it calls them and what it refuses: exact texts.

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/text.h"
#include "datasets/build_prompt_pack.h"
#include "datasets/import.h"
#include "datasets/sources.h"
#include "tests/testing/folders.h"
#include "tests/testing/zip_writer.h"

namespace elastic::datasets {
namespace {

namespace fs = std::filesystem;

constexpr const char* kSquad = R"({"data": [{"title": "t", "paragraphs": []}]})";
constexpr const char* kHotpot = R"([{"question": "q", "answer": "a", "context": []}])";
constexpr const char* kEssays = R"({"text": "ours"})";
constexpr const char* kRow = R"({"input": "i", "context": "c", "answers": ["a"]})";

class Places : public ::testing::Test {
 protected:
  void write(const std::string& name, const std::string& bytes) const {
    create_folders((folder_ / name).parent_path());
    write_file_atomic(folder_ / name, bytes);
  }

  // What an import says, without the folder: "from -> path: state (note)", then what was left.
  std::string imported(const std::string& name) const {
    std::string all;
    try {
      const Import import = import_path(folder_ / name, folder_ / "data");
      for (const Imported& one : import.files) {
        all += fmt::format("{} -> {}: {} ({})\n", one.from.string(), join(one.paths, ", "),
                           to_string(one.state), one.note);
      }
      for (const fs::path& file : import.passed_over) all += "left: " + file.string() + "\n";
    } catch (const Error& error) {
      all = error.what();
    }
    return replace_all(all, folder_.path().string() + "/", "");
  }

  std::string stored(const std::string& path) const { return read_file(folder_ / "data" / path); }

  const testing::TemporaryFolder folder_;
};

std::string not_official(const std::string& file, const char* what, const std::string& bytes,
                         const char* source) {
  const Identity& wanted = find_sources(source).front()->files.front().identities.front();
  return fmt::format(
      "{}: not the official {}: sha256 {} ({} bytes), expected {} ({} bytes); nothing was imported",
      file, what, sha256_hex(bytes), bytes.size(), wanted.sha256, wanted.bytes);
}

std::string unknown(const std::string& bytes) {
  return fmt::format("unknown corpus (sha256 {} is of no known copy", sha256_hex(bytes));
}

TEST_F(Places, NamesDecideWhereTheySayEnough) {
  write("hotpot.json", kHotpot);  // the star stands for nothing
  EXPECT_EQ(imported("hotpot.json"),
            "hotpot.json -> ruler/hotpot.json: " + unknown(kHotpot) + ")\n");
  EXPECT_EQ(stored("ruler/hotpot.json"), kHotpot);
  EXPECT_EQ(imported("hotpot.json"),
            "hotpot.json -> ruler/hotpot.json: " + unknown(kHotpot) + ", already there)\n");
  write("hotpot.jsonx", kHotpot);
  EXPECT_EQ(imported("hotpot.jsonx"),
            "hotpot.jsonx: nothing here that the catalogue knows by hash, name or content; "
            "`elastic-bench data list` names the files");
  write("hotpot_x.json", kSquad);
  EXPECT_EQ(imported("hotpot_x.json"),
            "hotpot_x.json: named like ruler/hotpot_x.json but it is no list of question, answer, "
            "context; nothing was imported");
  write("PaulGrahamEssays.json", kEssays);
  EXPECT_EQ(imported("PaulGrahamEssays.json"),
            "PaulGrahamEssays.json -> ruler/PaulGrahamEssays.json: " + unknown(kEssays) + ")\n");
  write("PaulGrahamEssays_b.json", kEssays);
  EXPECT_EQ(
      imported("PaulGrahamEssays_b.json"),
      "PaulGrahamEssays_b.json -> ruler/PaulGrahamEssays_b.json: " + unknown(kEssays) + ")\n");
  write("PaulGrahamEssays.json", kSquad);
  EXPECT_EQ(imported("PaulGrahamEssays.json"),
            "PaulGrahamEssays.json: named like ruler/PaulGrahamEssays.json but it has no string "
            "`text`; nothing was imported");
  write("squad_dev-v2.0.json", kSquad);
  EXPECT_EQ(imported("squad_dev-v2.0.json"),
            not_official("squad_dev-v2.0.json", "squad_dev-v2.0.json", kSquad, "ruler/squad"));
}

TEST_F(Places, VagueNamesNeedTheirFolder) {
  const DataFile& file = find_sources("longbench_v2/data").front()->files.front();
  ASSERT_EQ(file.path, "longbench_v2/data.json");
  write("longbench_v2/data.json", "{}");
  write("other/data.json", "{}");
  EXPECT_EQ(imported("longbench_v2/data.json"),
            not_official("longbench_v2/data.json", "data.json", "{}", "longbench_v2/data"));
  EXPECT_EQ(imported("other/data.json"),
            "other/data.json: nothing here that the catalogue knows by hash, name or content; "
            "`elastic-bench data list` names the files");
  write("words/dict.txt", "word 1 n\n");
  EXPECT_EQ(imported("words/dict.txt"),
            not_official("words/dict.txt", "dict.txt", "word 1 n\n", "jieba"));
}

TEST_F(Places, ArchivesByTheirNames) {
  const DataSource& punkt = *find_sources("ruler/punkt").front();
  ASSERT_TRUE(punkt.open);
  std::vector<testing::ZipMember> members;
  std::vector<std::string> paths;
  for (const DataFile& file : punkt.files) {
    members.push_back({std::string(file.remote), "b\na\n"});
    paths.emplace_back(file.path);
  }
  testing::write_zip(folder_ / "punkt_tab.zip", members);
  EXPECT_EQ(imported("punkt_tab.zip"),
            punkt.archive.sha256.empty()
                ? fmt::format("punkt_tab.zip -> {}: verified (unpacked)\n", join(paths, ", "))
                : fmt::format("punkt_tab.zip: sha256 {}, expected {}; nothing was imported",
                              sha256_file(folder_ / "punkt_tab.zip"), punkt.archive.sha256));
  const Identity& jieba = find_sources("jieba").front()->archive;
  write("jieba-0.42.1.tar.gz", "x");
  EXPECT_EQ(imported("jieba-0.42.1.tar.gz"),
            jieba.sha256.empty()
                ? "jieba-0.42.1.tar.gz: not a readable .tar.gz: Unrecognized archive format"
                : fmt::format("jieba-0.42.1.tar.gz: sha256 {}, expected {}; nothing was imported",
                              sha256_hex("x"), jieba.sha256));
}

TEST_F(Places, ContentsDecideWhereNamesDoNot) {
  for (const auto& [bytes, what, source] :
       {std::tuple(kSquad, "squad_dev-v2.0.json", "ruler/squad"),
        {kHotpot, "hotpot_dev_distractor_v1.json", "ruler/hotpotqa"}}) {
    write("a.json", bytes);
    EXPECT_EQ(imported("a.json"), not_official("a.json", what, bytes, source));
    fs::rename(folder_ / "a.json", folder_ / "a.text");
    EXPECT_EQ(imported("a.text").substr(0, 20), "a.text: nothing here");
  }
  std::string table = "{\"0\": \"a\"";
  for (int i = 1; i <= 1000; ++i) table += fmt::format(", \"{}\": \"a\"", i);
  write("a.json", table + "}");
  EXPECT_EQ(imported("a.json"),
            not_official("a.json", "english_words.json", table + "}", "ruler/english-words"));
  write("a.json", kEssays);
  EXPECT_EQ(imported("a.json"),
            "a.json -> ruler/PaulGrahamEssays.json: " + unknown(kEssays) + ")\n");
  write("a.json", R"({"text": "theirs"})");
  const std::string aside =
      "ruler/PaulGrahamEssays.json.replaced-" + sha256_hex(kEssays).substr(0, 8);
  EXPECT_EQ(imported("a.json"),
            "a.json -> ruler/PaulGrahamEssays.json: " + unknown(R"({"text": "theirs"})") + ")\n");
  EXPECT_EQ(stored(aside), kEssays);
  EXPECT_EQ(stored("ruler/PaulGrahamEssays.json"), R"({"text": "theirs"})");
}

TEST_F(Places, RowsGoToTheFolderTheyComeFrom) {
  const std::string note = ": " + unknown(kRow) + ")\n";
  for (const char* name : {"x.jsonl", "rows/x.jsonl", "derived_rows/x.jsonl"}) write(name, kRow);
  EXPECT_EQ(imported("x.jsonl"), "x.jsonl -> longbench/rows/x.jsonl" + note);
  EXPECT_EQ(imported("derived_rows/x.jsonl"),
            "derived_rows/x.jsonl -> longbench/derived_rows/x.jsonl" + note);
  fs::remove_all(folder_ / "data");
  EXPECT_EQ(imported("rows/x.jsonl"), "rows/x.jsonl -> longbench/rows/x.jsonl" + note);
}

TEST_F(Places, KnownBytesGoToEveryPlaceOfTheirs) {
  const fs::path lists = testing::word_list_folder();
  if (lists.empty()) GTEST_SKIP() << testing::kNoWordLists;
  write("in/b.txt", read_file(lists / "ruler/wonderwords-3.0.1/verblist.txt"));
  write("in/a.txt", read_file(lists / "ruler/wonderwords-3.0.1/nounlist.txt"));
  write("in/c/d.txt", "not known");
  const auto label = [](const char* source, std::string_view file) {
    for (const DataFile& entry : find_sources(source).front()->files) {
      if (entry.path.ends_with(file)) return std::string(entry.identities.front().label);
    }
    return std::string();
  };
  EXPECT_EQ(imported("in"),
            fmt::format("in/a.txt -> ruler/wonderwords-3.0.1/nounlist.txt: verified ({})\n"
                        "in/b.txt -> ruler/wonderwords-2.2.0/verblist.txt: verified ({})\n"
                        "in/b.txt -> ruler/wonderwords-3.0.1/verblist.txt: verified ({})\n"
                        "left: in/c/d.txt\n",
                        label("ruler/wonderwords-3.0.1", "nounlist.txt"),
                        label("ruler/wonderwords-2.2.0", "verblist.txt"),
                        label("ruler/wonderwords-3.0.1", "verblist.txt")));
  EXPECT_EQ(imported("in/a.txt"),
            fmt::format("in/a.txt -> ruler/wonderwords-3.0.1/nounlist.txt: verified ({}, already "
                        "there)\n",
                        label("ruler/wonderwords-3.0.1", "nounlist.txt")));
}

std::map<std::string, std::string> upstream_files(bool recent) {
  std::string tasks;
  for (const char* name :
       {"niah", "variable_tracking", "common_words_extraction", "freq_words_extraction", "qa"}) {
    tasks += fmt::format(
        "  '{}': {{'template': 'x {{context}}', 'answer_prefix': 'A', 'tokens_to_generate': 3}},\n",
        name);
  }
  return {{"synthetic/constants.py", "TASKS = {\n" + tasks + "}\n"},
          {"template.py", "Templates = {'base': '{task_template}'}\n"},
          {"synthetic/niah.py", std::string("needle = 'a {value}'\nhaystack = 'noise'\n") +
                                    (recent ? "answer_prefix = 1\n" : "")},
          {"synthetic/variable_tracking.py", "noise = 'noise'\n"},
          {"synthetic/qa.py", "DOCUMENT_PROMPT = '{document}'\n"}};
}

TEST_F(Places, CheckoutsOfTheGeneratorGiveTheirPromptPack) {
  for (const bool recent : {false, true}) {
    const std::string name = recent ? "gen-b" : "gen-a";
    for (const auto& [file, text] : upstream_files(recent)) {
      write(name + "/scripts/data/" + file, text);
    }
    const std::string all = imported(name);
    EXPECT_EQ(all.substr(0, all.find("left")),
              fmt::format("{0} -> ruler/prompts-{0}.json: unknown corpus (built from a checkout)\n",
                          name));
    const std::string pack = stored(fmt::format("ruler/prompts-{}.json", name));
    EXPECT_EQ(pack, prompt_pack_text(build_prompt_pack(
                        upstream_files(recent), {"ruler@" + name, "local checkout", "unknown"})));
    // The pack itself is recognised by its profile.
    write("pack.json", pack);
    EXPECT_EQ(imported("pack.json"), fmt::format("pack.json -> ruler/prompts-{}.json: {}, already "
                                                 "there)\n",
                                                 name, unknown(pack)));
    write("pack.json", replace_all(pack, "ruler@gen", "ruler@own"));
    EXPECT_EQ(imported("pack.json").substr(0, 23), "pack.json: nothing here");
    fs::remove(folder_ / name / "scripts/data/synthetic/qa.py");
    EXPECT_EQ(imported(name).substr(0, name.size() + 14), name + ": nothing here");
  }
}

}  // namespace
}  // namespace elastic::datasets
