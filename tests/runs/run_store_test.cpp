#include "runs/run_store.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <fstream>

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "runs/record_json.h"
#include "runs/run_reader.h"
#include "tests/testing/folders.h"

namespace elastic::runs {
namespace {

namespace fs = std::filesystem;
using testing::TemporaryFolder;

RunSpec spec() {
  RunSpec spec;
  spec.created = "2026-01-31T09:30:00Z";
  spec.settings = {{"seed", "42"}, {"dtype", "fp32"}, {"profile_ruler", "ruler@builtin"}};
  spec.environment = {{"device", "cpu"}};
  spec.modes = {"fa"};
  spec.mode_options = {{"fa", "fa"}};
  spec.tasks = {"ruler/vt"};
  spec.lengths = {1024};
  spec.planned = {{{"fa", "ruler/vt", 1024}, 2}};
  spec.planned_samples = 2;
  spec.data_ids = {{{"ruler/vt", 1024}, "d2"}};
  return spec;
}

SampleRecord record(std::int64_t index, Outcome outcome = Outcome::kOk) {
  SampleRecord r;
  r.key = "key" + std::to_string(index);
  r.model = "demo";
  r.mode = "fa";
  r.task = "ruler/vt";
  r.length = 1024;
  r.index = index;
  r.prediction =
      "VAR \"x\"\n\xe4\xb8\xad\xff";  // quotes, newline, Chinese, a byte that is no UTF-8
  r.references = {"ABCDE"};
  r.metric = "string_match_all";
  if (outcome == Outcome::kOk) {
    r.score = 0.5;
    r.routing = {"01", "11"};
    r.esr_all_layers = 0.25;
  } else {
    r.error = "why";
  }
  r.outcome = outcome;
  return r;
}

// What the call throws; an empty text where it throws nothing.
template <typename Call>
std::string error_of(ErrorKind kind, const Call& call) {
  try {
    call();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), kind) << error.what();
    return error.what();
  }
  return {};
}

bool contains(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

void append_bytes(const fs::path& path, std::string_view bytes) {
  std::ofstream(path, std::ios::binary | std::ios::app) << bytes;
}

TEST(RunStore, WritesWhatReadersRead) {
  const TemporaryFolder folder;
  {
    RunStore store({.folder = folder / "run"}, spec());
    EXPECT_TRUE(store.found().samples.empty());
    store.append(record(0));
    store.append(record(1, Outcome::kError));
    EXPECT_TRUE(store.is_done("key0"));
    EXPECT_FALSE(store.is_done("key1")) << "failed samples are tried again";
  }
  const RunData run = read_run(folder / "run");
  EXPECT_TRUE(run.notes.empty());
  EXPECT_EQ(run.spec.settings.at("seed"), "42");
  EXPECT_EQ(run.spec.planned.at({"fa", "ruler/vt", 1024}), 2);
  ASSERT_EQ(run.samples.size(), 2u);
  const SampleRecord& r = run.samples[0];
  EXPECT_EQ(r.prediction, "VAR \"x\"\n\xe4\xb8\xad\xef\xbf\xbd");
  EXPECT_EQ(r.score, 0.5);
  EXPECT_EQ(r.esr_all_layers, 0.25);
  EXPECT_EQ(r.esr_last_query, std::nullopt);
  EXPECT_EQ(r.msr, std::nullopt);
  EXPECT_EQ(r.routing, (std::vector<std::string>{"01", "11"}));
  EXPECT_EQ(run.samples[1].error, "why");
  EXPECT_EQ(run.samples[1].score, std::nullopt);
}

TEST(RunStore, LinesAreSmallAndNeverHoldNaN) {
  SampleRecord r = record(0);
  r.key = r.prompt_sha256 = r.ids_sha256 = std::string(64, 'a');
  r.prediction = std::string(600, 'x');
  r.msr = std::numeric_limits<double>::quiet_NaN();
  r.prefill_ms = std::numeric_limits<double>::infinity();
  r.routing.clear();
  const std::string line = record_line(r);
  EXPECT_LT(line.size(), 2048u);
  EXPECT_EQ(line.back(), '\n');
  EXPECT_TRUE(contains(line, "\"msr\":null"));
  EXPECT_TRUE(contains(line, "\"prefill_ms\":null"));
}

// Two processes may both finish a sample: of two records that both count, the later does.
TEST(RunStore, OfTwoOkRecordsOfOneKeyTheLaterCounts) {
  SampleRecord first = record(0), second = record(0), failed = record(0, Outcome::kError);
  first.prediction = "first";
  second.prediction = "second";
  const auto counts = [](std::vector<SampleRecord> records) {
    const std::vector<SampleRecord> latest = latest_records(std::move(records));
    EXPECT_EQ(latest.size(), 1u);
    return latest[0].prediction;
  };
  EXPECT_EQ(counts({first, second}), "second");
  EXPECT_EQ(counts({first, failed}), "first");
  EXPECT_EQ(counts({failed, second}), "second");
  failed.prediction = "late";
  EXPECT_EQ(counts({record(0, Outcome::kError), failed}), "late");
}

TEST(RunStore, TornLastLineIsCutBeforeTheFirstAppendAndSaid) {
  const TemporaryFolder folder;
  const fs::path samples = folder / "samples.rank0.jsonl";
  { RunStore(StoreOptions{.folder = folder.path()}, spec()).append(record(0)); }
  const std::string whole = read_file(samples);
  const std::string next = record_line(record(1));
  for (const std::size_t cut : {std::size_t{1}, next.size() / 2, next.size() - 1}) {
    write_file_atomic(samples, whole);
    append_bytes(samples, std::string_view(next).substr(0, cut));
    const RunData torn = read_run(folder.path());
    EXPECT_EQ(torn.samples.size(), 1u) << cut;
    ASSERT_EQ(torn.notes.size(), 1u);
    EXPECT_TRUE(contains(torn.notes[0], "torn last line")) << torn.notes[0];
    RunStore store({.folder = folder.path()}, spec());
    ASSERT_EQ(store.found().notes.size(), 1u);
    EXPECT_TRUE(contains(store.found().notes[0], "cut a torn last line"));
    store.append(record(1));
    EXPECT_EQ(read_file(samples), whole + next);
  }
}

TEST(RunStore, SecondWriterOfARankIsRefused) {
  const TemporaryFolder folder;
  RunStore first({.folder = folder.path()}, spec());
  const std::string text = error_of(ErrorKind::kInvalidArgument, [&] {
    RunStore(StoreOptions{.folder = folder.path()}, spec());
  });
  EXPECT_TRUE(contains(text, "another process is writing into this folder")) << text;
  RunStore other({.folder = folder.path(), .rank = 1, .world_size = 2}, spec());
  other.append(record(1));
  first.append(record(0));
  EXPECT_EQ(read_run(folder.path()).samples.size(), 2u);
}

TEST(RunStore, ChangedSettingsAreRefusedNamingKeyAndBothValues) {
  const TemporaryFolder folder;
  { RunStore(StoreOptions{.folder = folder.path()}, spec()).append(record(0)); }
  RunSpec other = spec();
  other.settings["seed"] = "43";
  other.settings["bos"] = "official";
  const std::string text = error_of(
      ErrorKind::kInvalidArgument, [&] { RunStore(StoreOptions{.folder = folder.path()}, other); });
  EXPECT_TRUE(contains(text, "`seed` was `42` and is now `43`")) << text;
  EXPECT_TRUE(contains(text, "`bos` was not set and is now `official`")) << text;
  other = spec();
  other.mode_options["fa"] = "fa:block=1";
  EXPECT_TRUE(contains(error_of(ErrorKind::kInvalidArgument,
                                [&] { RunStore(StoreOptions{.folder = folder.path()}, other); }),
                       "mode `fa` was `fa` and is now `fa:block=1`"));
}

TEST(RunStore, LaterInvocationsAddModesTasksSuitesAndSamples) {
  const TemporaryFolder folder;
  { RunStore(StoreOptions{.folder = folder.path()}, spec()); }
  RunSpec more = spec();
  more.settings.erase("profile_ruler");
  more.settings["profile_longbench"] = "longbench-official";
  more.environment = {{"device", "cuda"}};
  more.modes = {"ssa"};
  more.mode_options = {{"ssa", "ssa:sink=128"}};
  more.tasks = {"ruler/vt", "longbench/trec"};
  more.planned = {{{"ssa", "ruler/vt", 1024}, 5},
                  {{"fa", "ruler/vt", 1024}, 1},
                  {{"ssa", "longbench/trec", 0}, 3}};
  more.data_ids = {{{"ruler/vt", 1024}, "d5"}};
  { RunStore(StoreOptions{.folder = folder.path()}, more); }
  const RunSpec merged = read_run(folder.path()).spec;
  EXPECT_EQ(merged.modes, (std::vector<std::string>{"fa", "ssa"}));
  EXPECT_EQ(merged.tasks, (std::vector<std::string>{"ruler/vt", "longbench/trec"}));
  EXPECT_EQ(merged.planned.at({"fa", "ruler/vt", 1024}), 2)
      << "a smaller limit does not unplan samples";
  EXPECT_EQ(merged.planned_samples, 10);
  EXPECT_EQ(merged.data_ids.at({"ruler/vt", 1024}), "d5") << "follows the larger set";
  EXPECT_EQ(merged.environment.at("device"), "cpu | cuda");
  EXPECT_EQ(merged.settings.at("profile_ruler"), "ruler@builtin");
  EXPECT_EQ(merged.settings.at("profile_longbench"), "longbench-official");
  more.settings["profile_longbench"] = "longbench@builtin";
  EXPECT_TRUE(contains(error_of(ErrorKind::kInvalidArgument,
                                [&] { RunStore(StoreOptions{.folder = folder.path()}, more); }),
                       "profile_longbench"));
}

TEST(RunStore, WhatIsKnownOnlyAfterwardsJoinsTheEnvironment) {
  const TemporaryFolder folder;
  RunStore store({.folder = folder.path()}, spec());
  const Json before = spec_to_json(read_run(folder.path()).spec);
  store.note({{"gpu_meanwhile", "cool"}});
  store.note({{"gpu_meanwhile", "cool"}});
  store.note({{"gpu_meanwhile", "hot"}});
  Json after = spec_to_json(read_run(folder.path()).spec);
  EXPECT_EQ(after["environment"]["gpu_meanwhile"], "cool | hot");
  after["environment"].erase("gpu_meanwhile");
  EXPECT_EQ(after, before);
}

TEST(RunStore, UnknownKeysOfRunJsonSurvive) {
  const TemporaryFolder folder;
  { RunStore(StoreOptions{.folder = folder.path()}, spec()); }
  Json json = read_json(folder / "run.json");
  json["from_the_future"] = {1, 2};
  write_file_atomic(folder / "run.json", dump_pretty(json));
  RunSpec more = spec();
  more.modes = {"ssa"};
  { RunStore(StoreOptions{.folder = folder.path()}, more); }
  json = read_json(folder / "run.json");
  EXPECT_EQ(json["from_the_future"].size(), 2u);
  EXPECT_EQ(json["modes"].size(), 2u);
}

TEST(RunStore, WithoutResumeAFolderThatHoldsARunIsRefused) {
  const TemporaryFolder folder;
  { RunStore(StoreOptions{.folder = folder / "a", .resume = false}, spec()).append(record(0)); }
  const std::string text = error_of(ErrorKind::kInvalidArgument, [&] {
    RunStore(StoreOptions{.folder = folder / "a", .resume = false}, spec());
  });
  EXPECT_TRUE(contains(text, "mv ")) << text;
  EXPECT_EQ(read_run(folder / "a").samples.size(), 1u);
  // One of the two is enough: a run that has no sample yet, samples whose run.json was lost.
  for (const auto* gone : {"samples.rank0.jsonl", "run.json"}) {
    const std::filesystem::path half = folder / (std::string("without-") + gone);
    std::filesystem::copy(folder / "a", half);
    ASSERT_TRUE(std::filesystem::remove(half / gone)) << gone;
    error_of(ErrorKind::kInvalidArgument,
             [&] { RunStore(StoreOptions{.folder = half, .resume = false}, spec()); });
  }
}

TEST(RunStore, AnOkRecordBeatsFailuresWhicheverRankWroteIt) {
  const TemporaryFolder folder;
  {
    RunStore one({.folder = folder.path(), .rank = 1, .world_size = 2}, spec());
    one.append(record(0, Outcome::kOom));
    one.append(record(0, Outcome::kError));
    RunStore zero({.folder = folder.path(), .rank = 0, .world_size = 2}, spec());
    zero.append(record(0));
  }
  const RunData run = read_run(folder.path());
  ASSERT_EQ(run.samples.size(), 1u);
  EXPECT_EQ(run.samples[0].outcome, Outcome::kOk);
  EXPECT_TRUE(RunStore(StoreOptions{.folder = folder.path()}, spec()).is_done("key0"));
}

TEST(RunStore, KeysDependOnEveryPartAndNotOnTheFolder) {
  const std::map<std::string, std::string> settings{{"seed", "42"}};
  const std::map<std::string, std::string> others{{"seed", "43"}};
  const KeyParts base{.settings = settings,
                      .profile = "p",
                      .mode = "fa",
                      .task = "ruler/vt",
                      .length = 1024,
                      .index = 3,
                      .content_sha256 = "c"};
  std::set<std::string> keys{sample_key(base)};
  const auto differs = [&](auto change) {
    KeyParts parts = base;
    change(parts);
    return keys.insert(sample_key(parts)).second;
  };
  EXPECT_EQ(sample_key(base).size(), 64u);
  EXPECT_FALSE(differs([](KeyParts&) {}));
  EXPECT_TRUE(differs([](KeyParts& p) { p.profile = "q"; }));
  EXPECT_TRUE(differs([](KeyParts& p) { p.mode = "fa-ssa"; }));
  EXPECT_TRUE(differs([](KeyParts& p) { p.task = "ruler/v"; }));
  EXPECT_TRUE(differs([](KeyParts& p) { p.length = 2048; }));
  EXPECT_TRUE(differs([](KeyParts& p) { p.index = 4; }));
  EXPECT_TRUE(differs([](KeyParts& p) { p.content_sha256 = "d"; }));
  const std::map<std::string, std::string> renamed{{"speed", "42"}};
  for (const auto* changed : {&others, &renamed}) {
    const KeyParts other{.settings = *changed,
                         .profile = "p",
                         .mode = "fa",
                         .task = "ruler/vt",
                         .length = 1024,
                         .index = 3,
                         .content_sha256 = "c"};
    EXPECT_TRUE(keys.insert(sample_key(other)).second);
  }
}

// A full disk, as a file size limit in a child process: the record that does not fit leaves nothing
// behind, the error names the file, and the run can be read and continued.
TEST(RunStore, FullDiskTearsNothing) {
  const TemporaryFolder folder;
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    RunStore store({.folder = folder.path()}, spec());
    store.append(record(0));
    std::signal(SIGXFSZ, SIG_IGN);
    const auto size = static_cast<rlim_t>(fs::file_size(folder / "samples.rank0.jsonl")) + 40;
    const rlimit limit{size, size};
    setrlimit(RLIMIT_FSIZE, &limit);
    try {
      store.append(record(1));
    } catch (const Error& error) {
      const bool named = contains(error.what(), "samples.rank0.jsonl: cannot append");
      _exit(error.kind() == ErrorKind::kIo && named && !store.is_done("key1") ? 42 : 2);
    }
    _exit(1);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(WEXITSTATUS(status), 42);
  const RunData run = read_run(folder.path());
  EXPECT_TRUE(run.notes.empty());
  EXPECT_EQ(run.samples.size(), 1u);
  RunStore(StoreOptions{.folder = folder.path()}, spec()).append(record(1));
  EXPECT_EQ(read_run(folder.path()).samples.size(), 2u);
}

}  // namespace
}  // namespace elastic::runs
