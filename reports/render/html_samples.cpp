#include <algorithm>
#include <map>

#include "base/text.h"
#include "reports/render/html_parts.h"

namespace elastic::reports {
namespace {

constexpr std::size_t kTextBudget = 6 << 20;  // bytes of predictions and references in the page
constexpr std::size_t kLongest = 1200, kShortest = 40;

// At most `bytes`, never inside a UTF-8 sequence.
std::string cut(const std::string& text, std::size_t bytes) {
  if (text.size() <= bytes) return text;
  std::size_t end = bytes;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;
  return text.substr(0, end);
}

// Position of each distinct text in a list, in order of first appearance.
class Dictionary {
 public:
  std::size_t add(const std::string& text) {
    const auto [at, fresh] = positions_.try_emplace(text, names_.size());
    if (fresh) names_.push_back(text);
    return at->second;
  }
  Json json() const { return names_; }

 private:
  std::map<std::string, std::size_t> positions_;
  Json names_ = Json::array();
};

template <typename T>
Json nullable(const std::optional<T>& value) {
  return value ? Json(*value) : Json(nullptr);
}

Json depth_of(const runs::SampleRecord& sample) {
  const auto at = sample.strata.find("needle_depth");
  if (at == sample.strata.end()) return nullptr;
  return nullable(parse_double(strip(at->second)));
}

std::size_t text_limit(const ReportInput& input) {
  std::size_t samples = 0;
  for (const auto& run : input.runs) samples += run.data.samples.size();
  return std::clamp(kTextBudget / std::max<std::size_t>(samples, 1), kShortest, kLongest);
}

struct Names {
  Dictionary models, modes, tasks, outcomes, routings;
};

void add_sample(const runs::SampleRecord& sample, std::size_t run, std::size_t limit, Names& names,
                Json& out) {
  out["run"].push_back(run);
  out["model"].push_back(names.models.add(sample.model));
  out["mode"].push_back(names.modes.add(sample.mode));
  out["task"].push_back(names.tasks.add(sample.task));
  out["outcome"].push_back(names.outcomes.add(runs::to_string(sample.outcome)));
  out["length"].push_back(sample.length);
  out["index"].push_back(sample.index);
  out["score"].push_back(nullable(sample.score));
  out["msr"].push_back(nullable(sample.msr));
  out["prefill"].push_back(nullable(sample.prefill_ms));
  out["ttft"].push_back(nullable(sample.ttft_ms));
  out["depth"].push_back(depth_of(sample));
  out["tokens"].push_back(sample.prompt_tokens);
  out["truncated"].push_back(sample.truncated_tokens);
  out["output"].push_back(sample.output_tokens);
  out["prompt"].push_back(sample.prompt_sha256.substr(0, 16));
  out["prediction"].push_back(cut(sample.prediction, limit));
  out["cut"].push_back(sample.prediction.size() > limit ? 1 : 0);
  out["references"].push_back(cut(join(sample.references, " | "), limit / 2));
  out["error"].push_back(sample.error ? Json(cut(*sample.error, limit)) : Json(nullptr));
  out["routing"].push_back(
      sample.routing.empty() ? Json(nullptr) : Json(names.routings.add(join(sample.routing, "/"))));
}

}  // namespace

Json samples_json(const ReportInput& input) {
  Json out = Json::object();
  Names names;
  Json runs = Json::array();
  for (const char* key :
       {"run",    "model",  "mode",       "task", "outcome",    "length", "index",
        "score",  "msr",    "prefill",    "ttft", "depth",      "tokens", "truncated",
        "output", "prompt", "prediction", "cut",  "references", "error",  "routing"}) {
    out[key] = Json::array();
  }
  const std::size_t limit = text_limit(input);
  for (std::size_t run = 0; run < input.runs.size(); ++run) {
    runs.push_back(input.runs[run].name);
    for (const auto& sample : input.runs[run].data.samples) {
      add_sample(sample, run, limit, names, out);
    }
  }
  out["runs"] = std::move(runs);
  out["models"] = names.models.json();
  out["modes"] = names.modes.json();
  out["tasks"] = names.tasks.json();
  out["outcomes"] = names.outcomes.json();
  out["routings"] = names.routings.json();
  return out;
}

}  // namespace elastic::reports
