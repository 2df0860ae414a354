#include "tasks/ruler/length_search.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

namespace elastic::tasks {
namespace {

// Both searches end because prompts grow with their size and a token stands for a bounded number of
// bytes. This is that bound: a counter beyond it is refused.
constexpr std::int64_t kMaxBytesPerToken = 64;
constexpr std::int64_t kSlackBytes = 1 << 16;

std::int64_t counted(const SizeSearch& search, std::int64_t size) {
  return search.count(search.draw(size).prompt) + search.budget + search.extra;
}

std::int64_t counted_or_zero(const SizeSearch& search, std::int64_t size) {
  try {
    return counted(search, size);
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::kInvalidArgument) throw;
    return 0;
  }
}

void check_counter(std::int64_t tokens, std::size_t bytes) {
  if (static_cast<std::int64_t>(bytes) > tokens * kMaxBytesPerToken + kSlackBytes || tokens <= 0) {
    throw Error(
        ErrorKind::kInvalidArgument,
        fmt::format("the token counter finds {} tokens in {} bytes of plain text: no prompt "
                    "of a given length can be made with it",
                    tokens, bytes));
  }
}

}  // namespace

TooShort::TooShort(std::int64_t smallest)
    : Error(ErrorKind::kInvalidArgument, "no prompt fits into the length"), smallest_(smallest) {}

std::int64_t linear_size(const SizeSearch& search, const LinearOptions& options,
                         SearchTrace& trace) {
  std::int64_t size = search.step;
  std::int64_t total = 0;
  while (total + search.budget + search.extra < search.length) {
    const Draft draft = search.draw(size);
    total = search.count(draft.prompt + options.glue(draft.answers));
    check_counter(total, draft.prompt.size());
    const std::int64_t counted = total + search.budget + search.extra;
    trace.probes.emplace_back(size, counted);
    if (counted > search.length) {
      size -= search.step;
      break;
    }
    if (options.cap_tried > 0 && size > options.cap_tried) {
      size = options.cap_tried;
      break;
    }
    size += search.step;
    if (options.cap_next > 0 && size > options.cap_next) {
      size = options.cap_next;
      break;
    }
  }
  trace.sizes.push_back(size);
  return size;
}

std::int64_t binary_size(const SizeSearch& search, const BinaryOptions& options,
                         SearchTrace& trace) {
  const Draft measured = search.draw(options.first);
  const std::int64_t tokens = search.count(measured.prompt);
  check_counter(tokens, measured.prompt.size());
  const double per_unit = static_cast<double>(tokens) / static_cast<double>(options.first);
  const double quotient = static_cast<double>(search.length) / per_unit;
  const double estimate =
      options.double_floor ? std::floor(quotient) * 2 : std::trunc(quotient * 3);
  std::int64_t high = std::max(static_cast<std::int64_t>(estimate), 2 * search.step);
  std::int64_t low = search.step;
  std::int64_t best = search.step;
  while (low <= high) {
    const std::int64_t middle = (low + high) / 2;
    // A size below the measured one may be too small to draw: then it is passed over.
    const std::int64_t total =
        middle < options.first ? counted_or_zero(search, middle) : counted(search, middle);
    trace.probes.emplace_back(middle, total);
    if (total <= search.length) {
      best = middle;
      low = middle + 1;
    } else {
      high = middle - 1;
    }
  }
  trace.sizes.push_back(best);
  return best;
}

Fitted draw_fitting(const SizeSearch& search, std::int64_t size,
                    const std::function<std::int64_t(Draft&)>& total) {
  std::int64_t smallest = 0;
  for (int failures = 0; failures < search.max_failures;) {
    try {
      Fitted fitted{.draft = search.draw(size)};
      fitted.total = total(fitted.draft);
      if (fitted.total <= search.length) return fitted;
      smallest = smallest == 0 ? fitted.total : std::min(smallest, fitted.total);
    } catch (const Error& error) {  // a sample larger than its population: upstream tries again too
      if (error.kind() != ErrorKind::kInvalidArgument) throw;
    }
    if (size > search.step) {
      size -= search.step;
    } else {
      ++failures;
    }
  }
  throw TooShort(smallest);
}

}  // namespace elastic::tasks
