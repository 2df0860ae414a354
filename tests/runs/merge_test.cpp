// run.json after a second invocation, whole.

#include <gtest/gtest.h>

#include "base/error.h"
#include "base/file.h"
#include "runs/record_json.h"
#include "runs/run_store.h"
#include "tests/testing/folders.h"

namespace elastic::runs {
namespace {

using testing::TemporaryFolder;

RunSpec first_spec() {
  RunSpec spec;
  spec.created = "first";
  spec.settings = {{"seed", "1"}};
  spec.environment = {{"device", "cpu"}, {"host", ""}};
  spec.modes = {"fa"};
  spec.mode_options = {{"fa", "fa:x"}};
  spec.tasks = {"t"};
  spec.lengths = {4};
  spec.planned = {{{"fa", "t", 4}, 5}};
  spec.planned_samples = 5;
  spec.data_ids = {{{"t", 4}, "d5"}};
  spec.source_ids = {{"file", "h1"}};
  spec.licences = {{"file", "MIT"}};
  spec.categories = {{"t", "qa"}};
  spec.templates = {{"chat_template", "c"}, {"t", "old"}};
  return spec;
}

RunSpec after(const std::vector<RunSpec>& specs) {
  const TemporaryFolder folder;
  for (const RunSpec& spec : specs) RunStore(StoreOptions{.folder = folder.path()}, spec);
  return read_run(folder.path()).spec;
}

TEST(Merge, EveryFieldGainsWhatIsNew) {
  RunSpec more = first_spec();
  more.created = "second";
  more.settings["profile_s"] = "s@builtin";
  more.environment = {{"device", "cuda"}, {"host", "h"}, {"new", "n"}};
  more.modes = {"fa", "ssa"};
  more.mode_options = {{"ssa", "ssa:y"}};
  more.tasks = {"u", "t"};
  more.lengths = {8, 4, 2};
  more.planned = {{{"fa", "t", 4}, 7}, {{"ssa", "u", 8}, 3}};
  more.data_ids = {{{"t", 4}, "d7"}, {{"u", 8}, "e"}};
  more.source_ids = {{"file", "h2"}, {"other", "h3"}};
  more.licences = {{"file", "BSD"}, {"other", "none declared"}};
  more.categories = {{"t", "summary"}, {"u", "code"}};
  more.templates = {{"t", "new"}};
  EXPECT_EQ(
      dump_line(spec_to_json(after({first_spec(), more}))),
      R"({"schema_version":1,"created":"first","settings":{"profile_s":"s@builtin","seed":"1"},)"
      R"("environment":{"device":"cpu | cuda","host":"h","new":"n"},"modes":["fa","ssa"],)"
      R"("mode_options":{"fa":"fa:x","ssa":"ssa:y"},"tasks":["t","u"],"lengths":[4,8,2],)"
      R"("planned_samples":10,"planned":{"fa|t|4":7,"ssa|u|8":3},"data_ids":{"t|4":"d7","u|8":"e"},)"
      R"("source_ids":{"file":"h2","other":"h3"},)"
      R"("licences":{"file":"BSD","other":"none declared"},)"
      R"("categories":{"t":"summary","u":"code"},"templates":{"chat_template":"c","t":"new"}})");
}

TEST(Merge, TheSameAgainChangesNothing) {
  EXPECT_EQ(dump_line(spec_to_json(after({first_spec(), first_spec(), first_spec()}))),
            dump_line(spec_to_json(first_spec())));
}

// A data id covers its sample count: of equal counts the later id, of fewer samples none.
TEST(Merge, DataIdsFollowTheLargerSet) {
  for (const auto& [samples, id] :
       std::vector<std::pair<std::int64_t, const char*>>{{4, "d5"}, {5, "new"}, {6, "new"}}) {
    RunSpec more = first_spec();
    more.planned[{"fa", "t", 4}] = samples;
    more.data_ids[{"t", 4}] = "new";
    const RunSpec merged = after({first_spec(), more});
    EXPECT_EQ(merged.data_ids.at({"t", 4}), id) << samples;
    EXPECT_EQ(merged.planned_samples, std::max<std::int64_t>(samples, 5));
  }
}

TEST(Merge, EnvironmentsAreListedOnce) {
  const auto devices = [](const std::vector<const char*>& names) {
    std::vector<RunSpec> specs;
    for (const char* name : names) {
      specs.push_back(first_spec());
      specs.back().environment = {{"device", name}};
    }
    return after(specs).environment.at("device");
  };
  EXPECT_EQ(devices({"cpu", "cuda", "cpu", "cuda"}), "cpu | cuda");
  EXPECT_EQ(devices({"cuda:0", "cuda", "a | cuda"}), "cuda:0 | cuda | a | cuda");
  EXPECT_EQ(devices({"", "cpu"}), "cpu");
}

TEST(Merge, OtherSettingsAreNamedWhole) {
  const TemporaryFolder folder;
  { RunStore(StoreOptions{.folder = folder.path()}, first_spec()); }
  const auto refusal = [&](const RunSpec& spec) -> std::string {
    try {
      RunStore(StoreOptions{.folder = folder.path()}, spec);
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::kInvalidArgument);
      return error.what();
    }
    return "";
  };
  RunSpec other = first_spec();
  other.settings = {{"bos", "x"}, {"profile_s", "new"}};
  EXPECT_EQ(refusal(other),
            folder.path().string() +
                ": this run was started with other settings, so its samples cannot be continued: "
                "`bos` was not set and is now `x`; `seed` was `1` and is now not set. Give the old "
                "values, or another --output");
  other = first_spec();
  other.mode_options["fa"] = "fa:z";
  EXPECT_EQ(refusal(other), folder.path().string() +
                                ": mode `fa` was `fa:x` and is now `fa:z`; spell the old options "
                                "out, or choose another --output");
}

// With several ranks, each judges by its own file alone: the others may have begun.
TEST(Merge, WithoutResumeARankJudgesByItsOwnFile) {
  const TemporaryFolder folder;
  const auto open = [&](int rank, int world) {
    RunStore(
        StoreOptions{.folder = folder.path(), .rank = rank, .world_size = world, .resume = false},
        first_spec());
  };
  open(0, 2);
  open(1, 2);
  EXPECT_THROW(open(0, 2), Error);
  EXPECT_THROW(open(1, 2), Error);
  EXPECT_THROW(open(2, 1), Error) << "alone, any file of a run counts";
  open(2, 3);
}

// A torn line is cut off the rank's own file alone.
TEST(Merge, RepairSaysHowMuchWasCut) {
  const TemporaryFolder folder;
  { RunStore(StoreOptions{.folder = folder.path()}, first_spec()); }
  const std::filesystem::path own = folder / "samples.rank0.jsonl";
  write_file_atomic(own, "\n{\"key\"");
  const RunStore store(StoreOptions{.folder = folder.path()}, first_spec());
  EXPECT_EQ(store.found().notes,
            std::vector<std::string>{own.string() +
                                     ": cut a torn last line of 6 bytes; its sample runs again"});
  EXPECT_EQ(read_file(own), "\n");
}

}  // namespace
}  // namespace elastic::runs
