// engine/api/tokenizer.h: which files of a model make its tokenizer, and the calls passed on.

#include <fmt/format.h>

#include <utility>
#include <variant>

#include "base/error.h"
#include "base/file.h"
#include "base/hash.h"
#include "engine/api/tokenizer.h"
#include "engine/tokenizer/byte_bpe.h"
#include "engine/tokenizer/clean_up.h"
#include "engine/tokenizer/gguf_tokenizer.h"
#include "engine/tokenizer/sentencepiece_model.h"
#include "engine/tokenizer/tokenizer_config.h"
#include "engine/tokenizer/tokenizer_spec.h"

namespace elastic::engine {

namespace fs = std::filesystem;

struct Tokenizer::Impl {
  std::variant<ByteBpe, SentencepieceModel> model;
  bool clean_up_spaces = false;
  std::string source;
  std::string sha256;
};

Tokenizer Tokenizer::load(const fs::path& folder) {
  if (is_gguf(folder)) {
    const GgufFile file(folder);
    return Tokenizer(std::make_unique<Impl>(
        Impl{gguf_tokenizer(file), false, folder.string(), gguf_tokenizer_sha256(file)}));
  }
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
    return make(SentencepieceModel(bytes, path.string(),
                                   {.add_bos = config.add_bos,
                                    .add_eos = config.add_eos,
                                    .read_controls = config.found,
                                    .legacy = config.legacy,
                                    .added_tokens = config.added_tokens}),
                path, sha256_hex(bytes));
  }
  if (const fs::path path = folder / "vocab.json";
      fs::exists(path) && fs::exists(folder / "merges.txt")) {
    return make(ByteBpe(read_vocab_and_merges(folder, config)), path,
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

std::vector<std::int32_t> encode_single_bos(const Tokenizer& tokenizer, std::string_view text) {
  const auto bos = tokenizer.bos_id();
  std::vector<std::int32_t> ids = tokenizer.encode(text);
  // One is the tokenizer's, the other was read out of the text.
  if (bos && ids.size() > 1 && ids[0] == *bos && ids[1] == *bos) ids.erase(ids.begin());
  return ids;
}

}  // namespace elastic::engine
