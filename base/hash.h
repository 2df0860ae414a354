#pragma once

// SHA-256 of bytes and files, as lower-case hex.
// Used for data verification, record keys and caches.

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace elastic {

class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(const Sha256&) = delete;
  Sha256& operator=(const Sha256&) = delete;

  Sha256& update(std::string_view bytes);
  /// 64 hex digits; the object is spent afterwards.
  std::string hex();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

std::string sha256_hex(std::string_view bytes);

/// Streams the file; kNotFound / kIo.
std::string sha256_file(const std::filesystem::path& path);

/// Hash of token ids (little-endian int32), for `ids_sha256`.
std::string sha256_ids(std::span<const std::int32_t> ids);

}  // namespace elastic
