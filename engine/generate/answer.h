#pragma once

// One request on its way: its sequence and what it has said so far.

#include <cstdint>
#include <exception>
#include <memory>
#include <optional>
#include <span>

#include "base/splitmix.h"
#include "engine/api/generator.h"
#include "engine/api/tokenizer.h"
#include "engine/attention/attention_plan.h"
#include "engine/generate/stop_matcher.h"
#include "engine/model/decoder.h"

namespace elastic::engine {

struct Answer {
  std::int64_t number = 0;  // of the request, from 0
  Request request;
  std::shared_ptr<const AttentionPlan> plan;
  std::optional<Sequence> sequence;  // since its prefill began
  Result result;
  SplitMix64 stream;
  StopMatcher stop;
  bool done = false;
  std::exception_ptr failure;                // then it is done
  std::optional<double> joules_before = {};  // of the energy counter, of one that runs alone

  /// True where the largest logit is what the request would sample next.
  bool takes_greedy() const;
};

/// Samples the next token from a row of logits and takes it; logits that are not finite are its
/// failure.
void accept(Answer& answer, std::span<const float> logits, std::span<const std::int32_t> eos_ids);

/// Appends the token and decides whether the request is finished by it.
void take(Answer& answer, std::int32_t id, std::span<const std::int32_t> eos_ids);

/// Fills in what is known at the end: the text, unless a stop string cut it, what steps read, what
/// fell back, and cache bytes.
void finish(Answer& answer, const Tokenizer* tokenizer);

}  // namespace elastic::engine
