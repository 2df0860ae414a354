#include "engine/io/router_adapter.h"

#include <fmt/format.h>

#include "base/error.h"

namespace elastic::engine {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kSchemaVersion = 1;
constexpr std::int64_t kMostLayers = 4096, kMostExtent = 1 << 16, kMostExpansion = 1 << 10;
constexpr std::size_t kHashDigits = 64;

[[noreturn]] void corrupt(const JsonSource& in, const std::string& why) {
  throw Error(
      ErrorKind::kCorrupt,
      fmt::format("{}: {}; train the routers again, or take an unbroken copy", in.source, why));
}

std::int64_t within(const JsonSource& in, const char* key, std::int64_t least, std::int64_t most) {
  const auto value = json_get<std::int64_t>(in, key);
  if (value >= least && value <= most) return value;
  corrupt(in, fmt::format("key `{}` is {}, expected {} to {}", key, value, least, most));
}

const Json& object_at(const JsonSource& in, const char* key) {
  const auto it = in.object.find(key);
  if (it == in.object.end()) corrupt(in, fmt::format("key `{}` is missing", key));
  if (!it->is_object()) {
    corrupt(in, fmt::format("key `{}` is {}, expected an object", key, dump_line(*it)));
  }
  return *it;
}

std::string read_hash(const JsonSource& in, const char* key) {
  auto hash = json_get<std::string>(in, key);
  const bool hex =
      hash.size() == kHashDigits && hash.find_first_not_of("0123456789abcdef") == std::string::npos;
  if (!hex) corrupt(in, fmt::format("key `{}` is `{}`, expected 64 hex digits", key, hash));
  return hash;
}

[[noreturn]] void refuse_base(const RouterAdapter& adapter, const ModelConfig& base,
                              const std::string& difference) {
  throw Error(
      ErrorKind::kInvalidArgument,
      fmt::format("--router {}: these routers are for the base `{}`, weights sha256 {}, but {} has "
                  "{}; give --model the base they were trained for, or train routers for this one "
                  "(elastic-bench train router --base {} with \"export\": \"adapter\")",
                  adapter.folder.string(), adapter.base, adapter.base_sha256, base.folder.string(),
                  difference, base.folder.string()));
}

}  // namespace

RouterAdapter read_router_adapter(const fs::path& folder) {
  const fs::path path = folder / kAdapterConfig;
  std::error_code ignored;
  if (!fs::exists(path, ignored)) {
    const bool model = fs::exists(folder / "config.json", ignored);
    throw Error(ErrorKind::kInvalidArgument,
                fmt::format("--router {}: {}", folder.string(),
                            model ? "is a whole model, whose routers come along with --model; give "
                                    "it there"
                                  : "no router.json there; give a folder that `train router` wrote "
                                    "with \"export\": \"adapter\" (docs/training.md)"));
  }
  const Json json = read_json(path);
  RouterAdapter adapter = parse_router_adapter({json, path.string()});
  adapter.folder = folder;
  return adapter;
}

RouterAdapter parse_router_adapter(const JsonSource& in) {
  if (!in.object.is_object()) corrupt(in, "not a JSON object");
  const auto version = json_get<std::int64_t>(in, "schema_version");
  if (version != kSchemaVersion) {
    throw Error(ErrorKind::kUnsupported,
                fmt::format("{}: `schema_version` is {}, this program reads {}", in.source, version,
                            kSchemaVersion));
  }
  RouterAdapter adapter;
  const JsonSource base{object_at(in, "base"), in.source + ": base"};
  adapter.base = json_get<std::string>(base, "name");
  adapter.base_sha256 = read_hash(base, "weights_sha256");
  adapter.layers = within(base, "layers", 1, kMostLayers);
  adapter.heads_kv = within(base, "heads_kv", 1, kMostExtent);
  adapter.head_dim = within(base, "head_dim", 1, kMostExtent);
  adapter.expansion = within(in, "expansion", 1, kMostExpansion);
  adapter.routing = parse_routing({object_at(in, "routing"), in.source + ": routing"});
  return adapter;
}

Json router_adapter_json(const RouterAdapter& adapter, const Json& routing, const Json& training) {
  return {{"schema_version", kSchemaVersion},
          {"base",
           {{"name", adapter.base},
            {"weights_sha256", adapter.base_sha256},
            {"layers", adapter.layers},
            {"heads_kv", adapter.heads_kv},
            {"head_dim", adapter.head_dim}}},
          {"expansion", adapter.expansion},
          {"routing", routing},
          {"training", training}};
}

void check_base(const RouterAdapter& adapter, const ModelConfig& base) {
  const auto check_same = [&](const char* what, std::int64_t wanted, std::int64_t found) {
    if (wanted == found) return;
    refuse_base(adapter, base, fmt::format("{} {} instead of {}", what, found, wanted));
  };
  check_same("layers", adapter.layers, base.layers);
  check_same("KV heads", adapter.heads_kv, base.heads_kv);
  check_same("head_dim", adapter.head_dim, base.head_dim);
}

void check_base_weights(const RouterAdapter& adapter, const ModelConfig& base,
                        const std::string& sha256) {
  if (sha256 != adapter.base_sha256) {
    refuse_base(adapter, base, fmt::format("weights sha256 {}", sha256));
  }
}

}  // namespace elastic::engine
