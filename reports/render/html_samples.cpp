#include <algorithm>
#include <filesystem>
#include <map>

#include "base/error.h"
#include "base/text.h"
#include "reports/render/html_parts.h"
#include "reports/strata.h"
#include "runs/prompt_store.h"

namespace elastic::reports {
namespace {

constexpr std::size_t kTextBudget = 6 << 20;  // bytes of predictions and references in the page
constexpr std::size_t kLongest = 1200, kShortest = 40;
constexpr std::size_t kHashDigits = 16;         // of a prompt's hash
constexpr std::size_t kPromptBudget = 3 << 20;  // bytes of prompts in the page
constexpr std::size_t kLongestPrompt = 3000, kShortestPrompt = 300;

// At most `bytes`, never inside a UTF-8 sequence.
std::string cut(const std::string& text, std::size_t bytes) {
  if (text.size() <= bytes) return text;
  std::size_t end = bytes;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;
  return text.substr(0, end);
}

// The last `bytes` at most, never from inside a UTF-8 sequence.
std::string cut_front(const std::string& text, std::size_t bytes) {
  if (text.size() <= bytes) return text;
  std::size_t begin = text.size() - bytes;
  while (begin < text.size() && (static_cast<unsigned char>(text[begin]) & 0xC0) == 0x80) ++begin;
  return text.substr(begin);
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

// A stored prompt: whole where it is short, else a third from its beginning and the rest from its
// end, where the question is.
Json prompt_json(const std::string& text, std::size_t limit) {
  if (text.size() <= limit) return {{"bytes", text.size()}, {"head", text}, {"tail", ""}};
  const std::size_t head = limit / 3;
  return {
      {"bytes", text.size()}, {"head", cut(text, head)}, {"tail", cut_front(text, limit - head)}};
}

// By the hash that samples name; a damaged file says so in its prompt's place.
Json prompts_json(const ReportInput& input) {
  std::map<std::string, std::size_t> hashes;  // -> run
  for (std::size_t run = 0; run < input.runs.size(); ++run) {
    if (!std::filesystem::is_directory(std::filesystem::path(input.runs[run].data.folder) /
                                       "prompts")) {
      continue;
    }
    for (const auto& sample : input.runs[run].data.samples) {
      if (sample.prompt_sha256.size() == 64) hashes.emplace(sample.prompt_sha256, run);
    }
  }
  const std::size_t limit = std::clamp(kPromptBudget / std::max<std::size_t>(hashes.size(), 1),
                                       kShortestPrompt, kLongestPrompt);
  Json out = Json::object();
  std::size_t left = kPromptBudget / limit;
  for (const auto& [hash, run] : hashes) {
    if (left-- == 0) break;
    try {
      const auto text = runs::read_prompt(input.runs[run].data.folder, hash);
      if (text) out[hash.substr(0, kHashDigits)] = prompt_json(*text, limit);
    } catch (const Error& error) {
      out[hash.substr(0, kHashDigits)] = {{"fault", error.what()}};
    }
  }
  return out;
}

struct Names {
  Dictionary models, modes, tasks, outcomes, routings, strata;
};

// What a sample is filtered by beside its depth: "language=en"; documents are hashes.
Json strata_of(const runs::SampleRecord& sample, Names& names) {
  Json out = Json::array();
  for (const auto& [key, value] : sample.strata) {
    if (is_stratum(key)) out.push_back(names.strata.add(stratum_name(key, value)));
  }
  return out;
}

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
  out["strata"].push_back(strata_of(sample, names));
  out["tokens"].push_back(sample.prompt_tokens);
  out["truncated"].push_back(sample.truncated_tokens);
  out["output"].push_back(sample.output_tokens);
  out["prompt"].push_back(sample.prompt_sha256.substr(0, kHashDigits));
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
       {"run",        "model",   "mode",       "task",  "outcome", "length",    "index",  "score",
        "msr",        "prefill", "ttft",       "depth", "tokens",  "truncated", "output", "prompt",
        "prediction", "cut",     "references", "error", "routing", "strata"}) {
    out[key] = Json::array();
  }
  const std::size_t limit = text_limit(input);
  for (std::size_t run = 0; run < input.runs.size(); ++run) {
    runs.push_back(input.runs[run].name);
    for (const auto& sample : input.runs[run].data.samples) {
      add_sample(sample, run, limit, names, out);
    }
  }
  out["prompts"] = prompts_json(input);
  out["runs"] = std::move(runs);
  out["models"] = names.models.json();
  out["modes"] = names.modes.json();
  out["tasks"] = names.tasks.json();
  out["outcomes"] = names.outcomes.json();
  out["routings"] = names.routings.json();
  out["stratum_names"] = names.strata.json();
  return out;
}

}  // namespace elastic::reports
