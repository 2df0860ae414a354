#pragma once

// The prompt pack of profile `ruler@builtin`: the format of tasks/ruler/prompt_pack.h, texts of our
// own. Worded so that the demo model, trained on such texts, can answer.

#include <string_view>

namespace elastic::tasks {

std::string_view builtin_prompt_pack();

}  // namespace elastic::tasks
