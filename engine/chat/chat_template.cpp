#include "engine/api/chat_template.h"

#include <fmt/format.h>

#include "base/error.h"
#include "base/file.h"
#include "base/hash.h"
#include "engine/chat/template_evaluator.h"
#include "engine/io/gguf.h"

namespace elastic::engine {
namespace {

namespace fs = std::filesystem;

// "bos_token": "<s>", or an object with `content`.
std::optional<std::string> token_text(const Json& config, const char* key) {
  const auto it = config.find(key);
  if (it == config.end()) return std::nullopt;
  if (it->is_string()) return it->get<std::string>();
  if (it->is_object() && it->contains("content") && it->at("content").is_string()) {
    return it->at("content").get<std::string>();
  }
  return std::nullopt;
}

Json special_tokens(const Json& config) {
  Json tokens = Json::object();
  for (const char* key : {"bos_token", "eos_token", "pad_token", "unk_token"}) {
    if (const auto text = token_text(config, key)) tokens[key] = *text;
  }
  return tokens;
}

// The template itself, or the one called `default` of a list of named ones.
std::optional<std::string> config_template(const Json& config, const std::string& source) {
  const auto it = config.find("chat_template");
  if (it == config.end() || it->is_null()) return std::nullopt;
  if (it->is_string()) return it->get<std::string>();
  if (it->is_array()) {
    for (const Json& entry : *it) {
      if (entry.is_object() && entry.value("name", "") == "default" && entry.contains("template") &&
          entry.at("template").is_string()) {
        return entry.at("template").get<std::string>();
      }
    }
  }
  throw Error(ErrorKind::kCorrupt,
              fmt::format("{}: key `chat_template` is neither a text nor a list with one named "
                          "`default`",
                          source));
}

// The texts of a GGUF file's special ids, under the names that templates have for them.
Json special_tokens(const GgufFile& file) {
  constexpr std::pair<const char*, const char*> kIds[] = {
      {"bos_token", "tokenizer.ggml.bos_token_id"},
      {"eos_token", "tokenizer.ggml.eos_token_id"},
      {"pad_token", "tokenizer.ggml.padding_token_id"},
      {"unk_token", "tokenizer.ggml.unknown_token_id"}};
  Json tokens = Json::object();
  const auto texts = file.find<std::vector<std::string_view>>("tokenizer.ggml.tokens");
  if (!texts) return tokens;
  for (const auto& [name, key] : kIds) {
    const auto id = file.find<std::int64_t>(key);
    if (!id) continue;
    if (*id < 0 || *id >= std::ssize(*texts)) {
      throw Error(ErrorKind::kCorrupt, fmt::format("{}: `{}` is {}, and there are {} tokens",
                                                   file.source(), key, *id, texts->size()));
    }
    tokens[name] = (*texts)[static_cast<std::size_t>(*id)];
  }
  return tokens;
}

}  // namespace

struct ChatTemplate::Impl {
  std::string name, text, sha256;
  Body body;
  Json special_tokens;
};

ChatTemplate::ChatTemplate(std::string_view source, std::string name, const Json& tokens)
    : impl_(std::make_unique<Impl>()) {
  impl_->text = source;
  impl_->sha256 = sha256_hex(source);
  impl_->body = parse_template(source, name);
  impl_->name = std::move(name);
  impl_->special_tokens = tokens;
}

ChatTemplate::ChatTemplate(ChatTemplate&&) noexcept = default;
ChatTemplate& ChatTemplate::operator=(ChatTemplate&&) noexcept = default;
ChatTemplate::~ChatTemplate() = default;

std::optional<ChatTemplate> ChatTemplate::load(const fs::path& folder) {
  if (is_gguf(folder)) {
    constexpr const char* kTemplate = "tokenizer.chat_template";
    const GgufFile file(folder);
    const auto text = file.find<std::string_view>(kTemplate);
    if (!text) return std::nullopt;
    return ChatTemplate(*text, fmt::format("{}, {}", file.source(), kTemplate),
                        special_tokens(file));
  }
  Json config = Json::object();
  const fs::path config_file = folder / "tokenizer_config.json";
  std::error_code ignored;
  if (fs::exists(config_file, ignored)) config = read_json(config_file);
  if (!config.is_object()) {
    throw Error(ErrorKind::kCorrupt, fmt::format("{}: expected an object", config_file.string()));
  }
  const fs::path own = folder / "chat_template.jinja";
  if (fs::exists(own, ignored)) {
    return ChatTemplate(read_file(own), own.string(), special_tokens(config));
  }
  if (auto text = config_template(config, config_file.string())) {
    return ChatTemplate(*text, config_file.string() + ", chat_template", special_tokens(config));
  }
  return std::nullopt;
}

std::string ChatTemplate::render(std::span<const ChatMessage> messages,
                                 const ChatOptions& options) const {
  Json list = Json::array();
  for (const ChatMessage& m : messages) list.push_back({{"role", m.role}, {"content", m.content}});
  return render(list, options);
}

std::string ChatTemplate::render(const Json& messages, const ChatOptions& options) const {
  Json variables = impl_->special_tokens;
  variables["messages"] = messages;
  variables["add_generation_prompt"] = options.add_generation_prompt;
  if (options.enable_thinking) variables["enable_thinking"] = *options.enable_thinking;
  return evaluate_template(impl_->body, impl_->name, variables);
}

std::string ChatTemplate::bos_text() const { return impl_->special_tokens.value("bos_token", ""); }
const std::string& ChatTemplate::text() const { return impl_->text; }
const std::string& ChatTemplate::sha256() const { return impl_->sha256; }
const std::string& ChatTemplate::source() const { return impl_->name; }

}  // namespace elastic::engine
