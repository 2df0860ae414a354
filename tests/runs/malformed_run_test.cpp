// Run folders as crashes, disks and other programs leave them: every case is a clear error or a
// noted skip, never a crash and never a silent loss.

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "runs/run_store.h"
#include "tests/testing/folders.h"

namespace elastic::runs {
namespace {

using testing::TemporaryFolder;

struct BadSpec {
  const char* name;
  std::string bytes;
  ErrorKind kind;
  const char* says;
};

TEST(MalformedRun, RunJson) {
  const ErrorKind corrupt = ErrorKind::kCorrupt;
  const std::vector<BadSpec> cases{
      {"empty file", "", corrupt, "not valid JSON"},
      {"cut in the middle", R"({"schema_version": 1, "settings": {"se)", corrupt, "not valid JSON"},
      {"bytes that are no text", std::string("\x00\xff\xfe\x01", 4), corrupt, "not valid JSON"},
      {"a list", "[1]", corrupt, "JSON object"},
      {"no version", "{}", corrupt, "`schema_version` is missing"},
      {"version as text", R"({"schema_version": "1"})", corrupt, "`schema_version` is \"1\""},
      {"version zero", R"({"schema_version": 0})", corrupt, "1 or more"},
      {"newer version", R"({"schema_version": 2})", ErrorKind::kUnsupported, "newer"},
      {"settings as a list", R"({"schema_version": 1, "settings": []})", corrupt, "`settings`"},
      {"a setting that is a number", R"({"schema_version": 1, "settings": {"seed": 42}})", corrupt,
       "`settings`"},
      {"modes as text", R"({"schema_version": 1, "modes": "fa"})", corrupt, "`modes`"},
      {"tasks with a null", R"({"schema_version": 1, "tasks": [null]})", corrupt, "`tasks`"},
      {"lengths as text", R"({"schema_version": 1, "lengths": ["4k"]})", corrupt, "`lengths`"},
      {"planned as a number", R"({"schema_version": 1, "planned": 3})", corrupt, "`planned`"},
      {"a negative count", R"({"schema_version": 1, "planned": {"a|b|0": -1}})", corrupt,
       "`a|b|0`"},
      {"a count beyond counting",
       R"({"schema_version": 1, "planned": {"a|b|0": 4611686018427387904, "a|c|0": 4611686018427387904}})",
       corrupt, "`a|b|0`"},
      {"a negative length", R"({"schema_version": 1, "lengths": [-4]})", corrupt, "`lengths`"},
      {"a count beyond 64 bits", R"({"schema_version": 1, "planned_samples": 1e30})", corrupt,
       "`planned_samples`"},
      {"nested beyond reason", R"({"schema_version": 1, "x": )" + std::string(100000, '['), corrupt,
       "nested deeper"},
  };
  for (const BadSpec& bad : cases) {
    SCOPED_TRACE(bad.name);
    const TemporaryFolder folder;
    write_file_atomic(folder / "run.json", bad.bytes);
    for (const bool writing : {false, true}) {
      try {
        if (writing) {
          RunStore(StoreOptions{.folder = folder.path()}, RunSpec{});
        } else {
          read_run(folder.path());
        }
        ADD_FAILURE() << "accepted";
      } catch (const Error& error) {
        EXPECT_EQ(error.kind(), bad.kind) << error.what();
        const std::string text = error.what();
        EXPECT_NE(text.find(bad.says), std::string::npos) << text;
        EXPECT_NE(text.find("run.json"), std::string::npos) << text;
      }
    }
    EXPECT_EQ(read_file(folder / "run.json"), bad.bytes) << "left as it was";
  }
}

struct BadLine {
  const char* name;
  std::string bytes;
  const char* says;  // in the note
};

constexpr const char* kGood = R"({"key": "k", "mode": "fa", "task": "ruler/vt", "index": 1})";

TEST(MalformedRun, SampleLines) {
  const auto with = [](const std::string& field) {
    return R"({"key": "b", "mode": "fa", "task": "t", "index": 0, )" + field + "}";
  };
  const std::vector<BadLine> cases{
      {"not JSON", "garbage", "not valid JSON"},
      {"a page of zeros, as after power loss", std::string(4096, '\0'), "not valid JSON"},
      {"half a record", R"({"key": "k", "mode")", "not valid JSON"},
      {"two records in one line", std::string(kGood) + kGood, "not valid JSON"},
      {"bytes that are no UTF-8", "{\"key\": \"\xff\xfe\"}", "not valid JSON"},
      {"a list", "[]", "JSON object"},
      {"a null", "null", "JSON object"},
      {"no key", R"({"mode": "fa", "task": "t", "index": 0})", "`key` is missing"},
      {"empty key", R"({"key": "", "mode": "fa", "task": "t", "index": 0})", "key, mode, task"},
      {"no index", R"({"key": "b", "mode": "fa", "task": "t"})", "`index` is missing"},
      {"index as text", R"({"key": "b", "mode": "fa", "task": "t", "index": "0"})", "`index`"},
      {"index that is no integer", R"({"key": "b", "mode": "fa", "task": "t", "index": 0.5})",
       "`index`"},
      {"negative length", with(R"("length": -4)"), "`length`"},
      {"score above one", with(R"("score": 100)"), "`score`"},
      {"score as text", with(R"("score": "1.0")"), "`score`"},
      {"score that overflows", with(R"("score": 1e999)"), "not valid JSON"},
      {"references as text", with(R"("references": "x")"), "`references`"},
      {"references of numbers", with(R"("references": [1])"), "`references`"},
      {"routing of other characters", with(R"("routing": ["0102"])"), "`routing`"},
      {"routing rows of two lengths", with(R"("routing": ["01", "011"])"), "`routing`"},
      {"esr as a number", with(R"("esr": 0.5)"), "`esr`"},
      {"strata as a list", with(R"("strata": ["x"])"), "`strata`"},
      {"time as text", with(R"("prefill_ms": "12")"), "`prefill_ms`"},
      {"negative index", R"({"key": "b", "mode": "fa", "task": "t", "index": -1})", "`index`"},
      {"index beyond counting", R"({"key": "b", "mode": "fa", "task": "t", "index": 1e18})",
       "`index`"},
      {"msr of 9", with(R"("msr": 9)"), "`msr`"},
      {"negative msr", with(R"("msr": -0.1)"), "`msr`"},
      {"block density above one", with(R"("block_density": 1.5)"), "`block_density`"},
      {"negative pv density", with(R"("pv_density": -0.5)"), "`pv_density`"},
      {"negative read share", with(R"("read_share": -0.5)"), "`read_share`"},
      {"fallback above one", with(R"("fallback_share": 1.5)"), "`fallback_share`"},
      {"read share beyond belief", with(R"("read_share": 1001)"), "`read_share`"},
      {"esr above one", with(R"("esr": {"last_query": 2})"), "`last_query`"},
      {"negative time", with(R"("prefill_ms": -5)"), "`prefill_ms`"},
      {"time without end", with(R"("prefill_ms": 1e308)"), "`prefill_ms`"},
      {"decode time without end", with(R"("decode_ms": 1e13)"), "`decode_ms`"},
      {"negative energy", with(R"("joules": -0.5)"), "`joules`"},
      {"negative peak", with(R"("peak_bytes": -1)"), "`peak_bytes`"},
      {"tokens beyond counting", with(R"("truncated_tokens": 9223372036854775807)"),
       "`truncated_tokens`"},
      {"negative cache", with(R"("kv_bytes": -1)"), "`kv_bytes`"},
      {"peak beyond 64 bits", with(R"("peak_bytes": 18446744073709551615)"), "`peak_bytes`"},
      {"nested beyond reason", with(R"("x": )" + std::string(100000, '[')), "nested deeper"},
  };
  for (const BadLine& bad : cases) {
    SCOPED_TRACE(bad.name);
    const TemporaryFolder folder;
    write_file_atomic(folder / "run.json", R"({"schema_version": 1})");
    write_file_atomic(folder / "samples.rank0.jsonl",
                      std::string(kGood) + "\n" + bad.bytes + "\n\n" +
                          R"({"key": "l", "mode": "fa", "task": "ruler/vt", "index": 2})" + "\n");
    const RunData run = read_run(folder.path());
    ASSERT_EQ(run.samples.size(), 2u) << "the records around it count";
    ASSERT_EQ(run.notes.size(), 1u);
    EXPECT_NE(run.notes[0].find(bad.says), std::string::npos) << run.notes[0];
    EXPECT_NE(run.notes[0].find("samples.rank0.jsonl, line 2"), std::string::npos) << run.notes[0];
  }
}

std::string line(const std::string& key, const std::string& task, int index, double score) {
  return dump_line(
             {{"key", key}, {"mode", "fa"}, {"task", task}, {"index", index}, {"score", score}}) +
         "\n";
}

// Whole lines that are no part of the run: a cell nobody planned, and a second key of a sample.
TEST(MalformedRun, RecordsOutsideThePlan) {
  const TemporaryFolder folder;
  write_file_atomic(
      folder / "run.json",
      R"({"schema_version": 1, "planned": {"fa|ruler/vt|0": 2, "fa|ruler/cwe|0": 1}})");
  write_file_atomic(
      folder / "samples.rank0.jsonl",
      line("k0", "ruler/vt", 0, 1) + line("k1", "ruler/vt", 1, 1) +
          R"({"key": "x1", "model": "other", "mode": "fa", "task": "ruler/vt", "index": 1, "score": 0})"
          "\n" +
          line("x2", "ruler/extra", 0, 0) + line("c0", "ruler/cwe", 0, 1) +
          line("c1", "ruler/cwe", 7, 0));
  const RunData run = read_run(folder.path());
  std::vector<std::string> keys;
  for (const SampleRecord& sample : run.samples) keys.push_back(sample.key);
  EXPECT_EQ(keys, (std::vector<std::string>{"k0", "k1", "c0", "c1"}));
  ASSERT_EQ(run.notes.size(), 3u);
  EXPECT_NE(run.notes[0].find("fa|ruler/extra|0: 1 records of a cell"), std::string::npos)
      << run.notes[0];
  EXPECT_NE(run.notes[1].find("fa|ruler/vt|0: 1 records of samples that have one"),
            std::string::npos)
      << run.notes[1];
  EXPECT_NE(run.notes[2].find("fa|ruler/cwe|0: 1 samples more"), std::string::npos) << run.notes[2];
}

TEST(MalformedRun, ManyCellsOutsideThePlanGiveFewNotes) {
  const TemporaryFolder folder;
  write_file_atomic(folder / "run.json",
                    R"({"schema_version": 1, "planned": {"fa|ruler/vt|0": 2}})");
  std::string bytes;
  for (int i = 0; i < 500; ++i) bytes += line("k" + std::to_string(i), std::to_string(i), 0, 1);
  write_file_atomic(folder / "samples.rank0.jsonl", bytes);
  const RunData run = read_run(folder.path());
  EXPECT_TRUE(run.samples.empty());
  EXPECT_LT(run.notes.size(), 30u);
  EXPECT_NE(run.notes.back().find("500 cells in all"), std::string::npos) << run.notes.back();
}

TEST(MalformedRun, Folders) {
  const TemporaryFolder folder;
  EXPECT_THROW(read_run(folder / "absent"), Error);
  try {
    read_run(folder.path());
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kInvalidArgument);
    EXPECT_NE(std::string(error.what()).find("not a run folder"), std::string::npos);
  }
  // Samples whose settings are unknown are not continued.
  write_file_atomic(folder / "samples.rank0.jsonl", std::string(kGood) + "\n");
  EXPECT_THROW(RunStore(StoreOptions{.folder = folder.path()}, RunSpec{}), Error);
  // A file where the folder should be.
  EXPECT_THROW(RunStore(StoreOptions{.folder = folder / "samples.rank0.jsonl"}, RunSpec{}), Error);
  // Names that only look like sample files are not read.
  write_file_atomic(folder / "run.json", R"({"schema_version": 1})");
  for (const char* name : {"samples.rank.jsonl", "samples.rank1.jsonl.bak", "samples.rank-1.jsonl",
                           "samples.rankx.jsonl"}) {
    write_file_atomic(folder / name, "garbage\n");
  }
  std::filesystem::create_directory(folder / "samples.rank7.jsonl");
  const RunData run = read_run(folder.path());
  EXPECT_TRUE(run.notes.empty());
  EXPECT_EQ(run.samples.size(), 1u);
}

TEST(MalformedRun, ManyBadLinesGiveFewNotes) {
  const TemporaryFolder folder;
  write_file_atomic(folder / "run.json", R"({"schema_version": 1})");
  std::string bytes;
  for (int i = 0; i < 1000; ++i) bytes += "bad\n";
  write_file_atomic(folder / "samples.rank0.jsonl", bytes);
  const RunData run = read_run(folder.path());
  EXPECT_LT(run.notes.size(), 30u);
  EXPECT_NE(run.notes.back().find("1000 lines passed over"), std::string::npos);
}

}  // namespace
}  // namespace elastic::runs
