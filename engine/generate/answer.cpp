#include "engine/generate/answer.h"

#include <algorithm>
#include <limits>
#include <utility>
#include <vector>

#include "base/error.h"
#include "engine/generate/sampler.h"

namespace elastic::engine {
namespace {

bool contains(std::span<const std::int32_t> ids, std::int32_t id) {
  return std::find(ids.begin(), ids.end(), id) != ids.end();
}

bool is_too_early_to_end(const Answer& answer) {
  return std::ssize(answer.result.ids) < answer.request.min_new_tokens;
}

// The logits with every token barred that would end the answer.
std::vector<float> without_ends(std::span<const float> logits, const Request& request,
                                std::span<const std::int32_t> eos_ids) {
  std::vector<float> barred(logits.begin(), logits.end());
  for (const auto ids : {eos_ids, std::span<const std::int32_t>(request.stop_ids)}) {
    for (const std::int32_t id : ids) {
      if (id >= 0 && static_cast<std::size_t>(id) < barred.size()) {
        barred[static_cast<std::size_t>(id)] = -std::numeric_limits<float>::infinity();
      }
    }
  }
  return barred;
}

}  // namespace

bool Answer::takes_greedy() const {
  return request.sampling.temperature == 0 && !is_too_early_to_end(*this);
}

void accept(Answer& answer, std::span<const float> logits, std::span<const std::int32_t> eos_ids) {
  try {
    check_finite(logits);
  } catch (const Error&) {
    answer.failure = std::current_exception();
    answer.done = true;
    return;
  }
  const Sampling& sampling = answer.request.sampling;
  take(answer,
       is_too_early_to_end(answer)
           ? sample(without_ends(logits, answer.request, eos_ids), sampling, answer.stream)
           : sample(logits, sampling, answer.stream),
       eos_ids);
}

void take(Answer& answer, std::int32_t id, std::span<const std::int32_t> eos_ids) {
  const Request& request = answer.request;
  Result& result = answer.result;
  result.ids.push_back(id);
  if ((!request.ignore_eos && contains(eos_ids, id)) || contains(request.stop_ids, id)) {
    result.finish = Finish::kEos;
    answer.done = true;
  } else if (auto text = answer.stop.find(result.ids)) {
    result.finish = Finish::kStop;
    result.text = std::move(*text);
    answer.done = true;
  } else if (std::ssize(result.ids) >= request.max_new_tokens) {
    result.finish = Finish::kLength;
    answer.done = true;
  }
}

void finish(Answer& answer, const Tokenizer* tokenizer) {
  Result& result = answer.result;
  if (tokenizer != nullptr && result.finish != Finish::kStop) {
    result.text =
        tokenizer->decode(result.ids, {.skip_special = true, .clean_up_spaces = std::nullopt});
  }
  const Sequence& sequence = *answer.sequence;
  result.trace.read_share = sequence.reads.share();
  result.trace.fallback_share =
      answer.plan->fallback_share(result.trace.msr, std::ssize(answer.request.ids));
  result.kv_bytes = sequence.cache.bytes(sequence.tokens);
  result.kv_bytes_full = sequence.cache.bytes_full(sequence.tokens);
}

}  // namespace elastic::engine
