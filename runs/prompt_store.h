#pragma once

// Prompts beside a run (`--log-prompts`): prompts/<sha256>.zst, one zstd frame a prompt, each once
// however many modes ran it. Ranks may write the same folder at once.
//
//   write_prompt(folder, record.prompt_sha256, prompt.text);
// `zstd -d` reads them.

#include <filesystem>
#include <string>
#include <string_view>

namespace elastic::runs {

/// Does nothing where the prompt is already there. kIo.
void write_prompt(const std::filesystem::path& run_folder, std::string_view sha256,
                  std::string_view text);

}  // namespace elastic::runs
