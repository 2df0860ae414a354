#include "base/hash.h"

#include <fstream>

#include <openssl/evp.h>

#include "base/error.h"
#include "base/file.h"
#include "base/interrupt.h"

namespace elastic {

struct Sha256::Impl {
  EVP_MD_CTX* context = EVP_MD_CTX_new();
  ~Impl() { EVP_MD_CTX_free(context); }
};

Sha256::Sha256() : impl_(std::make_unique<Impl>()) {
  check(impl_->context != nullptr && EVP_DigestInit_ex(impl_->context, EVP_sha256(), nullptr) == 1,
        "OpenSSL provides SHA-256");
}

Sha256::~Sha256() = default;

Sha256& Sha256::update(std::string_view bytes) {
  check(EVP_DigestUpdate(impl_->context, bytes.data(), bytes.size()) == 1, "digest update");
  return *this;
}

std::string Sha256::hex() {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  check(EVP_DigestFinal_ex(impl_->context, digest, &size) == 1, "digest final");
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  for (unsigned int i = 0; i < size; ++i) {
    text.push_back(kDigits[digest[i] >> 4]);
    text.push_back(kDigits[digest[i] & 15]);
  }
  return text;
}

std::string sha256_hex(std::string_view bytes) { return Sha256().update(bytes).hex(); }

std::string sha256_file(const std::filesystem::path& path) {
  std::ifstream file = open_binary(path);  // in parts: a map would count as resident memory
  Sha256 hash;
  std::string chunk(kReadChunk, '\0');
  while (file.read(chunk.data(), static_cast<std::streamsize>(kReadChunk)) || file.gcount() > 0) {
    stop_if_interrupted();
    hash.update({chunk.data(), static_cast<std::size_t>(file.gcount())});
  }
  if (file.bad()) throw Error(ErrorKind::kIo, path.string() + ": cannot read");
  return hash.hex();
}

std::string sha256_ids(std::span<const std::int32_t> ids) {
  return sha256_hex({reinterpret_cast<const char*>(ids.data()), ids.size_bytes()});
}

}  // namespace elastic
