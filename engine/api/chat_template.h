#pragma once

// The chat template of a checkpoint: chat_template.jinja, else `chat_template` of
// tokenizer_config.json, or that of a GGUF file's metadata, in the subset of Jinja that such
// templates use, rendered as Hugging Face's library does. Torch-free, const, thread-safe.
//
//   const auto chat = ChatTemplate::load(folder);          // nothing where there is none
//   std::string text = chat->render({{"user", "Hello"}}, {});
//
// Text that the template prints includes its own BOS where it writes one; whoever encodes it must
// not add another (encode_single_bos()). strftime_now is not defined:
// the date would change results, and templates that ask whether it is fall back to a fixed one.

#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/json.h"

namespace elastic::engine {

struct ChatMessage {
  std::string role, content;
};

struct ChatOptions {
  bool add_generation_prompt = true;
  std::optional<bool> enable_thinking;  // unset: not passed to the template
};

class ChatTemplate {
 public:
  /// Throws kCorrupt, kUnsupported naming file, line and construct.
  static std::optional<ChatTemplate> load(const std::filesystem::path& model_folder);

  /// `name` names the source in errors; `special_tokens` are bos_token and the like.
  ChatTemplate(std::string_view source, std::string name, const Json& special_tokens);
  ChatTemplate(ChatTemplate&&) noexcept;
  ChatTemplate& operator=(ChatTemplate&&) noexcept;
  ~ChatTemplate();

  std::string render(std::span<const ChatMessage> messages, const ChatOptions& options) const;

  /// Messages with any keys, as the template reads them.
  std::string render(const Json& messages, const ChatOptions& options) const;

  std::string bos_text() const;       // `bos_token`, as the template prints it; "" where unknown
  const std::string& text() const;    // the template itself
  const std::string& sha256() const;  // of its text
  const std::string& source() const;  // where it was found

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace elastic::engine
