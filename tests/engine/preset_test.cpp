// DuoAttention and PruLong as plans and models have them.

#include <c10/core/InferenceMode.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/hash.h"
#include "engine/device/stage_clock.h"
#include "engine/model/decoder.h"
#include "tests/engine/golden_run.h"
#include "tests/engine/plan_context.h"
#include "tests/engine/plan_run.h"
#include "tests/engine/small_config.h"
#include "tests/testing/folders.h"

namespace elastic::engine {
namespace {

using namespace plan_tests;
using elastic::testing::PlanRun;
using elastic::testing::run_plan;
using elastic::testing::same;
using elastic::testing::TemporaryFolder;
using elastic::testing::write_file;

constexpr const char* kGraded = "0.9\t0\t1\n0.5\t0.25\t0.75\n";
constexpr const char* kDuoFile = "patterns/duo/full_attention_heads.tsv";
constexpr const char* kPrulongFile = "patterns/prulong/masks.tsv";

std::string routing_of(const AttentionPlan& plan) {
  std::string heads;
  for (std::int64_t layer = 0; layer < kLayers; ++layer) {
    for (const std::uint8_t s : plan.policy->decide(layer, {}).is_sparse)
      heads += s != 0 ? '1' : '0';
  }
  return heads;
}

std::string file_option(const std::filesystem::path& path) { return "pattern=" + path.string(); }

std::string file_and_contents(const std::filesystem::path& path) {
  return file_option(path) + ",pattern_sha256=" + sha256_file(path).substr(0, 12);
}

// The same path with another file is another mode, and one that a description does not parse to.
TEST(Presets, PatternsAreHeldToTheirContents) {
  const TemporaryFolder folder;
  const std::string path = (folder / "heads.tsv").string(), text = "duo:pattern=" + path;
  write_file(path, kGraded);
  const std::string before = make_attention_plan(text, context()).describe();
  EXPECT_EQ(make_attention_plan(before, context()).describe(), before);
  const std::string was = sha256_file(path).substr(0, 12);
  write_file(path, "0.9\t0\t1\n0.5\t0.25\t0.76\n");
  EXPECT_NE(make_attention_plan(text, context()).describe(), before) << "the same heads";
  EXPECT_EQ(error_of(before, context(), ErrorKind::kInvalidArgument),
            "mode `" + before + "`: " + path +
                " holds something else than it did: pattern_sha256 was " + was + " and is " +
                sha256_file(path).substr(0, 12) +
                "; give the old file, or leave pattern_sha256 out");
}

void expect_plan(const std::string& text, const PlanContext& with, const std::string& wanted) {
  const AttentionPlan plan = make_attention_plan(text, with);
  EXPECT_EQ(plan.describe(), wanted) << text;
  EXPECT_EQ(make_attention_plan(wanted, with).describe(), wanted);
  EXPECT_EQ(plan.name, text.substr(0, text.find(':')));
}

TEST(Presets, DescriptionsParseBack) {
  const TemporaryFolder folder;
  const std::string path = (folder / "graded.tsv").string(), file = "pattern=" + path;
  write_file(path, kGraded);
  const std::string held = file_and_contents(path);
  const std::string dense = "sink=64,local=256,prefill=dense,last=row,";
  const std::string chunked = "sink=128,local=1024,prefill=chunked,prefill_chunk=32768,last=step,";
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"duo:" + file, "duo:" + dense + held + ",sparsity=0.5,decode=sparse"},
      {"duo:" + file + ",threshold=0.8", "duo:" + dense + held + ",threshold=0.8,decode=sparse"},
      {"duo:prefill=streaming,local=9,sparsity=1," + file,
       "duo:sink=64,local=9,block=1,prefill=streaming," + held + ",sparsity=1,decode=sparse"},
      {"duo:prefill=chunked,prefill_chunk=4k,decode=full," + file,
       "duo:sink=64,local=256,prefill=chunked,prefill_chunk=4096,last=row," + held +
           ",sparsity=0.5,decode=full"},
      {"prulong:" + file, "prulong:" + chunked + held + ",threshold=0.5,decode=sparse"},
      {"prulong:sparsity=0.7," + file, "prulong:" + chunked + held + ",sparsity=0.7,decode=sparse"},
      {"prulong:last=row,threshold=1," + file,
       "prulong:sink=128,local=1024,prefill=chunked,prefill_chunk=32768,last=row," + held +
           ",threshold=1,decode=sparse"}};
  for (const auto& [text, wanted] : cases) expect_plan(text, context(), wanted);
}

TEST(Presets, SharesAreCountedAsEachMethodDoes) {
  const TemporaryFolder folder;
  const std::string path = (folder / "graded.tsv").string();
  write_file(path, kGraded);
  const auto routing = [&](const std::string& text) {
    return routing_of(make_attention_plan(text + ",pattern=" + path, context()));
  };
  EXPECT_EQ(routing("duo:sparsity=0.7"), "010111") << "ceil(0.7 * 5) = 4 stream";
  EXPECT_EQ(routing("prulong:sparsity=0.7"), "110111") << "floor(6 * 0.3) = 1 stays";
  EXPECT_EQ(routing("prulong:sparsity=0"), "000000");
  EXPECT_EQ(routing("prulong:sparsity=1"), "111111");
  EXPECT_EQ(routing("prulong:threshold=0.6"), "010110");
}

TEST(Presets, WindowsComeFromBesideThePattern) {
  const TemporaryFolder folder;
  const std::string file = "pattern=" + (folder / "heads.tsv").string();
  write_file(folder / "heads.tsv", "1\t0\t1\n0\t0\t1\n");
  write_file(folder / "config.json", R"({"sink_size": 7, "recent_size": 30, "seed": 1})");
  const std::string held = "last=row," + file_and_contents((folder / "heads.tsv").string());
  PlanContext with = context();
  with.sink = 1;  // the model's own config.json is about its routers
  with.local = 2;
  expect_plan("duo:" + file, with, "duo:sink=7,local=30,prefill=dense," + held + ",decode=sparse");
  expect_plan("duo:local=31," + file, with,
              "duo:sink=7,local=31,prefill=dense," + held + ",decode=sparse");
  write_file(folder / "config.json", R"({"sink_size": 7})");
  expect_plan("duo:" + file, with,
              "duo:sink=64,local=256,prefill=dense," + held + ",decode=sparse");
  write_file(folder / "config.json", R"({"sink_size": 7, "recent_size": "all"})");
  EXPECT_NE(error_of("duo:" + file, with, ErrorKind::kCorrupt).find("recent_size"),
            std::string::npos);
}

TEST(Presets, PatternsMayLieInTheModelsFolder) {
  const TemporaryFolder model;
  PlanContext with = context();
  const std::string wanted =
      "mode `duo`: no pattern says which heads are full; give duo:pattern=FILE.tsv, or put it into "
      "the model's folder as patterns/duo/full_attention_heads.tsv";
  EXPECT_EQ(error_of("duo", with, ErrorKind::kInvalidArgument), wanted);
  with.folder = model.path();
  EXPECT_EQ(error_of("duo", with, ErrorKind::kInvalidArgument), wanted);
  error_of("prulong:sparsity=0.5", with, ErrorKind::kInvalidArgument);
  error_of("duo:pattern=/nowhere.tsv", with, ErrorKind::kInvalidArgument);
  write_file(model / kDuoFile, kGraded);
  write_file(model / kPrulongFile, "1\t0\t1\n0\t0\t1\n");
  write_file(model / "patterns/duo/config.json", R"({"sink_size": 3, "recent_size": 4})");
  const auto contents = [&](const char* file) {
    return file_and_contents((model / file).string()).substr(file_option(model / file).size() + 1);
  };
  expect_plan("duo", with,
              "duo:sink=3,local=4,prefill=dense,last=row," + contents(kDuoFile) +
                  ",sparsity=0.5,decode=sparse");
  expect_plan("prulong:prefill=dense", with,
              "prulong:sink=128,local=1024,prefill=dense,last=step," + contents(kPrulongFile) +
                  ",decode=sparse");
  EXPECT_EQ(routing_of(make_attention_plan("prulong:sparsity=0.1", with)), "010110")
      << "masks are used as they are";
}

TEST(Presets, PromptsAreDenseAndCachesAreCut) {
  const TemporaryFolder folder;
  const std::string file = "pattern=" + (folder / "heads.tsv").string();
  write_file(folder / "heads.tsv", "1\t0.1\t0.2\t0.9\n0.8\t1\t0.3\t0.4\n");
  const PlanRun full = run_plan("fa"), none = run_plan("duo:sparsity=0," + file),
                duo = run_plan("duo:sink=8,local=32," + file),
                chunked = run_plan("prulong:sink=8,local=32,prefill_chunk=256," + file),
                whole = run_plan("prulong:sink=8,local=32,last=row," + file);
  EXPECT_TRUE(same(none.prompt, full.prompt) && same(none.step, full.step));
  EXPECT_EQ(none.cache_bytes, full.cache_bytes);
  EXPECT_TRUE(same(duo.prompt, full.prompt) && same(whole.prompt, full.prompt));
  EXPECT_FALSE(same(duo.step, full.step));
  EXPECT_TRUE(same(whole.step, duo.step)) << "the same heads and window, one chunk";
  EXPECT_TRUE(same(chunked.prompt.narrow(0, 0, 256), full.prompt.narrow(0, 0, 256)));
  EXPECT_FALSE(same(chunked.prompt.narrow(0, 256, 44), full.prompt.narrow(0, 256, 44)));
  EXPECT_EQ(duo.cache_bytes, full.cache_bytes / (std::int64_t{2} * 4 * 301) *
                                 (std::int64_t{4} * 301 + std::int64_t{4} * 40));
}

// The last token of a prompt as the first step after the others, as PruLong is run.
TEST(Presets, LastTokensMayBeSteps) {
  const TemporaryFolder folder;
  const std::string file = "pattern=" + (folder / "heads.tsv").string();
  write_file(folder / "heads.tsv", "1\t0.1\t0.2\t0.9\n0.8\t1\t0.3\t0.4\n");
  for (const std::string chunk : {"", ",prefill_chunk=256", ",prefill_chunk=299"}) {
    SCOPED_TRACE(chunk);
    const std::string mode = "prulong:sink=8,local=32," + file + chunk;
    const PlanRun apart = run_plan(mode), row = run_plan(mode + ",last=row"),
                  stepped = run_plan(mode + ",last=row", 299);
    EXPECT_TRUE(same(apart.prompt.narrow(0, 0, 299), row.prompt.narrow(0, 0, 299)));
    EXPECT_TRUE(same(apart.prompt.narrow(0, 299, 1), stepped.step));
    EXPECT_FALSE(same(apart.prompt, row.prompt));
    EXPECT_EQ(apart.cache_bytes, row.cache_bytes);
  }
  const PlanRun brief = run_plan("prulong:sink=8,local=32," + file, 1);
  EXPECT_TRUE(same(brief.prompt, run_plan("fa", 1).prompt));
}

TEST(Presets, RaggedBatchesEqualEachPromptAlone) {
  const TemporaryFolder folder;
  write_file(folder / "heads.tsv",
             "1\t0\t0\t1\t1\t0\n0\t0\t1\t1\t0\t1\n1\t1\t1\t0\t0\t0\n"
             "0\t1\t0\t1\t0\t1\n1\t1\t0\t0\t1\t1\n0\t1\t1\t0\t0\t0\n");
  const auto generator = elastic::testing::cpu_generator(elastic::testing::demo());
  generator->set_mode("duo:sink=4,local=60,prefill=chunked,prefill_chunk=100,pattern=" +
                      (folder / "heads.tsv").string());
  std::vector<Request> requests;
  for (const std::int64_t tokens : {50, 333, 210}) {
    requests.push_back(
        elastic::testing::request_of(elastic::testing::some_ids(tokens, 7, 6000), 20));
  }
  const std::vector<Result> together = generator->generate(requests);
  for (std::size_t i = 0; i < requests.size(); ++i) {
    EXPECT_EQ(together[i].ids, generator->generate(requests[i]).ids) << i;
    EXPECT_EQ(together[i].trace.msr, 0.5);
  }
  EXPECT_LT(together[1].kv_bytes, together[1].kv_bytes_full);
}

}  // namespace
}  // namespace elastic::engine
