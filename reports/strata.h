#pragma once

// Strata: what a sample is beside its task and length (record.h, `strata`), by which scores are
// broken down: language, difficulty, LongBench's length in words, number of needles, domain.

#include <string>
#include <string_view>

namespace elastic::reports {

/// Whether scores are broken down by this key here: not by the document, which is a cluster, nor by
/// needle depth, which has a report of its own, nor by a key that explains a sample (`bos`).
bool is_stratum(std::string_view key);

/// "language=en": how filters and the page name a stratum.
std::string stratum_name(std::string_view key, std::string_view value);

}  // namespace elastic::reports
