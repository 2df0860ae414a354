#include "tasks/chat_wrapper.h"

#include <fmt/format.h>

#include <span>

#include "base/error.h"

namespace elastic::tasks {
namespace {

// Stands for the message while the template is looked at; no template changes it.
constexpr std::string_view kMark = "@@elastic-bench-prompt@@";

}  // namespace

std::string in_chat_template(const engine::ChatTemplate& chat, std::string_view message,
                             std::optional<bool> thinking) {
  const engine::ChatMessage user{"user", std::string(message)};
  return chat.render(std::span(&user, 1),
                     {.add_generation_prompt = true, .enable_thinking = thinking});
}

ChatWrapper chat_wrapper(const engine::ChatTemplate& chat, std::optional<bool> thinking) {
  const std::string text = in_chat_template(chat, kMark, thinking);
  const std::size_t at = text.find(kMark);
  if (at == std::string::npos) {
    throw Error(
        ErrorKind::kUnsupported,
        fmt::format("{}: the template does not print the user's message as it is", chat.source()));
  }
  return {text.substr(0, at), text.substr(at + kMark.size())};
}

}  // namespace elastic::tasks
