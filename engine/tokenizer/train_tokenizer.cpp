#include <fmt/format.h>
#include <sentencepiece_trainer.h>

#include <string>
#include <unordered_map>

#include "base/error.h"
#include "base/text.h"
#include "engine/api/tokenizer_trainer.h"

namespace elastic::engine {
namespace {

constexpr std::string_view kWordStart = "\xE2\x96\x81";  // U+2581, a space inside pieces

class Lines : public sentencepiece::SentenceIterator {
 public:
  explicit Lines(const std::vector<std::string>& lines) : lines_(lines) {}
  bool done() const override { return next_ >= lines_.size(); }
  void Next() override { ++next_; }
  const std::string& value() const override { return lines_[next_]; }
  sentencepiece::util::Status status() const override { return {}; }

 private:
  const std::vector<std::string>& lines_;
  std::size_t next_ = 0;
};

// A list of comma-separated values, each in quotes.
std::string quoted_list(const std::vector<std::string>& symbols) {
  std::string list;
  for (const std::string& symbol : symbols) {
    if (!list.empty()) list += ',';
    list += '"' + replace_all(replace_all(symbol, " ", kWordStart), "\"", "\"\"") + '"';
  }
  return list;
}

}  // namespace

std::string train_tokenizer(const TokenizerTraining& options,
                            const std::vector<std::string>& lines) {
  const std::unordered_map<std::string, std::string> settings = {
      {"model_type", "bpe"},
      {"vocab_size", std::to_string(options.vocab_size)},
      {"user_defined_symbols", quoted_list(options.user_symbols)},
      {"split_digits", "true"},
      {"byte_fallback", "true"},
      {"character_coverage", "1.0"},
      {"normalization_rule_name", "identity"},
      {"remove_extra_whitespaces", "false"},
      {"num_threads", "1"},
      {"input_sentence_size", "0"},
      {"minloglevel", "2"},
  };
  Lines iterator(lines);
  std::string model;
  const auto status = sentencepiece::SentencePieceTrainer::Train(settings, &iterator, &model);
  if (!status.ok()) {
    throw Error(ErrorKind::kInvalidArgument,
                fmt::format("a tokenizer of {} pieces cannot be trained on {} lines: {}",
                            options.vocab_size, lines.size(), status.ToString()));
  }
  return model;
}

}  // namespace elastic::engine
