// engine/api/tokenizer.h: which files of a folder make its tokenizer, and the calls passed on.

#include <fmt/format.h>

#include <utility>
#include <variant>

#include "base/error.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/json.h"
#include "engine/api/tokenizer.h"
#include "engine/tokenizer/byte_bpe.h"
#include "engine/tokenizer/clean_up.h"
#include "engine/tokenizer/sentencepiece_model.h"
#include "engine/tokenizer/tokenizer_spec.h"

namespace elastic::engine {
namespace {

namespace fs = std::filesystem;

struct TokenizerConfig {  // what is used of tokenizer_config.json
  SentencepieceOptions sentencepiece;
  bool clean_up_spaces = false;
};

TokenizerConfig read_tokenizer_config(const fs::path& path) {
  TokenizerConfig config;
  if (!fs::exists(path)) return config;
  const Json json = read_json(path);
  const JsonSource in{json, path.string()};
  config.sentencepiece.add_bos = json_get_or(in, "add_bos_token", true);
  config.sentencepiece.add_eos = json_get_or(in, "add_eos_token", false);
  // GPT-2's files carry `true` as a left-over default of the library that saved them; its published
  // decodings keep every space.
  const std::string type = json_get_or(in, "tokenizer_class", std::string());
  config.clean_up_spaces =
      json_get_or(in, "clean_up_tokenization_spaces", false) && !type.starts_with("GPT2Tokenizer");
  return config;
}

}  // namespace

struct Tokenizer::Impl {
  std::variant<ByteBpe, SentencepieceModel> model;
  bool clean_up_spaces = false;
  std::string source;
  std::string sha256;
};

Tokenizer Tokenizer::load(const fs::path& folder) {
  const TokenizerConfig config = read_tokenizer_config(folder / "tokenizer_config.json");
  const auto make = [&](std::variant<ByteBpe, SentencepieceModel> model, const fs::path& source,
                        std::string sha256) {
    return Tokenizer(std::make_unique<Impl>(
        Impl{std::move(model), config.clean_up_spaces, source.string(), std::move(sha256)}));
  };
  if (const fs::path path = folder / "tokenizer.json"; fs::exists(path)) {
    const std::string text = read_file(path);
    return make(ByteBpe(parse_tokenizer_json(text, path.string())), path, sha256_hex(text));
  }
  if (const fs::path path = folder / "tokenizer.model"; fs::exists(path)) {
    const std::string bytes = read_file(path);
    return make(SentencepieceModel(bytes, path.string(), config.sentencepiece), path,
                sha256_hex(bytes));
  }
  if (const fs::path path = folder / "vocab.json";
      fs::exists(path) && fs::exists(folder / "merges.txt")) {
    return make(ByteBpe(read_vocab_and_merges(folder)), path,
                sha256_hex(sha256_file(path) + sha256_file(folder / "merges.txt")));
  }
  throw Error(ErrorKind::kNotFound,
              fmt::format("{}: no tokenizer.json, tokenizer.model or vocab.json with merges.txt; "
                          "copy one from the checkpoint's source",
                          folder.string()));
}

Tokenizer::Tokenizer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Tokenizer::Tokenizer(Tokenizer&&) noexcept = default;
Tokenizer& Tokenizer::operator=(Tokenizer&&) noexcept = default;
Tokenizer::~Tokenizer() = default;

std::vector<std::int32_t> Tokenizer::encode(std::string_view text, bool add_special) const {
  return std::visit([&](const auto& model) { return model.encode(text, add_special); },
                    impl_->model);
}

std::string Tokenizer::decode(std::span<const std::int32_t> ids,
                              const DecodeOptions& options) const {
  std::string text = std::visit(
      [&](const auto& model) { return model.decode(ids, options.skip_special); }, impl_->model);
  return options.clean_up_spaces.value_or(impl_->clean_up_spaces) ? clean_up_spaces(text) : text;
}

std::int64_t Tokenizer::count(std::string_view text) const {
  return std::visit([&](const auto& model) { return model.count(text); }, impl_->model);
}

std::optional<std::int32_t> Tokenizer::piece_id(std::string_view piece) const {
  return std::visit([&](const auto& model) { return model.piece_id(piece); }, impl_->model);
}

std::optional<std::int32_t> Tokenizer::bos_id() const {
  return std::visit([](const auto& model) { return model.bos_id(); }, impl_->model);
}

std::vector<std::int32_t> Tokenizer::special_ids() const {
  return std::visit([](const auto& model) { return model.special_ids(); }, impl_->model);
}

std::int64_t Tokenizer::vocab_size() const {
  return std::visit([](const auto& model) { return model.vocab_size(); }, impl_->model);
}

const std::string& Tokenizer::sha256() const { return impl_->sha256; }
const std::string& Tokenizer::source() const { return impl_->source; }

}  // namespace elastic::engine
