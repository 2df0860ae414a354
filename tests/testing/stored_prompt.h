#pragma once

// A prompt that `--log-prompts` keeps beside a run, read back.

#include <zstd.h>

#include <filesystem>
#include <string>

#include "base/file.h"

namespace elastic::testing {

/// Empty for what is no zstd frame of a stated size.
inline std::string stored_prompt(const std::filesystem::path& run, const std::string& sha256) {
  const std::string frame = read_file(run / "prompts" / (sha256 + ".zst"));
  const unsigned long long size = ZSTD_getFrameContentSize(frame.data(), frame.size());
  if (size == ZSTD_CONTENTSIZE_UNKNOWN || size == ZSTD_CONTENTSIZE_ERROR) return "";
  std::string text(size, '\0');
  text.resize(ZSTD_decompress(text.data(), text.size(), frame.data(), frame.size()));
  return text;
}

}  // namespace elastic::testing
