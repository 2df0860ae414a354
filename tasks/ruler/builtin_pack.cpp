#include "tasks/ruler/builtin_pack.h"

namespace elastic::tasks {

std::string_view builtin_prompt_pack() {
  return R"json({
 "schema_version": 1,
 "profile": "ruler@builtin",
 "examples_from": 1024,
 "stop": "\n",
 "steps": {"prose": 10, "lines": 1, "documents": 2},
 "texts": {
  "needle": "The locker code of {key} was set to {value}.",
  "noise": "The lake lies still. A cart rolls past. Rain falls on tin. Off they went. Round and home once more.",
  "qa_document": "Entry {i}:\n{document}",
  "query_separator": ",",
  "query_last_separator": ",",
  "noise_separator": " ",
  "needle_separator": "\n ",
  "first_link": "VAR {name} = {value}.",
  "link": "VAR {name} = VAR {previous}."
 },
 "tasks": {
  "niah": {
   "template": "Values are attached to names somewhere in this text. Keep them in mind. {context}\nQuestion: which values belong to {query}?",
   "answer_prefix": " Answer: the values of {query} are",
   "template_one": "Values are attached to names somewhere in this text. Keep them in mind. {context}\nQuestion: which value belongs to {query}?",
   "answer_prefix_one": " Answer: the value of {query} is",
   "tokens_to_generate": 128
  },
  "variable_tracking": {
   "template": "Follow how the variables pass their value on through the text. {context}\nQuestion: which variables hold the value {query}?",
   "answer_prefix": " Answer: the variables that hold {query} are",
   "tokens_to_generate": 30
  },
  "common_words_extraction": {
   "template": "Here is a numbered list. Ten of its words come back more often than the others. Notice which.\n{context}\nQuestion: which ten words come back most often in the list?",
   "answer_prefix": " Answer: the ten words that come back most often are:",
   "tokens_to_generate": 120
  },
  "freq_words_extraction": {
   "template": "Get a feeling for the words that keep coming back in this stream; dots do not count. {context}\nQuestion: which three words come back most often?",
   "answer_prefix": " Answer: the three words that come back most often are:",
   "tokens_to_generate": 50
  },
  "qa": {
   "template": "Read the entries. A question about them follows; give its answer and nothing else.\n\n{context}\n\nQuestion: {query}",
   "answer_prefix": " Answer:",
   "tokens_to_generate": 32
  }
 },
 "model_templates": {
  "base": "{task_template}"
 }
}
)json";
}

}  // namespace elastic::tasks
