#pragma once

// What `score` makes of its inputs, as one text to compare: runs with their records, files, the
// text for the reader, failures. The folder of the test is left out of every path.
//
//   EXPECT_EQ(shown(score_ruler({.paths = {folder / "pred"}}), folder.path()), expected);

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <functional>
#include <iterator>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "base/text.h"
#include "tasks/scoring/score.h"
#include "tests/testing/folders.h"

namespace elastic::tasks {

inline std::string shown_map(std::string_view name, const auto& entries) {
  std::string text;
  for (const auto& [key, value] : entries) text += fmt::format(" {}={}", key, value);
  return text.empty() ? "" : fmt::format("  {}{}\n", name, text);
}

inline std::string shown_record(const runs::SampleRecord& r) {
  return fmt::format("  {} | {} | {} | {} | {} | {} | {} | [{}] | [{}] | {} | {} |", r.key, r.model,
                     r.mode, r.task, r.length, r.index, r.prediction, join(r.references, ", "),
                     join(r.all_classes, ", "), r.metric,
                     r.score ? fmt::format("{:.6g}", *r.score) : "none") +
         [&] {
           std::string strata;
           for (const auto& [key, value] : r.strata) strata += fmt::format(" {}={}", key, value);
           return strata + "\n";
         }();
}

inline std::string shown_run(const runs::RunData& run) {
  std::string text = "run " + run.folder + "\n";
  if (!run.spec.tasks.empty()) text += "  tasks " + join(run.spec.tasks, " ") + "\n";
  text += shown_map("categories", run.spec.categories);
  text += shown_map("settings", run.spec.settings);
  std::map<std::string, std::int64_t> planned;
  for (const auto& [cell, samples] : run.spec.planned) planned[runs::to_string(cell)] = samples;
  text += shown_map("planned", planned);
  for (const runs::SampleRecord& record : run.samples) text += shown_record(record);
  return text;
}

// profiles.json, a line for every number; code similarities that agree in all of them once.
inline std::string shown_profiles(const std::string& bytes) {
  struct Block {
    std::string profile, similarities, numbers;
  };
  std::vector<Block> blocks;
  for (const Json& profile : parse_json(bytes, "profiles.json")) {
    const std::string similarity = profile.at("code_similarity").get<std::string>();
    Block block{profile.at("profile").get<std::string>(), similarity, ""};
    for (const Json& n : profile.at("numbers")) {
      block.numbers += "  ";
      for (const char* key : {"level", "name", "bucket", "rule"}) {
        block.numbers += n.at(key).get<std::string>() + " | ";
      }
      block.numbers += n.at("value").dump() + " | " + n.at("n").dump() + "\n";
    }
    const auto same = std::ranges::find_if(blocks, [&](const Block& other) {
      return other.profile == block.profile && other.numbers == block.numbers;
    });
    if (same == blocks.end()) {
      blocks.push_back(std::move(block));
    } else {
      same->similarities += ", " + similarity;
    }
  }
  std::string text;
  for (const Block& block : blocks) {
    text += block.profile + ", " + block.similarities + "\n" + block.numbers;
  }
  return text;
}

// Files one after the other with the same bytes once.
inline std::string shown_files(const auto& files) {
  std::string text, names;
  for (auto file = files.begin(); file != files.end(); ++file) {
    const auto& [path, bytes] = *file;
    names += (names.empty() ? "" : ", ") + path.string();
    if (const auto next = std::next(file); next != files.end() && next->second == bytes) continue;
    const bool profiles = path.filename() == "profiles.json";
    text += fmt::format("file {}\n{}\n", names, strip(profiles ? shown_profiles(bytes) : bytes));
    names.clear();
  }
  return text;
}

inline std::string shown(const Scored& scored, const std::filesystem::path& root) {
  std::string text = "\n";
  for (const runs::RunData& run : scored.runs) text += shown_run(run);
  text += shown_map("old", scored.old_scores);
  text += shown_files(scored.files);
  if (!scored.text.empty()) text += "text\n" + scored.text;
  for (const Error& error : scored.failures) text += fmt::format("failure {}\n", error.what());
  text = replace_all(text, root.string(), "ROOT");
  return replace_all(text, root.relative_path().string(), "ROOT");
}

/// Inputs of `score` in a folder of their own.
class ScoreTest : public ::testing::Test {
 protected:
  std::filesystem::path write(const std::filesystem::path& name, const std::string& bytes) const {
    create_folders((folder_.path() / name).parent_path());
    write_file_atomic(folder_.path() / name, bytes);
    return folder_.path() / name;
  }
  std::string scored(Scored (*format)(const ScoreInput&), std::vector<std::filesystem::path> paths,
                     std::vector<std::string> tasks = {},
                     CodeSimilarity code = CodeSimilarity::kDifflib) const {
    return shown(format({.paths = std::move(paths),
                         .tasks = std::move(tasks),
                         .data_dir = folder_.path(),
                         .code_similarity = code}),
                 folder_.path());
  }
  std::string refusal(const std::function<void()>& act) const {
    try {
      act();
    } catch (const Error& error) {
      return replace_all(error.what(), folder_.path().string(), "ROOT");
    }
    return "no error";
  }

  const testing::TemporaryFolder folder_;
};

}  // namespace elastic::tasks
