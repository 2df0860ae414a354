#include "tasks/scoring/longbench_profiles.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <tuple>

#include "runs/summary.h"
#include "tasks/metrics/choice.h"
#include "tasks/scoring/v2_scores.h"

namespace elastic::tasks {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kV1 = "longbench", kE = "longbench_e", kV2 = "longbench_v2";
constexpr std::array<double, 3> kLengthOfBucket = {0, 4000, 8000};

std::optional<double> length_of(const runs::SampleRecord& record) {
  const auto bucket = record.strata.find("length");
  if (bucket == record.strata.end()) return std::nullopt;
  const auto& names = kLengthBuckets;
  const auto at = std::find(names.begin(), names.end(), bucket->second);
  if (at == names.end()) return std::nullopt;
  return kLengthOfBucket[static_cast<std::size_t>(at - names.begin())];
}

// Scored samples of one suite and mode, by set, in the order of their index.
std::vector<LongbenchSetScores> sets_of(const runs::RunData& run, std::string_view suite,
                                        const std::string& mode) {
  std::vector<const runs::SampleRecord*> records;
  for (const runs::SampleRecord& record : run.samples) {
    if (runs::suite_of(record.task) == suite && record.mode == mode && record.score) {
      records.push_back(&record);
    }
  }
  std::sort(records.begin(), records.end(),
            [](const runs::SampleRecord* a, const runs::SampleRecord* b) {
              return std::tie(a->task, a->index) < std::tie(b->task, b->index);
            });
  std::vector<LongbenchSetScores> sets;
  for (const runs::SampleRecord* record : records) {
    const std::string set = record->task.substr(suite.size() + 1);
    if (sets.empty() || sets.back().set != set) sets.push_back({set, {}, {}});
    sets.back().scores.push_back(*record->score);
    sets.back().lengths.push_back(length_of(*record));
  }
  return sets;
}

V2Set v2_set(const runs::RunData& run, const std::string& mode) {
  V2Set set{.name = mode};
  const auto stratum = [](const runs::SampleRecord& record, const char* key) {
    const auto at = record.strata.find(key);
    return at == record.strata.end() ? std::string() : at->second;
  };
  for (const runs::SampleRecord& record : run.samples) {
    if (record.task != kV2 || record.mode != mode) continue;
    if (!record.score) {
      ++set.errors;
      continue;
    }
    V2Prediction prediction{.difficulty = stratum(record, "difficulty"),
                            .length = stratum(record, "length"),
                            .judge = *record.score == 1};
    if (const auto letter = extract_choice(record.prediction)) {
      prediction.pred = std::string(1, *letter);
    }
    set.predictions.push_back(std::move(prediction));
  }
  return set;
}

void add_summaries(const runs::RunData& run, const fs::path& folder, Scored& scored) {
  std::vector<V2Set> v2;
  for (const std::string& mode : run.spec.modes) {
    for (const std::string_view suite : {kV1, kE}) {
      const auto sets = sets_of(run, suite, mode);
      if (sets.empty()) continue;
      const bool e = suite == kE;
      const fs::path out = folder / suite / path_inside(mode);
      scored.files[out / "result.json"] = longbench_result_json(sets, e);
      scored.files[out / "profiles.json"] =
          dump_pretty(profiles_json(sets, e, CodeSimilarity::kDifflib));
      scored.text += profiles_text(mode, sets, e);
    }
    v2.push_back(v2_set(run, mode));
    if (v2.back().predictions.empty()) v2.pop_back();
  }
  if (v2.empty()) return;
  const std::string table = v2_result_text(v2, {});
  scored.files[folder / kV2 / "result.txt"] = table;
  scored.text += table + "\n";
}

}  // namespace

Json profiles_json(std::span<const LongbenchSetScores> sets, bool e, CodeSimilarity code) {
  Json all = Json::array();
  for (const ProfileResult& profile : longbench_profiles(sets, e)) {
    Json numbers = Json::array();
    for (const ProfileNumber& n : profile.numbers) {
      numbers.push_back({{"level", n.level},
                         {"name", n.name},
                         {"bucket", n.bucket},
                         {"value", std::isnan(n.value) ? Json(nullptr) : Json(n.value)},
                         {"n", n.n},
                         {"rule", n.rule}});
    }
    all.push_back({{"profile", profile.profile},
                   {"code_similarity", to_string(code)},
                   {"numbers", std::move(numbers)}});
  }
  return all;
}

std::string profiles_text(std::string_view name, std::span<const LongbenchSetScores> sets, bool e) {
  std::string text;
  for (const ProfileResult& profile : longbench_profiles(sets, e)) {
    for (const ProfileNumber& n : profile.numbers) {
      if (n.level == "set") continue;
      text += fmt::format("{}, {}: {}{} {:.2f} (n = {}; {})\n", name, profile.profile, n.level,
                          n.name.empty() ? "" : " " + n.name, n.value, n.n, n.rule);
    }
  }
  return text;
}

void add_longbench_summaries(Scored& scored) {
  for (std::size_t i = 0; i < scored.runs.size(); ++i) {
    const fs::path folder =
        scored.runs.size() == 1 ? fs::path() : path_inside(scored.runs[i].folder);
    add_summaries(scored.runs[i], folder, scored);
  }
}

}  // namespace elastic::tasks
