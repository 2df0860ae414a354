#include "engine/io/checkpoint.h"

#include <ATen/Parallel.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/from_blob.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <memory>
#include <set>
#include <span>

#include "base/error.h"
#include "base/hash.h"
#include "base/interrupt.h"
#include "base/json.h"
#include "engine/io/gguf_weights.h"
#include "engine/io/safetensors.h"
#include "engine/io/shard_index.h"

namespace elastic::engine {
namespace {

namespace fs = std::filesystem;

constexpr const char* kSingle = "model.safetensors";
constexpr const char* kIndex = "model.safetensors.index.json";

at::ScalarType scalar_type(const TensorView& view, const fs::path& file) {
  switch (view.type) {
    case TensorType::kF32:
      return at::kFloat;
    case TensorType::kF16:
      return at::kHalf;
    case TensorType::kBF16:
      return at::kBFloat16;
    default:
      break;
  }
  throw Error(ErrorKind::kUnsupported,
              fmt::format("{}: tensor `{}` is {}; weights must be F32, F16 or BF16", file.string(),
                          view.name, to_string(view.type)));
}

// The mapped bytes themselves where they lie aligned, else a copy. `keep` holds the map.
at::Tensor mapped(std::span<const std::uint8_t> bytes, at::IntArrayRef shape, at::ScalarType type,
                  const std::shared_ptr<const void>& keep) {
  const auto options = at::TensorOptions().dtype(type);
  if (reinterpret_cast<std::uintptr_t>(bytes.data()) % c10::elementSize(type) == 0) {
    return at::from_blob(
        const_cast<std::uint8_t*>(bytes.data()), shape, [keep](void*) {}, options);
  }
  at::Tensor tensor = at::empty(shape, options);
  std::memcpy(tensor.data_ptr(), bytes.data(), bytes.size());
  return tensor;
}

// Rows of a GGUF file's tensor as floats, in Hugging Face's order.
at::Tensor dequantised(const GgufWeight& weight) {
  const GgufTensor& stored = *weight.tensor;
  at::Tensor tensor = at::empty(stored.shape, at::TensorOptions().dtype(at::kFloat));
  const std::int64_t columns = stored.elements() / weight.rows();
  constexpr std::int64_t kGrainElements = 1 << 15;
  float* values = tensor.data_ptr<float>();
  at::parallel_for(
      0, weight.rows(), std::max<std::int64_t>(1, kGrainElements / columns),
      [&](std::int64_t begin, std::int64_t end) {
        read_rows(weight, begin, end,
                  {values + begin * columns, static_cast<std::size_t>((end - begin) * columns)});
      });
  return tensor;
}

std::vector<std::string> safetensors_in(const fs::path& folder) {
  std::vector<std::string> names;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder, error)) {
    if (entry.path().extension() == ".safetensors")
      names.push_back(entry.path().filename().string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace

Checkpoint::Checkpoint(const fs::path& model) : folder_(model) {
  if (is_gguf(model)) {
    add_gguf();
  } else {
    add_folder(model);
  }
}

void Checkpoint::add_folder(const fs::path& folder) {
  if (!fs::is_directory(folder)) {
    throw Error(ErrorKind::kNotFound, fmt::format("{}: no such model folder", folder.string()));
  }
  if (fs::exists(folder / kSingle)) {
    add_file(kSingle);
  } else if (fs::exists(folder / kIndex)) {
    read_index(folder / kIndex);
  } else {
    for (const std::string& name : safetensors_in(folder)) add_file(name);
  }
  if (files_.empty()) {
    throw Error(ErrorKind::kNotFound,
                fmt::format("{}: no *.safetensors file; convert other weight formats first",
                            folder.string()));
  }
}

Checkpoint::Checkpoint(const fs::path& folder, const std::string& file) : folder_(folder) {
  add_file(file);
}

void Checkpoint::add_file(const std::string& name) {
  const auto file = std::make_shared<const SafetensorsFile>(folder_ / name);
  files_.push_back(file->path());
  for (const TensorView& view : file->tensors()) {
    const auto read = [file, &view] {
      return mapped(view.bytes, view.shape, scalar_type(view, file->path()), file);
    };
    if (!entries_.emplace(view.name, Entry{file->path(), view.shape, read}).second) {
      throw Error(ErrorKind::kCorrupt,
                  fmt::format("{}: tensor `{}` is also in {}", file->path().string(), view.name,
                              entries_.at(view.name).file.string()));
    }
  }
}

void Checkpoint::add_gguf() {
  const auto file = std::make_shared<const GgufFile>(folder_);
  files_.push_back(folder_);
  for (const auto& [name, weight] : gguf_weights(*file)) {
    const GgufTensor& stored = *weight.tensor;
    const auto read = [file, weight = weight] { return dequantised(weight); };
    entries_.emplace(name, Entry{folder_, stored.shape, read});
  }
}

void Checkpoint::read_index(const fs::path& path) {
  const Json json = read_json(path);
  const std::map<std::string, std::string> shards = parse_shard_index({json, path.string()});
  std::set<std::string> names;
  for (const auto& [tensor, file] : shards) names.insert(file);
  for (const std::string& name : names) {
    if (!fs::exists(folder_ / name)) {
      throw Error(
          ErrorKind::kNotFound,
          fmt::format("{}: names shard `{}`, which is not in the folder", path.string(), name));
    }
    add_file(name);
  }
  for (const auto& [tensor, file] : shards) {
    const auto it = entries_.find(tensor);
    if (it == entries_.end() || it->second.file.filename() != file) {
      throw Error(ErrorKind::kCorrupt,
                  fmt::format("{}: tensor `{}` is not in shard `{}`", path.string(), tensor, file));
    }
  }
}

bool Checkpoint::contains(std::string_view name) const {
  return entries_.contains(std::string(name));
}

std::vector<std::string> Checkpoint::names() const {
  std::vector<std::string> names;
  for (const auto& [name, ignored] : entries_) names.push_back(name);
  std::sort(names.begin(), names.end());
  return names;
}

const Checkpoint::Entry& Checkpoint::entry(std::string_view name) const {
  const auto it = entries_.find(std::string(name));
  if (it == entries_.end()) {
    if (is_gguf(folder_)) {
      throw Error(ErrorKind::kCorrupt,
                  fmt::format("{}: no tensor `{}`", folder_.string(), gguf_name(name)));
    }
    throw Error(ErrorKind::kCorrupt,
                fmt::format("{}: no tensor `{}` in {}", folder_.string(), name,
                            files_.size() == 1 ? files_[0].filename().string()
                                               : fmt::format("{} shards", files_.size())));
  }
  return it->second;
}

const std::vector<std::int64_t>& Checkpoint::shape(std::string_view name) const {
  return entry(name).shape;
}

at::Tensor Checkpoint::load(std::string_view name, at::IntArrayRef shape, at::ScalarType dtype,
                            at::Device device) const {
  const Entry& found = entry(name);
  if (shape != at::IntArrayRef(found.shape)) {
    const bool gguf = is_gguf(folder_);
    throw Error(ErrorKind::kCorrupt,
                fmt::format("{}: tensor `{}` has shape [{}], {} asks for [{}]", found.file.string(),
                            gguf ? gguf_name(name) : name, fmt::join(found.shape, ", "),
                            gguf ? "its metadata" : "config.json",
                            fmt::join(shape.begin(), shape.end(), ", ")));
  }
  return found.read().to(device, dtype);
}

std::vector<fs::path> Checkpoint::files() const { return files_; }

std::string Checkpoint::sha256() const {
  constexpr std::size_t kPiece = std::size_t{1} << 24;
  Sha256 hash;
  for (const fs::path& path : files()) {
    const MappedFile map(path);
    const auto bytes = map.bytes();
    for (std::size_t at = 0; at < bytes.size(); at += kPiece) {
      stop_if_interrupted();
      const auto piece = bytes.subspan(at, std::min(kPiece, bytes.size() - at));
      hash.update({reinterpret_cast<const char*>(piece.data()), piece.size()});
    }
  }
  return hash.hex();
}

}  // namespace elastic::engine
