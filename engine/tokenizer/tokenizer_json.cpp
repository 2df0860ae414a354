// tokenizer.json -> TokenizerSpec. Every section is read by type name; a type or option that is not
// implemented ends in kUnsupported with the section's path and that name.

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <string_view>

#include "base/error.h"
#include "base/file.h"
#include "engine/tokenizer/bpe_tables.h"
#include "engine/tokenizer/json_reader.h"
#include "engine/tokenizer/tokenizer_spec.h"

namespace elastic::engine {
namespace {

[[noreturn]] void unsupported_type(const JsonNode& node, std::string_view type) {
  node.fail(ErrorKind::kUnsupported,
            fmt::format("has type `{}`, which this program does not implement", type));
}

// ---- model ----

std::pair<std::string_view, std::string_view> merge_parts(const JsonNode& merges,
                                                          simdjson::dom::element element,
                                                          std::size_t rank) {
  std::string_view line;
  if (element.get(line) == simdjson::SUCCESS) {
    const std::size_t space = line.find(' ');
    if (space != std::string_view::npos && line.find(' ', space + 1) == std::string_view::npos) {
      return {line.substr(0, space), line.substr(space + 1)};
    }
  }
  simdjson::dom::array pair;
  std::string_view left, right;
  if (element.get(pair) == simdjson::SUCCESS && pair.size() == 2 &&
      pair.at(0).get(left) == simdjson::SUCCESS && pair.at(1).get(right) == simdjson::SUCCESS) {
    return {left, right};
  }
  merges.fail(
      ErrorKind::kCorrupt,
      fmt::format("entry {} is not a pair: expected \"left right\" or [left, right]", rank));
}

void read_merges(const JsonNode& model, TokenizerSpec& spec) {
  const auto merges = model.find("merges");
  if (!merges) return;
  const simdjson::dom::array list = merges->as_array();
  spec.merges.reserve(list.size());
  for (const simdjson::dom::element element : list) {
    const auto [left, right] = merge_parts(*merges, element, spec.merges.size());
    add_merge(spec, left, right, spec.source);
  }
}

void refuse_text(const JsonNode& model, std::string_view key) {
  const auto node = model.find(key);
  if (node && !node->as_text().empty()) {
    node->fail(ErrorKind::kUnsupported, "is set, which this program does not implement");
  }
}

void read_model(const JsonNode& root, TokenizerSpec& spec) {
  const JsonNode model = root.get("model");
  const auto type = model.find("type");
  if (type && type->as_text() != "BPE") unsupported_type(model, type->as_text());
  refuse_text(model, "continuing_subword_prefix");
  refuse_text(model, "end_of_word_suffix");
  if (model.flag("byte_fallback", false)) {
    model.fail(ErrorKind::kUnsupported,
               "has `byte_fallback`, which goes with sentencepiece-like files: remove "
               "tokenizer.json to use tokenizer.model");
  }
  const auto dropout = model.find("dropout");
  double share = 0;
  if (dropout && (dropout->element().get(share) != simdjson::SUCCESS || share != 0)) {
    dropout->fail(ErrorKind::kUnsupported, "is not 0: encoding would be random");
  }
  read_vocabulary(model.get("vocab"), spec.pieces);
  read_merges(model, spec);
  spec.ignore_merges = model.flag("ignore_merges", false);
  spec.fuse_unknown = model.flag("fuse_unk", false);
  if (const auto unknown = model.find("unk_token")) {
    spec.unknown_id = spec.pieces.find(unknown->as_text());
    if (spec.unknown_id == kNoId) {
      unknown->fail(ErrorKind::kCorrupt,
                    fmt::format("`{}` is not in the vocabulary", unknown->as_text()));
    }
  }
}

// ---- normalizer, pre-tokenizer, decoder ----

void read_normalizer(const JsonNode& node, TokenizerSpec& spec) {
  const std::string_view type = node.text("type");
  if (type == "NFC") {
    spec.nfc = true;
  } else if (type == "Sequence") {
    for (const auto element : node.get("normalizers").as_array()) {
      read_normalizer(node.child(element, "normalizers"), spec);
    }
  } else {
    unsupported_type(node, type);
  }
}

std::string quoted_pattern(std::string_view literal) {
  std::string pattern;
  for (const char c : literal) {
    if (std::string_view("\\^$.|?*+()[]{}").find(c) != std::string_view::npos) pattern += '\\';
    pattern += c;
  }
  return pattern;
}

SplitBehavior read_behavior(const JsonNode& node, std::string_view otherwise) {
  constexpr std::pair<std::string_view, SplitBehavior> kBehaviors[] = {
      {"Removed", SplitBehavior::kRemoved},
      {"Isolated", SplitBehavior::kIsolated},
      {"MergedWithPrevious", SplitBehavior::kMergedWithPrevious},
      {"MergedWithNext", SplitBehavior::kMergedWithNext},
      {"Contiguous", SplitBehavior::kContiguous}};
  const auto given = node.find("behavior");
  const std::string_view name = given ? given->as_text() : otherwise;
  for (const auto& [known, behavior] : kBehaviors) {
    if (known == name) return behavior;
  }
  node.fail(ErrorKind::kCorrupt, fmt::format("has the unknown behavior `{}`", name));
}

SplitStep read_split(const JsonNode& node) {
  const JsonNode pattern = node.get("pattern");
  const auto regex = pattern.find("Regex");
  return {.pattern = regex ? std::string(regex->as_text()) : quoted_pattern(pattern.text("String")),
          .behavior = read_behavior(node, "Isolated"),
          .invert = node.flag("invert", false)};
}

// Blanks become `replacement`, which is put in front too, and begins every word.
void read_metaspace(const JsonNode& node, std::vector<PreTokenizerStep>& steps) {
  const auto given = node.find("replacement");
  const std::string replacement = given ? std::string(given->as_text()) : "\u2581";
  const auto scheme_node = node.find("prepend_scheme");
  std::string_view scheme = scheme_node ? scheme_node->as_text() : "always";
  if (!node.flag("add_prefix_space", true)) scheme = "never";  // of older files
  if (scheme != "always" && scheme != "first" && scheme != "never") {
    node.fail(ErrorKind::kCorrupt, fmt::format("has the unknown prepend_scheme `{}`", scheme));
  }
  steps.emplace_back(BlankStep{.text = replacement});
  if (scheme != "never") {
    steps.emplace_back(PrefixStep{.text = replacement, .first_only = scheme == "first"});
  }
  if (node.flag("split", true)) {
    steps.emplace_back(SplitStep{.pattern = quoted_pattern(replacement),
                                 .behavior = SplitBehavior::kMergedWithNext});
  }
}

void read_byte_level(const JsonNode& node, std::vector<PreTokenizerStep>& steps) {
  if (node.flag("add_prefix_space", true)) steps.emplace_back(PrefixStep{.text = " "});
  if (node.flag("use_regex", true)) {
    steps.emplace_back(SplitStep{.pattern = std::string(pattern_of(ScanKind::kGpt2))});
  }
}

// \w of Rust's regular expressions, which `Whitespace` uses; those of Split are Oniguruma's.
constexpr std::string_view kRustWord = "\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}\\p{Join_Control}";

// True once the byte-level step, which ends a chain, was seen.
bool read_pre_tokenizer(const JsonNode& node, std::vector<PreTokenizerStep>& steps) {
  const std::string_view type = node.text("type");
  if (type == "ByteLevel") {
    read_byte_level(node, steps);
    return true;
  }
  if (type == "Split") {
    steps.emplace_back(read_split(node));
  } else if (type == "Digits") {
    steps.emplace_back(SplitStep{.pattern = "\\p{N}",
                                 .behavior = node.flag("individual_digits", false)
                                                 ? SplitBehavior::kIsolated
                                                 : SplitBehavior::kContiguous});
  } else if (type == "Punctuation") {
    steps.emplace_back(
        SplitStep{.pattern = "[\\p{P}$+<=>^`|~]", .behavior = read_behavior(node, "Isolated")});
  } else if (type == "Whitespace") {
    steps.emplace_back(SplitStep{.pattern = fmt::format("[{0}]+|[^{0}\\s]+", kRustWord),
                                 .behavior = SplitBehavior::kRemoved,
                                 .invert = true});
  } else if (type == "WhitespaceSplit") {
    steps.emplace_back(SplitStep{.pattern = "\\s", .behavior = SplitBehavior::kRemoved});
  } else if (type == "Metaspace") {
    read_metaspace(node, steps);
  } else if (type == "Sequence") {
    bool byte_level = false;
    for (const auto element : node.get("pretokenizers").as_array()) {
      const JsonNode step = node.child(element, "pretokenizers");
      if (byte_level) step.fail(ErrorKind::kUnsupported, "follows ByteLevel, which must be last");
      byte_level = read_pre_tokenizer(step, steps);
    }
    return byte_level;
  } else {
    unsupported_type(node, type);
  }
  return false;
}

void read_decoder(const JsonNode& root) {
  const auto node = root.find("decoder");
  if (!node) root.fail(ErrorKind::kUnsupported, "has no `decoder`; ByteLevel is needed");
  const std::string_view type = node->text("type");
  if (type != "ByteLevel") unsupported_type(*node, type);
}

// ---- added tokens, post-processor ----

void read_added_tokens(const JsonNode& root, TokenizerSpec& spec) {
  const auto list = root.find("added_tokens");
  if (!list) return;
  Vocabulary seen;
  for (const auto element : list->as_array()) {
    const JsonNode node = list->child(element, std::to_string(spec.added_tokens.size()));
    AddedToken token = read_added_token(node, node.get("id").as_id());
    const std::int32_t known = spec.pieces.find(token.content);
    const bool taken = spec.pieces.has(token.id) && spec.pieces.piece(token.id) != token.content;
    if (taken || (known != kNoId && known != token.id)) {
      node.fail(ErrorKind::kCorrupt, fmt::format("`{}` has id {}, which contradicts the vocabulary",
                                                 token.content, token.id));
    }
    if (!seen.add(token.content, token.id) || !seen.index(token.id)) {
      node.fail(ErrorKind::kCorrupt,
                fmt::format("`{}` with id {} is listed twice", token.content, token.id));
    }
    spec.added_tokens.push_back(std::move(token));
  }
}

bool is_known(const TokenizerSpec& spec, std::int32_t id) {
  return spec.pieces.has(id) ||
         std::any_of(spec.added_tokens.begin(), spec.added_tokens.end(),
                     [&](const AddedToken& token) { return token.id == id; });
}

void read_template(const JsonNode& node, TokenizerSpec& spec) {
  bool seen_text = false;
  for (const auto element : node.get("single").as_array()) {
    const JsonNode piece = node.child(element, "single");
    if (const auto sequence = piece.find("Sequence")) {
      if (seen_text || sequence->text("id") != "A") {
        piece.fail(ErrorKind::kUnsupported, "must hold the sequence `A` once");
      }
      seen_text = true;
      continue;
    }
    const std::string_view name = piece.get("SpecialToken").text("id");
    const JsonNode ids = node.get("special_tokens").get(name).get("ids");
    for (const auto element_id : ids.as_array()) {
      const std::int32_t id = ids.child(element_id, "ids").as_id();
      if (!is_known(spec, id)) ids.fail(ErrorKind::kCorrupt, fmt::format("names no token: {}", id));
      (seen_text ? spec.suffix_ids : spec.prefix_ids).push_back(id);
    }
  }
  if (!seen_text) node.fail(ErrorKind::kCorrupt, "has a `single` template without a sequence");
}

void read_post_processor(const JsonNode& node, TokenizerSpec& spec) {
  const std::string_view type = node.text("type");
  if (type == "ByteLevel") return;  // concerns offsets only
  if (type == "TemplateProcessing") {
    if (!spec.prefix_ids.empty() || !spec.suffix_ids.empty()) {
      node.fail(ErrorKind::kUnsupported, "is a second template");
    }
    read_template(node, spec);
  } else if (type == "Sequence") {
    for (const auto element : node.get("processors").as_array()) {
      read_post_processor(node.child(element, "processors"), spec);
    }
  } else {
    unsupported_type(node, type);
  }
}

}  // namespace

TokenizerSpec parse_tokenizer_json(std::string_view text, std::string_view source) {
  const JsonDocument document(text, source);
  const JsonNode root = document.root();
  TokenizerSpec spec;
  spec.source = source;
  // `truncation` and `padding` are settings of the session that saved the file, not of the
  // tokenizer: they are left alone.
  read_model(root, spec);
  if (const auto node = root.find("normalizer")) read_normalizer(*node, spec);
  const auto pre_tokenizer = root.find("pre_tokenizer");
  if (!pre_tokenizer || !read_pre_tokenizer(*pre_tokenizer, spec.pre_tokenizer)) {
    root.fail(ErrorKind::kUnsupported,
              "has no ByteLevel pre-tokenizer: only byte-level BPE is implemented for "
              "tokenizer.json; a sentencepiece model goes into tokenizer.model");
  }
  read_decoder(root);
  read_added_tokens(root, spec);
  if (const auto node = root.find("post_processor")) read_post_processor(*node, spec);
  return spec;
}

TokenizerSpec read_tokenizer_json(const std::filesystem::path& path) {
  return parse_tokenizer_json(read_file(path), path.string());
}

}  // namespace elastic::engine
