#pragma once

// What a generator returned, as `generate` writes it.
//
//   std::cout << dump_line(result_json(result, request.ids.size(), has_tokenizer));

#include <cstddef>

#include "base/json.h"
#include "engine/api/generator.h"

namespace elastic::engine {

/// Ids and text of the continuation, routing, times in milliseconds, bytes; `text` is null where
/// the model has no tokenizer.
Json result_json(const Result& result, std::size_t prompt_tokens, bool has_text);

/// Per layer the router's logits (null where no router decides) and its decision per KV head;
/// shares of sparse heads.
Json trace_json(const Trace& trace);

}  // namespace elastic::engine
