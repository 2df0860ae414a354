// `elastic-bench data` as a user calls it.

#include <gtest/gtest.h>

#include <chrono>
#include <csignal>
#include <thread>

#include "base/file.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/text.h"
#include "tests/testing/folders.h"
#include "tests/testing/loopback_server.h"
#include "tests/testing/program.h"

namespace elastic {
namespace {

using testing::contains;
namespace fs = std::filesystem;
using Words = std::vector<std::string>;

// `data ARGUMENTS --data-dir FOLDER`
testing::ProgramResult data(Words arguments, const fs::path& folder,
                            const testing::Program::Variables& variables = {}) {
  arguments.insert(arguments.begin(), "data");
  arguments.insert(arguments.end(), {"--data-dir", folder.string()});
  return testing::Program(ELASTIC_BENCH_BINARY, arguments, variables).wait();
}

TEST(DataCommand, ListShowsEveryFileWithLicenceAndState) {
  const testing::TemporaryFolder folder;
  testing::write_file(folder / "ruler/PaulGrahamEssays.json", R"({"text": "ours"})");
  const auto out = data({"list"}, folder.path());
  EXPECT_EQ(out.code, 0) << out.err;
  for (const char* part : {"ruler/squad_dev-v2.0.json", "CC BY-SA 4.0", "missing", "none declared",
                           "no right to redistribute", "unknown corpus", "longbench/data.zip"}) {
    EXPECT_TRUE(contains(out.out, part)) << part;
  }
  const auto json = data({"list", "--json", "ruler/squad"}, folder.path());
  const Json parsed = parse_json(json.out, "list");
  EXPECT_EQ(parsed["files"].size(), 1u);
  EXPECT_EQ(parsed["files"][0]["state"], "missing");
  EXPECT_TRUE(parsed["files"][0]["bytes"].is_null());
}

TEST(DataCommand, VerifyTellsMissingFromWrong) {
  const testing::TemporaryFolder folder;
  const fs::path& at = folder.path();
  EXPECT_EQ(data({"verify"}, at).code, 3);  // nothing there at all
  const auto missing = data({"verify", "ruler/squad"}, at);
  EXPECT_EQ(missing.code, 3);
  EXPECT_TRUE(contains(missing.err, "data fetch ruler/squad")) << missing.err;
  testing::write_file(folder / "ruler/PaulGrahamEssays.json", R"({"text": "ours"})");
  EXPECT_EQ(data({"verify"}, at).code, 0);
  testing::write_file(folder / "ruler/squad_dev-v2.0.json", "{}");
  const auto wrong = data({"verify"}, at);
  EXPECT_EQ(wrong.code, 3);
  EXPECT_TRUE(contains(wrong.err, sha256_hex("{}"))) << wrong.err;
  EXPECT_TRUE(contains(wrong.err, "80a5225e")) << wrong.err;
}

TEST(DataCommand, ImportCopiesAndRefuses) {
  const testing::TemporaryFolder folder;
  const fs::path at = folder / "data";
  testing::write_file(folder / "essays-of-mine.json", R"({"text": "ours"})");
  const auto good = data({"import", (folder / "essays-of-mine.json").string()}, at);
  EXPECT_EQ(good.code, 0) << good.err;
  EXPECT_TRUE(contains(good.out, "unknown corpus")) << good.out;
  EXPECT_EQ(read_file(folder / "data/ruler/PaulGrahamEssays.json"), R"({"text": "ours"})");
  testing::write_file(folder / "dev-v2.0.json", R"({"data": [{"paragraphs": []}]})");
  const auto bad = data({"import", (folder / "dev-v2.0.json").string()}, at);
  EXPECT_EQ(bad.code, 3);
  EXPECT_TRUE(contains(bad.err, "80a5225e")) << bad.err;
  testing::write_file(folder / "holiday.txt", "x");
  EXPECT_EQ(data({"import", (folder / "holiday.txt").string()}, at).code, 2);
}

TEST(DataCommand, BundleCarriesRowsAndImportNamesWhatItPassesOver) {
  const testing::TemporaryFolder folder;
  testing::write_file(folder / "a/longbench/rows/trec.jsonl",
                      R"({"input": "", "context": "", "answers": []})");
  testing::write_file(folder / "a/holiday.txt", "x");
  const std::string zip = (folder / "all.zip").string();
  const auto bundle = data({"bundle", "-o", zip}, folder / "a");
  EXPECT_EQ(bundle.code, 0) << bundle.err;
  EXPECT_EQ(bundle.out, "longbench/rows/trec.jsonl\n");
  EXPECT_EQ(data({"import", zip}, folder / "b").code, 0);
  EXPECT_TRUE(fs::exists(folder / "b/longbench/rows/trec.jsonl"));
  const auto import = data({"import", (folder / "a").string()}, folder / "c");
  EXPECT_EQ(import.code, 0);
  EXPECT_TRUE(contains(import.err,
                       "1 files that the catalogue does not know were passed over: "
                       "holiday.txt"))
      << import.err;
}

TEST(DataCommand, ASignalWhileDataAreMadeLeavesNothing) {
  const testing::TemporaryFolder folder;
  for (const auto& [number, code] : {std::pair{SIGINT, 130}, std::pair{SIGTERM, 143}}) {
    testing::Program started(
        ELASTIC_BENCH_BINARY,
        {"data", "generate", "ruler/vt", "--length", "16k", "--num-samples", "5000", "--profile",
         "ruler@builtin", "--token-counter", "ws", "--output", (folder / "vt.jsonl").string(),
         "--cache-dir", (folder / "cache").string()},
        {});
    started.wait_until_handled(number);
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
    started.signal(number);
    const auto begin = std::chrono::steady_clock::now();
    const auto result = started.wait();
    EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(3));
    EXPECT_EQ(result.code, code) << result.err;
    EXPECT_TRUE(contains(result.err, "stopping")) << result.err;
    EXPECT_TRUE(fs::is_empty(folder.path()));
  }
}

TEST(DataCommand, FetchFromAMirrorOfOnesOwn) {
  const testing::TemporaryFolder folder;
  const fs::path& at = folder.path();
  testing::LoopbackServer server(R"({"text": "ours"})", {});
  const auto good = data({"fetch", "ruler/essays", "--mirror", server.url("d")}, at);
  EXPECT_EQ(good.code, 0) << good.err;
  EXPECT_TRUE(contains(good.err, "no right to redistribute")) << good.err;
  EXPECT_TRUE(contains(data({"fetch", "ruler/essays"}, at).err, "already there"));
}

// A file that is no terminal gets a line for each quarter, the whole apart, and none twice.
TEST(DataCommand, AFetchTellsItsQuarters) {
  const testing::TemporaryFolder folder;
  const std::string essays = R"({"text": ")" + std::string(1'000'000, 'x') + R"("})";
  testing::LoopbackServer server(essays, {{.kind = testing::Reply::kBreak, .bytes = 300'000},
                                          {.kind = testing::Reply::kBreak, .bytes = 800'000}});
  const auto run = data({"fetch", "ruler/essays", "--mirror", server.url("d")}, folder.path());
  EXPECT_EQ(run.code, 0) << run.err;
  std::size_t lines = 0, least = 0;
  for (const std::string_view line : split(run.err, '\n')) {
    const std::size_t of = line.find(" KiB of 976.6 KiB");
    if (of == std::string_view::npos) continue;
    ++lines;
    EXPECT_TRUE(line.starts_with("ruler/essays: ")) << line;
    const auto done = static_cast<std::size_t>(parse_double(line.substr(14, of - 14)).value());
    EXPECT_GT(done, least);
    EXPECT_GE(done, lines == 1 ? 244U : 488U) << line;
    least = done;
  }
  EXPECT_GE(lines, 2U) << run.err;
  EXPECT_LE(lines, 3U) << run.err;
}

TEST(DataCommand, FetchThatFailsIsExitThree) {
  const testing::TemporaryFolder folder;
  const fs::path& at = folder.path();
  const auto essays = data({"fetch", "ruler/essays"}, at);
  EXPECT_EQ(essays.code, 3);
  EXPECT_TRUE(contains(essays.err, "data import PATH")) << essays.err;
  const auto offline = data({"fetch", "ruler/squad"}, at, {{"HF_HUB_OFFLINE", "1"}});
  EXPECT_EQ(offline.code, 3);
  EXPECT_TRUE(contains(offline.err, "HF_HUB_OFFLINE")) << offline.err;
  EXPECT_TRUE(contains(offline.err, "data import PATH")) << offline.err;
  EXPECT_EQ(data({"fetch", "ruler/squat"}, at).code, 2);
  EXPECT_EQ(data({"fetch"}, at).code, 2);
}

}  // namespace
}  // namespace elastic
