#include "runs/prompt_store.h"

#include <fmt/format.h>
#include <zstd.h>

#include "base/error.h"
#include "base/file.h"

namespace elastic::runs {
namespace {

constexpr int kLevel = 6;

std::filesystem::path prompt_path(const std::filesystem::path& folder, std::string_view sha256) {
  if (sha256.size() != 64 ||
      sha256.find_first_not_of("0123456789abcdef") != std::string_view::npos) {
    throw Error(ErrorKind::kInvalidArgument,
                fmt::format("{}: `{}` is not a sha256", folder.string(), sha256));
  }
  return folder / "prompts" / fmt::format("{}.zst", sha256);
}

}  // namespace

void write_prompt(const std::filesystem::path& run_folder, std::string_view sha256,
                  std::string_view text) {
  const std::filesystem::path path = prompt_path(run_folder, sha256);
  if (std::filesystem::exists(path)) return;
  create_folders(path.parent_path());
  std::string bytes(ZSTD_compressBound(text.size()), '\0');
  const std::size_t size =
      ZSTD_compress(bytes.data(), bytes.size(), text.data(), text.size(), kLevel);
  check(ZSTD_isError(size) == 0, "zstd compresses into a buffer of its own bound");
  bytes.resize(size);
  write_file_atomic(path, bytes);
}

}  // namespace elastic::runs
