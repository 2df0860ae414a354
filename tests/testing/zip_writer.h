#pragma once

// Zip archives for tests, ordinary and hostile.

#include <zip.h>

#include <filesystem>
#include <stdexcept>
#include <string>
#include <vector>

namespace elastic::testing {

struct ZipMember {
  std::string name;
  std::string bytes;
  bool link = false;
  bool encrypted = false;
};

inline void write_zip(const std::filesystem::path& path, const std::vector<ZipMember>& members) {
  int code = 0;
  zip_t* archive = zip_open(path.c_str(), ZIP_CREATE | ZIP_TRUNCATE, &code);
  if (archive == nullptr) throw std::runtime_error("zip_open failed");
  for (const ZipMember& member : members) {
    zip_source_t* source = zip_source_buffer(archive, member.bytes.data(), member.bytes.size(), 0);
    const zip_int64_t index = zip_file_add(archive, member.name.c_str(), source, ZIP_FL_ENC_UTF_8);
    if (index < 0) throw std::runtime_error("zip_file_add failed");
    const auto at = static_cast<zip_uint64_t>(index);
    if (member.link) {
      zip_file_set_external_attributes(archive, at, 0, ZIP_OPSYS_UNIX, 0120777u << 16);
    }
    if (member.encrypted) zip_file_set_encryption(archive, at, ZIP_EM_AES_128, "key");
  }
  if (zip_close(archive) != 0) throw std::runtime_error("zip_close failed");
}

}  // namespace elastic::testing
