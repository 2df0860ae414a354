// model.safetensors.index.json: any bytes are tensors with plain file names, or an Error.

#include <cstdint>
#include <filesystem>
#include <string_view>

#include "base/error.h"
#include "base/json.h"
#include "engine/io/shard_index.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace elastic;
  try {
    const Json json = parse_json({reinterpret_cast<const char*>(data), size}, "fuzz");
    const std::filesystem::path folder = "/model";
    for (const auto& [tensor, file] : engine::parse_shard_index({json, "fuzz"})) {
      check((folder / file).lexically_normal().parent_path() == folder, "inside the folder");
    }
  } catch (const Error&) {
  }
  return 0;
}
