#pragma once

// What a checkpoint's chat template puts round a user's only message,
// the assistant's header at its end.
//
//   const ChatWrapper wrapper = chat_wrapper(chat, {});
//   text == wrapper.before + message + wrapper.after

#include <optional>
#include <string>
#include <string_view>

#include "engine/api/chat_template.h"

namespace elastic::tasks {

struct ChatWrapper {
  std::string before, after;
};

/// kUnsupported where the template does not print the message as it is.
ChatWrapper chat_wrapper(const engine::ChatTemplate& chat, std::optional<bool> thinking);

/// The message in the template.
std::string in_chat_template(const engine::ChatTemplate& chat, std::string_view message,
                             std::optional<bool> thinking);

}  // namespace elastic::tasks
