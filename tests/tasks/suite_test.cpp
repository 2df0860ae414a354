#include "tasks/suite.h"

#include <gtest/gtest.h>

#include <set>

#include "base/error.h"
#include "tasks/registry.h"

namespace elastic::tasks {
namespace {

std::string suite_named(std::string_view profile) {
  const Suite* suite = suite_of_profile(profile, suites());
  return suite == nullptr ? "" : std::string(suite->name);
}

TEST(Suite, ProfilesBelongToTheLongestBeginning) {
  EXPECT_EQ(suite_named("ruler@gen-b"), "ruler");
  EXPECT_EQ(suite_named("ruler-mine"), "ruler");
  EXPECT_EQ(suite_named("longbench@builtin"), "longbench");
  EXPECT_EQ(suite_named("longbench-official"), "longbench");
  EXPECT_EQ(suite_named("longbench-e-official"), "longbench_e");
  EXPECT_EQ(suite_named("longbench-e@builtin"), "longbench_e");
  EXPECT_EQ(suite_named("longbench-v2@builtin"), "longbench_v2");
  EXPECT_EQ(suite_named("longbench-extra"), "longbench") << "not of longbench-e";
  for (const char* none : {"", "ruler", "rulers@gen-a", "longbench", "gen-b", "@ruler"}) {
    EXPECT_EQ(suite_named(none), "") << none;
  }
}

TEST(Suite, DefaultProfilesAreTheSuitesOwn) {
  std::set<std::string_view> titles;
  for (const Suite& suite : suites()) {
    EXPECT_EQ(suite_named(suite.profile), suite.name);
    EXPECT_EQ(suite_named(suite.demo_profile), suite.name);
    EXPECT_TRUE(titles.insert(suite.title).second) << suite.title;
  }
  EXPECT_THROW(find_suite("rulers", suites()), Error);
}

TEST(Suite, ASuiteOrATaskOfItByName) {
  EXPECT_EQ(resolve_tasks("longbench_v2"), std::vector<std::string>{"longbench_v2"});
  EXPECT_EQ(resolve_tasks("ruler/vt,longbench/trec, ruler/vt"),
            (std::vector<std::string>{"ruler/vt", "longbench/trec"}));
  EXPECT_EQ(resolve_tasks("longbench").size(), 21u) << "neither E nor V2";
  EXPECT_EQ(resolve_tasks("longbench_e").size(), 13u);
  EXPECT_EQ(task_names().size(), 13u + 21u + 13u + 1u);
  EXPECT_EQ(make_task("longbench_e/trec")->info().name, "longbench_e/trec");
  EXPECT_THROW(make_task("trec"), Error);
}

TEST(Suite, ExplainsWhatInfoDoesNotSay) {
  const auto lines = [](const char* name) {
    const auto task = make_task(name);
    std::map<std::string, std::string> found;
    for (auto& [key, value] :
         find_suite(task->info().suite, suites()).explain(task->info(), "/nonexistent")) {
      found[key] = value;
    }
    return found;
  };
  auto trec = lines("longbench/trec");
  EXPECT_EQ(trec["chat template"], "never");
  EXPECT_EQ(trec["scored"], "the answer's first line, best of the accepted answers");
  EXPECT_TRUE(trec["rows"].starts_with("missing (")) << trec["rows"];
  EXPECT_TRUE(trec["aggregation"].starts_with("100 * sum / n")) << trec["aggregation"];
  auto qasper = lines("longbench_e/qasper");
  EXPECT_EQ(qasper["chat template"], "the checkpoint's");
  EXPECT_EQ(qasper["scored"], "the answer, best of the accepted ones");
  EXPECT_TRUE(qasper["aggregation"].starts_with("three length buckets"));
  auto v2 = lines("longbench_v2");
  EXPECT_EQ(v2.size(), 2u);
  EXPECT_TRUE(v2["aggregation"].starts_with("accuracy, rounded to one decimal"));
}

}  // namespace
}  // namespace elastic::tasks
