// vocab.json + merges.txt -> TokenizerSpec. The pair lacks what tokenizer.json says beside the
// model, so pattern and normalizer come with the class that tokenizer_config.json names.

#include <fmt/format.h>

#include <string>
#include <string_view>

#include "base/error.h"
#include "base/file.h"
#include "base/text.h"
#include "engine/tokenizer/bpe_tables.h"
#include "engine/tokenizer/json_reader.h"
#include "engine/tokenizer/tokenizer_spec.h"

namespace elastic::engine {
namespace {

void read_merge_lines(std::string_view text, std::string_view source, TokenizerSpec& spec) {
  std::size_t number = 0;
  for (std::string_view line : split(text, '\n')) {
    ++number;
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.empty() || (number == 1 && line.starts_with("#version"))) continue;
    const std::size_t space = line.find(' ');
    if (space == std::string_view::npos || line.find(' ', space + 1) != std::string_view::npos) {
      throw Error(ErrorKind::kCorrupt, fmt::format("{}: line {} is not `left right`: `{}`", source,
                                                   number, line.substr(0, 80)));
    }
    add_merge(spec, line.substr(0, space), line.substr(space + 1), source);
  }
}

void add_added_tokens(const TokenizerConfig& config, TokenizerSpec& spec) {
  for (const AddedToken& token : config.added_tokens) {
    if (spec.pieces.has(token.id) && spec.pieces.piece(token.id) != token.content) {
      throw Error(
          ErrorKind::kCorrupt,
          fmt::format("{}: `added_tokens_decoder` calls token {} `{}`, and {} `{}`", config.source,
                      token.id, token.content, spec.source, spec.pieces.piece(token.id)));
    }
    spec.added_tokens.push_back(token);
  }
}

// Pattern and normalizer of the class.
void set_class(const TokenizerConfig& config, TokenizerSpec& spec) {
  const std::string& type = config.tokenizer_class;
  if (type.empty()) {
    throw Error(
        ErrorKind::kCorrupt,
        fmt::format("{}: `tokenizer_class` is missing; without it vocab.json and merges.txt "
                    "do not say how text is cut",
                    config.source));
  }
  const bool qwen = type.starts_with("Qwen2Tokenizer");
  if (!qwen && !type.starts_with("GPT2Tokenizer")) {
    throw Error(ErrorKind::kUnsupported,
                fmt::format("{}: `tokenizer_class` {} with vocab.json and merges.txt only; known "
                            "without a tokenizer.json: Qwen2Tokenizer, GPT2Tokenizer",
                            config.source, type));
  }
  spec.nfc = qwen;
  if (config.add_prefix_space) spec.pre_tokenizer.emplace_back(PrefixStep{.text = " "});
  spec.pre_tokenizer.emplace_back(
      SplitStep{.pattern = std::string(pattern_of(qwen ? ScanKind::kQwen2 : ScanKind::kGpt2))});
}

}  // namespace

TokenizerSpec parse_vocab_and_merges(std::string_view vocab, std::string_view source,
                                     std::string_view merges, std::string_view merges_source,
                                     const TokenizerConfig& config) {
  TokenizerSpec spec;
  spec.source = source;
  set_class(config, spec);
  read_vocabulary(JsonDocument(vocab, source).root(), spec.pieces);
  read_merge_lines(merges, merges_source, spec);
  add_added_tokens(config, spec);
  return spec;
}

TokenizerSpec read_vocab_and_merges(const std::filesystem::path& folder,
                                    const TokenizerConfig& config) {
  const std::filesystem::path vocab = folder / "vocab.json", merges = folder / "merges.txt";
  return parse_vocab_and_merges(read_file(vocab), vocab.string(), read_file(merges),
                                merges.string(), config);
}

}  // namespace elastic::engine
