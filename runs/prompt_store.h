#pragma once

// Prompts beside a run (`--log-prompts`): prompts/<sha256>.zst, one zstd frame a prompt, each once
// however many modes ran it. Ranks may write the same folder at once.
//
//   write_prompt(folder, record.prompt_sha256, prompt.text);
//   std::optional<std::string> text = read_prompt(folder, record.prompt_sha256);
// `zstd -d` reads them, too.

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

namespace elastic::runs {

/// Does nothing where the prompt is already there. kIo.
void write_prompt(const std::filesystem::path& run_folder, std::string_view sha256,
                  std::string_view text);

/// Nothing where the prompt was not kept. kCorrupt for a file that is not the prompt of that hash.
std::optional<std::string> read_prompt(const std::filesystem::path& run_folder,
                                       std::string_view sha256);

/// The text in one zstd frame; `source` names it in errors. kCorrupt for anything else, or for a
/// text of more than 64 MiB.
std::string unpack_prompt(std::string_view frame, std::string_view source);

}  // namespace elastic::runs
