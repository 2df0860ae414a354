#pragma once

// Unicode properties as base/unicode.h needs them, in ranges of equal stride. The data are a
// generated file (scripts/unicode_tables.py); fixed here so that results do not move with the
// Unicode version of a system library.

#include <cstdint>
#include <span>

namespace elastic {

struct CodePointRange {
  std::uint32_t first, last, stride;
};

struct LowerRange {
  std::uint32_t first, last, stride;
  std::int32_t offset;  // lower case = code point + offset
};

struct UnicodeTables {
  std::span<const LowerRange> lower;  // one-to-one mappings, ascending, not overlapping
  std::span<const CodePointRange> upper_case, lower_case, title_case, case_ignorable, space,
      decimal_digit;
};

const UnicodeTables& unicode_tables();

}  // namespace elastic
