#pragma once

// One line of a tokenizer vector file: encode with and without additions, count, decode.

#include "base/json.h"
#include "engine/api/tokenizer.h"

namespace elastic::testing {

void expect_golden_line(const engine::Tokenizer& tokenizer, const Json& line);

}  // namespace elastic::testing
