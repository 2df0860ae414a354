#pragma once

// The space clean-up that the Python library applies after decoding where tokenizer_config.json has
// `clean_up_tokenization_spaces`: blanks before . ? ! , and before n't 'm 's 've 're go, " ' "
// becomes "'". Ten replacements, one after the other.
//
//   clean_up_spaces("Yes , it 's .")  // "Yes, it's."

#include <string>

namespace elastic::engine {

std::string clean_up_spaces(std::string text);

}  // namespace elastic::engine
