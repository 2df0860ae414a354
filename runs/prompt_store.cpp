#include "runs/prompt_store.h"

#include <fmt/format.h>
#include <zstd.h>

#include "base/error.h"
#include "base/file.h"
#include "base/hash.h"

namespace elastic::runs {
namespace {

constexpr int kLevel = 6;
constexpr std::size_t kMostBytes = 64 << 20;  // of a prompt that is read back

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

std::string unpack_prompt(std::string_view frame, std::string_view source) {
  const unsigned long long size = ZSTD_getFrameContentSize(frame.data(), frame.size());
  const auto corrupt = [&](std::string_view why) {
    return Error(ErrorKind::kCorrupt, fmt::format("{}: {}", source, why));
  };
  if (size == ZSTD_CONTENTSIZE_UNKNOWN || size == ZSTD_CONTENTSIZE_ERROR) {
    throw corrupt("no zstd frame that states its size");
  }
  if (size > kMostBytes) throw corrupt(fmt::format("a prompt of {} bytes", size));
  std::string text(size, '\0');
  const std::size_t read = ZSTD_decompress(text.data(), text.size(), frame.data(), frame.size());
  if (ZSTD_isError(read) != 0) throw corrupt(ZSTD_getErrorName(read));
  text.resize(read);
  return text;
}

std::optional<std::string> read_prompt(const std::filesystem::path& run_folder,
                                       std::string_view sha256) {
  const std::filesystem::path path = prompt_path(run_folder, sha256);
  if (!std::filesystem::exists(path)) return std::nullopt;
  std::string text = unpack_prompt(read_file(path), path.string());
  if (sha256_hex(text) != sha256) {
    throw Error(ErrorKind::kCorrupt, path.string() + ": not the prompt of that hash");
  }
  return text;
}

}  // namespace elastic::runs
