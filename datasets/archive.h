#pragma once

// Zip archives of others, read member by member and never unpacked as a whole: an archive that
// names a member outside its own folder (absolute, `..`, a drive, a link) is refused entirely,
// encrypted members and members that unpack to more than they declare
// are refused, checksums are verified.
//
//   const ZipArchive wheel("wonderwords.whl");
//   std::string nouns = wheel.read("wonderwords/assets/nounlist.txt");

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace elastic::datasets {

/// Bytes of one member beyond which it is refused, whatever it compresses to.
inline constexpr std::int64_t kMaxZipMember = std::int64_t{1} << 30;

class ZipArchive {
 public:
  /// Throws as require_file(), kCorrupt naming archive and member.
  explicit ZipArchive(const std::filesystem::path& path);
  ~ZipArchive();
  ZipArchive(ZipArchive&&) noexcept;
  ZipArchive& operator=(ZipArchive&&) = delete;
  ZipArchive(const ZipArchive&) = delete;

  /// In the archive's order, folders left out.
  const std::vector<std::string>& members() const;

  /// Throws kNotFound where there is no such member, kCorrupt for
  /// bad bytes or a size beyond `max_bytes`.
  std::string read(std::string_view member, std::int64_t max_bytes = kMaxZipMember) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace elastic::datasets
