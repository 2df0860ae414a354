#include "tasks/scoring/score.h"

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

fs::path path_inside(const fs::path& path) {
  fs::path inside;
  for (const fs::path& part : path.lexically_normal().relative_path()) {
    if (part != ".." && part != ".") inside /= part;
  }
  return inside;
}

}  // namespace elastic::tasks
