#pragma once

// How LongBench prompts are made: the template filled in, the middle cut out, the second version's
// marks replaced (specs of arXiv 2308.14508 and 2412.15204, as their code has it).
//
//   std::string text = fill_template(templates.at("hotpotqa"), row);
//   MiddleCut cut = cut_middle(coder, text, 7500);

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "tasks/task.h"

namespace elastic::tasks {

/// Python's str.format with named fields of `row` (texts and integers): `{{` and `}}` are braces,
/// inserted text is not scanned again. Throws kCorrupt naming the field or brace.
std::string fill_template(std::string_view format, const Json& row);

/// What a tokenizer does for a cut, so that rules can be checked against others.
struct TokenCoder {
  std::function<std::vector<std::int32_t>(std::string_view)> encode;  // with added specials
  std::function<std::string(std::span<const std::int32_t>)> decode;   // specials dropped
};

TokenCoder coder_of(const engine::Tokenizer& tokenizer);

using Ids = std::vector<std::int32_t>;

/// First version: head and tail of half the length each (an odd length loses one; of 0 or 1 the
/// tail is everything). False where nothing is to cut.
bool split_middle(const Ids& ids, std::int64_t max_length, Ids& head, Ids& tail);

/// Second version and exact cuts: exactly `max_length` ids, one more at
/// the end where it is odd; 0 keeps everything.
Ids join_middle(const Ids& ids, std::int64_t max_length);

struct MiddleCut {
  std::string text;              // unchanged where nothing was cut
  std::int64_t tokens = 0;       // of the whole text, added specials included
  std::int64_t kept_tokens = 0;  // ids that were kept; decoding and encoding again may move it
};

/// The first version's cut: two decoded parts put together.
MiddleCut cut_middle(const TokenCoder& coder, std::string_view text, std::int64_t max_length);

/// The second version's: the joined ids decoded at once.
MiddleCut cut_middle_v2(const TokenCoder& coder, std::string_view text, std::int64_t max_length);

/// Marks $DOC$, $Q$, $C_A$ .. $C_D$ and, for the answer pass, $COT$, one after the other over the
/// growing text, so that a mark within an inserted text is replaced in its turn.
/// `cot` is null without one.
std::string fill_v2_template(std::string_view text, const Json& row, std::string_view context,
                             const std::string* cot);

}  // namespace elastic::tasks
