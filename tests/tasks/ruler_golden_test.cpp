// The stored expectations of RULER's generators: random streams, word pools, sentences, constants
// and whole data files, byte for byte.

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <optional>

#include "base/error.h"
#include "base/hash.h"
#include "base/json.h"
#include "engine/api/tokenizer.h"
#include "tasks/ruler/generate.h"
#include "tests/testing/cases.h"
#include "tests/testing/folders.h"

namespace elastic::tasks {
namespace {

namespace fs = std::filesystem;
using testing::data_path;
using testing::golden_folder;

constexpr std::size_t kShown = 30000;  // characters of a differing line

std::vector<Json> read_rows(const fs::path& file) {
  std::vector<Json> rows;
  std::ifstream in(file);
  for (std::string line; std::getline(in, line);) {
    if (!line.empty()) rows.push_back(parse_json(line, file.string()));
  }
  return rows;
}

struct Expected {
  std::string line_sha256;
  Json record;
};

struct GoldenRun {
  Json parts;
  std::map<std::int64_t, Expected> samples;
};

// Runs with their samples, by run key, from both sample files.
std::vector<GoldenRun> read_runs(const fs::path& folder) {
  std::vector<GoldenRun> runs;
  std::map<std::string, std::size_t> index;
  for (Json& parts : read_rows(folder / "generator_runs.jsonl")) {
    index[parts["run"].get<std::string>()] = runs.size();
    runs.push_back({std::move(parts), {}});
  }
  for (const char* name : {"generator_full.jsonl", "generator_hash.jsonl"}) {
    for (Json& row : read_rows(folder / name)) {
      runs[index.at(row["run"].get<std::string>())].samples[row["i"].get<std::int64_t>()] = {
          row["line_sha256"].get<std::string>(), std::move(row["record"])};
    }
  }
  return runs;
}

class Profiles {
 public:
  const RulerProfile& get(const std::string& generation, const std::string& wordlist) {
    auto& profile = profiles_[generation + wordlist];
    if (!profile) {
      profile = make_ruler_profile(generation == "A" ? "ruler@gen-a" : "ruler@gen-b", data_path(""),
                                   wordlist);
    }
    return *profile;
  }

 private:
  std::map<std::string, std::unique_ptr<RulerProfile>> profiles_;
};

class Counters {
 public:
  // Nothing where the tokenizer's folder is absent.
  std::optional<TokenCounter> get(const std::string& name) {
    if (name == "ws") return whitespace_counter();
    if (name == "bytes4") return byte_counter();
    const fs::path folder = data_path("tokenizers/llama-3.1");
    if (folder.empty()) return std::nullopt;
    if (!tokenizer_) tokenizer_.emplace(engine::Tokenizer::load(folder));
    return model_counter(*tokenizer_);
  }

 private:
  std::optional<engine::Tokenizer> tokenizer_;
};

GenerateRequest request_of(const Json& parts, TokenCounter counter) {
  return {.task = parts["task"].get<std::string>(),
          .length = parts["max_seq_length"].get<std::int64_t>(),
          .count = parts["num_samples"].get<std::int64_t>(),
          .seed = parts["seed"].get<std::uint64_t>(),
          .model_template = parts["model_template"].get<std::string>(),
          .remove_newline_tab = parts["remove_newline_tab"].get<bool>(),
          .counter = std::move(counter)};
}

// Compares one run with its goldens, up to the first line that differs.
void expect_equal(const GoldenRun& run, const GeneratedSet& set) {
  ASSERT_EQ(set.lines.size(), run.parts["num_samples"].get<std::size_t>()) << run.parts["run"];
  for (const auto& [i, expected] : run.samples) {
    const std::string& line = set.lines.at(static_cast<std::size_t>(i));
    if (sha256_hex(line) == expected.line_sha256) continue;
    ADD_FAILURE() << run.parts["run"] << " sample " << i << " differs\n  ours   "
                  << line.substr(0, kShown) << "\n  golden "
                  << expected.record.dump().substr(0, kShown) << "\n  sizes "
                  << Json(set.trace.sizes).dump() << " golden " << run.parts["final_sizes"].dump()
                  << "\n  probes " << Json(set.trace.probes).dump() << " golden "
                  << run.parts["probes"].dump();
    break;
  }
}

TEST(Golden_ruler, generator_runs) {
  const fs::path folder = golden_folder("ruler");
  if (folder.empty() || data_path("ruler").empty()) GTEST_SKIP() << "golden folder absent: ruler";
  if (!fs::exists(folder / "generator_runs.jsonl")) GTEST_SKIP() << "no generator runs";
  std::vector<GoldenRun> runs = read_runs(folder);
  // Short runs first: the time that a test may take is spent on as many runs as possible.
  std::stable_sort(runs.begin(), runs.end(), [](const GoldenRun& a, const GoldenRun& b) {
    return a.parts["max_seq_length"].get<std::int64_t>() <
           b.parts["max_seq_length"].get<std::int64_t>();
  });
  const char* filter = std::getenv("ELASTIC_RULER_RUNS");
  Profiles profiles;
  Counters counters;
  std::size_t ran = 0, passed_over = 0, unfinished = 0;  // a case is a line, or a run's error
  for (const GoldenRun& run : runs) {
    const Json& parts = run.parts;
    const std::string key = parts["run"].get<std::string>();
    const std::size_t cases = parts["status"] == "ok" ? run.samples.size() : 1;
    unfinished += parts["status"] == "ok" ? 0 : 1;
    const bool wanted = filter == nullptr || key.find(filter) != std::string::npos;
    const auto counter = counters.get(parts["tokenizer"].get<std::string>());
    (wanted && counter ? ran : passed_over) += cases;
    if (!wanted || !counter) continue;
    const RulerProfile& profile =
        profiles.get(parts["generation"].get<std::string>(), parts["wordlist"].get<std::string>());
    const GenerateRequest request = request_of(parts, *counter);
    if (parts["status"] != "ok") {
      EXPECT_THROW(generate_ruler(request, profile), Error) << key;
      continue;
    }
    expect_equal(run, generate_ruler(request, profile));
  }
  const std::size_t lines = testing::stored_lines(folder / "generator_full.jsonl") +
                            testing::stored_lines(folder / "generator_hash.jsonl");
  testing::expect_all_ran(ran, lines + unfinished, passed_over);
}

}  // namespace
}  // namespace elastic::tasks
