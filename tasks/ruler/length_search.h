#pragma once

// How RULER fits a prompt to a length in tokens. Every trial draws from the sample's random
// streams, so the trials and their order decide which samples come out; the two generations differ:
// gen-A adds a step until the length is passed, gen-B halves an interval. Then every sample is
// drawn anew and, where it is too long, drawn again one step smaller.
//
//   SizeSearch search{.length = 4096, .budget = 128, .step = 25, .draw = ..., .count = ...};
//   std::int64_t size = binary_size(search, {.first = 25}, trace);
//
// Upstream repeats a failing smallest size for ever; here it ends in an Error after kMaxFailures.

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"

namespace elastic::tasks {

inline constexpr int kMaxFailures = 1000;

using CountTokens = std::function<std::int64_t(std::string_view)>;

/// One drawn prompt with its answers.
struct Draft {
  std::string prompt;
  std::vector<std::string> answers;
};

/// What a search did; `probes` are [size, counted tokens] as upstream prints them.
struct SearchTrace {
  std::vector<std::pair<std::int64_t, std::int64_t>> probes;
  std::vector<std::int64_t> sizes;
};

struct SizeSearch {
  std::int64_t length = 0;  // tokens that prompt, budget and extra must not exceed
  std::int64_t budget = 0;  // tokens kept for the answer
  std::int64_t extra = 0;   // tokens added to each prompt after the search
  std::int64_t step = 0;    // in the size's unit: words, lines, documents
  int max_failures = kMaxFailures;
  std::function<Draft(std::int64_t size)> draw;
  CountTokens count;
};

struct LinearOptions {
  std::function<std::string(const std::vector<std::string>&)> glue;  // answers, counted behind
  std::int64_t cap_tried = 0;  // stop at this size once a size beyond it was tried; 0 = none
  std::int64_t cap_next = 0;   // stop at this size before trying one beyond it; 0 = none
};

struct BinaryOptions {
  std::int64_t first = 0;     // size of the measuring draw
  bool double_floor = false;  // estimate floor(length / tokens) * 2, else three times the quotient
};

/// gen-A. Throws kInvalidArgument where the token counter counts next to nothing.
std::int64_t linear_size(const SizeSearch& search, const LinearOptions& options,
                         SearchTrace& trace);

/// gen-B. Throws as linear_size.
std::int64_t binary_size(const SizeSearch& search, const BinaryOptions& options,
                         SearchTrace& trace);

/// No size of a task fits into the length.
class TooShort : public Error {
 public:
  explicit TooShort(std::int64_t smallest);
  std::int64_t smallest() const { return smallest_; }

 private:
  std::int64_t smallest_;  // total of the shortest prompt tried, in tokens; 0 = none could be drawn
};

struct Fitted {
  Draft draft;
  std::int64_t total = 0;  // tokens, budget included
};

/// Draws until `total(draft)` is at most search.length; errors of drawing count as too long. Throws
/// TooShort after search.max_failures at the smallest size.
Fitted draw_fitting(const SizeSearch& search, std::int64_t size,
                    const std::function<std::int64_t(Draft&)>& total);

}  // namespace elastic::tasks
