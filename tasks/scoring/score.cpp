#include "tasks/scoring/score.h"

#include <nlohmann/json.hpp>

#include "base/json.h"
#include "base/registry.h"

namespace elastic::tasks {
namespace {

namespace fs = std::filesystem;

constexpr ScoreFormat kFormats[] = {
    {"elastic", "run folders of this program", score_elastic},
    {"lm-eval", "samples_TASK_TIME.jsonl of lm-evaluation-harness", score_lm_eval},
    {"longbench", "LongBench and LongBench-E pred folders: MODEL/SET.jsonl, or SET.jsonl files",
     score_longbench},
    {"longbench-v2", "LongBench-V2 result files: MODEL.jsonl", score_longbench_v2},
    {"ruler", "RULER pred folders: MODEL/synthetic/LENGTH/pred/TASK.jsonl, or TASK.jsonl files",
     score_ruler},
};

}  // namespace

std::span<const ScoreFormat> score_formats() { return kFormats; }

const ScoreFormat& find_score_format(std::string_view name) {
  return find_entry<ScoreFormat>(kFormats, "format", name);
}

std::string scores_jsonl(const Scored& scored) {
  std::string text;
  for (const runs::RunData& run : scored.runs) {
    for (const runs::SampleRecord& sample : run.samples) {
      Json line = {{"key", sample.key},
                   {"metric", sample.metric},
                   {"score", sample.score ? Json(*sample.score) : Json(nullptr)}};
      if (const auto old = scored.old_scores.find(sample.key); old != scored.old_scores.end()) {
        line["old_score"] = old->second;
      }
      text += dump_line(line) + "\n";
    }
  }
  return text;
}

std::int64_t changed_scores(const Scored& scored) {
  std::int64_t changed = 0;
  for (const runs::RunData& run : scored.runs) {
    for (const runs::SampleRecord& sample : run.samples) {
      const auto old = scored.old_scores.find(sample.key);
      changed += old != scored.old_scores.end() && sample.score && *sample.score != old->second;
    }
  }
  return changed;
}

fs::path path_inside(const fs::path& path) {
  fs::path inside;
  for (const fs::path& part : path.lexically_normal().relative_path()) {
    if (part != ".." && part != ".") inside /= part;
  }
  return inside;
}

}  // namespace elastic::tasks
