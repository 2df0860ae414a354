#pragma once

// The error of a row of predictions that cannot be read.

#include <fmt/format.h>

#include <string>

#include "base/error.h"

namespace elastic::tasks {

/// kCorrupt: "<where>: <what>".
[[noreturn]] inline void refuse_row(const std::string& where, const std::string& what) {
  throw Error(ErrorKind::kCorrupt, fmt::format("{}: {}", where, what));
}

}  // namespace elastic::tasks
