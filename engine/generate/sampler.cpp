#include "engine/generate/sampler.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <vector>

#include "base/error.h"

namespace elastic::engine {
namespace {

struct Candidate {
  std::int32_t id = 0;
  double weight = 0;  // not normalised
};

bool more_likely(const Candidate& a, const Candidate& b) {
  return a.weight != b.weight ? a.weight > b.weight : a.id < b.id;
}

// Weights exp((logit - max) / temperature), most likely first, the top_k of them.
std::vector<Candidate> ranked(std::span<const float> logits, const Sampling& sampling) {
  const double largest = logits[static_cast<std::size_t>(argmax(logits))];
  std::vector<Candidate> candidates;
  candidates.reserve(logits.size());
  for (std::size_t id = 0; id < logits.size(); ++id) {
    const double weight =
        std::exp((static_cast<double>(logits[id]) - largest) / sampling.temperature);
    if (weight > 0) candidates.push_back({static_cast<std::int32_t>(id), weight});
  }
  const auto keep =
      sampling.top_k > 0
          ? std::min<std::size_t>(static_cast<std::size_t>(sampling.top_k), candidates.size())
          : candidates.size();
  std::partial_sort(candidates.begin(), candidates.begin() + static_cast<std::ptrdiff_t>(keep),
                    candidates.end(), more_likely);
  candidates.resize(keep);
  return candidates;
}

double total_weight(const std::vector<Candidate>& candidates) {
  return std::accumulate(
      candidates.begin(), candidates.end(), 0.0,
      [](double sum, const Candidate& candidate) { return sum + candidate.weight; });
}

}  // namespace

void check_sampling(const Sampling& sampling) {
  const auto refuse = [](const char* field, double value, const char* range) {
    throw Error(ErrorKind::kInvalidArgument,
                fmt::format("{} is {}, expected {}", field, value, range));
  };
  if (!(sampling.temperature >= 0) || std::isinf(sampling.temperature)) {
    refuse("temperature", sampling.temperature, "a number >= 0");
  }
  if (!(sampling.top_p > 0 && sampling.top_p <= 1))
    refuse("top_p", sampling.top_p, "0 < top_p <= 1");
  if (sampling.top_k < 0) refuse("top_k", static_cast<double>(sampling.top_k), "0 (all) or more");
}

void check_finite(std::span<const float> logits) {
  const auto is_bad = [](float x) { return !(std::abs(x) <= std::numeric_limits<float>::max()); };
  bool any = false;  // no early end: the loop is one vector instruction per eight logits
  for (const float x : logits) any |= is_bad(x);
  if (!any) return;
  const auto first = std::find_if(logits.begin(), logits.end(), is_bad);
  throw Error(ErrorKind::kNonFinite,
              fmt::format("{} of {} logits of the next token are NaN or infinite (first: token {}, "
                          "{}); the weights are damaged, or overflow in this dtype: try --dtype "
                          "fp32",
                          std::count_if(logits.begin(), logits.end(), is_bad), logits.size(),
                          first - logits.begin(), *first));
}

std::int32_t argmax(std::span<const float> logits) {
  std::size_t best = 0;
  float largest = -std::numeric_limits<float>::infinity();
  for (std::size_t id = 0; id < logits.size(); ++id) {
    if (logits[id] > largest) {
      largest = logits[id];
      best = id;
    }
  }
  return static_cast<std::int32_t>(best);
}

std::int32_t sample(std::span<const float> logits, const Sampling& sampling, SplitMix64& stream) {
  if (sampling.temperature <= 0) return argmax(logits);
  std::vector<Candidate> candidates = ranked(logits, sampling);
  if (candidates.empty()) return argmax(logits);  // no finite logit
  const double total = total_weight(candidates);
  double kept = 0;
  std::size_t count = 0;
  while (count < candidates.size() && (count == 0 || kept < sampling.top_p * total)) {
    kept += candidates[count++].weight;
  }
  double target = stream.uniform() * kept;
  for (std::size_t i = 0; i + 1 < count; ++i) {
    target -= candidates[i].weight;
    if (target < 0) return candidates[i].id;
  }
  return candidates[count - 1].id;
}

}  // namespace elastic::engine
