#include "engine/api/tensor_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <numeric>
#include <vector>

#include "base/error.h"
#include "base/json.h"
#include "engine/io/safetensors.h"

namespace elastic::engine {
namespace {

namespace fs = std::filesystem;

// The temporary file beside the target; removed unless committed.
class PendingFile {
 public:
  explicit PendingFile(const fs::path& target)
      : target_(target), temporary_(target.string() + fmt::format(".{}.part", ::getpid())) {
    fd_ = ::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (fd_ < 0) fail("cannot be created");
  }
  ~PendingFile() {
    if (fd_ >= 0) ::close(fd_);
    if (!committed_) ::unlink(temporary_.c_str());
  }
  PendingFile(const PendingFile&) = delete;
  PendingFile& operator=(const PendingFile&) = delete;

  void write(const void* data, std::size_t size) {
    const auto* bytes = static_cast<const char*>(data);
    while (size > 0) {
      const ssize_t written = ::write(fd_, bytes, size);
      if (written < 0 && errno == EINTR) continue;
      if (written <= 0) fail("cannot be written");
      bytes += written;
      size -= static_cast<std::size_t>(written);
    }
  }

  void commit() {
    if (::fsync(fd_) != 0) fail("cannot be synced");
    if (::rename(temporary_.c_str(), target_.c_str()) != 0) fail("cannot be renamed into place");
    committed_ = true;
  }

 private:
  [[noreturn]] void fail(std::string_view what) const {
    throw Error(ErrorKind::kIo,
                fmt::format("{} {}: {}", target_.string(), what, std::strerror(errno)));
  }

  fs::path target_, temporary_;
  int fd_ = -1;
  bool committed_ = false;
};

std::size_t element_count(const std::vector<std::int64_t>& shape) {
  return static_cast<std::size_t>(
      std::accumulate(shape.begin(), shape.end(), std::int64_t{1}, std::multiplies<>()));
}

}  // namespace

void write_safetensors(const fs::path& path, std::span<const TensorView> tensors) {
  Json header = Json::object();
  header["__metadata__"] = {{"format", "pt"}};
  std::uint64_t position = 0;
  for (const TensorView& tensor : tensors) {
    check(element_count(tensor.shape) * item_size(tensor.type) == tensor.bytes.size(),
          "tensor values fill the shape");
    const std::uint64_t end = position + tensor.bytes.size();
    header[tensor.name] = {{"dtype", to_string(tensor.type)},
                           {"shape", tensor.shape},
                           {"data_offsets", {position, end}}};
    position = end;
  }
  std::string text = header.dump();
  text.append((8 - text.size() % 8) % 8, ' ');  // data aligned for mapped readers
  const auto length = static_cast<std::uint64_t>(text.size());
  PendingFile file(path);
  char prefix[8];
  for (int i = 0; i < 8; ++i) prefix[i] = static_cast<char>((length >> (8 * i)) & 0xff);
  file.write(prefix, sizeof prefix);
  file.write(text.data(), text.size());
  for (const TensorView& tensor : tensors) file.write(tensor.bytes.data(), tensor.bytes.size());
  file.commit();
}

void write_tensors(const fs::path& path, std::span<const NamedTensor> tensors) {
  std::vector<TensorView> views;
  for (const NamedTensor& tensor : tensors) {
    views.push_back({tensor.name,
                     TensorType::kF32,
                     tensor.shape,
                     {reinterpret_cast<const std::uint8_t*>(tensor.values.data()),
                      tensor.values.size() * sizeof(float)}});
  }
  write_safetensors(path, views);
}

}  // namespace elastic::engine
