#pragma once

// Requests in flight together: a new one is admitted as soon as there is room, and all that are
// running take a step together. No request is ever slowed by waiting for a batch to fill, and none
// waits for the longest answer of its batch.
//
// Admission is by reserved memory: keys and values of prompt and answer with every head whole, and
// the activations of one prompt, beside what the running ones have reserved. Where memory still
// runs out, the one that began last begins again later; its answer is the same.

#include <cstdint>
#include <functional>
#include <optional>
#include <span>

#include "engine/api/generator.h"
#include "engine/generate/answer.h"

namespace elastic::engine {

/// What the loop asks of its engine. All may throw; kOutOfMemory leaves the engine as it was.
struct InFlightEngine {
  /// A request as the mode of now answers it; nothing has run yet.
  std::function<Answer(Request)> start;
  /// Its prompt, up to its first token.
  std::function<void(Answer&)> prefill;
  /// One token for each. What is wrong with one of them alone is its failure, not thrown.
  std::function<void(std::span<Answer* const>)> step;
  std::function<Result(Answer&&)> finish;
  /// The device's energy counter, in joules; empty, or nothing, where it has none.
  std::function<std::optional<double>()> joules = {};
  /// Bytes that a request may come to need, while it lives and beyond that during its prefill.
  struct Need {
    std::int64_t kept = 0, passing = 0;
  };
  std::function<Need(const Request&)> need;
  std::int64_t available_bytes = 0;  // for all requests together
};

/// Runs until `stream.next` has nothing more and every request is done, `most` at a time. What a
/// request throws goes to stream.done in its place; kDevice ends the loop. With one at a time,
/// results carry the energy that each took.
void run_in_flight(const InFlightEngine& engine, const RequestStream& stream, std::int64_t most);

}  // namespace elastic::engine
