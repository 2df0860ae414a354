// `--config` files: any bytes set flags of `run`, or are an Error. What was set is in range.

#include <cstdint>
#include <string_view>

#include "base/error.h"
#include "base/json.h"
#include "harness/commands/config_file.h"
#include "harness/commands/flag_values.h"
#include "harness/commands/run_flags.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace elastic;
  CLI::App app;
  harness::RunOptions options;
  std::string config;
  harness::add_run_flags(app, options, config);
  try {
    harness::apply_config(app, parse_json({reinterpret_cast<const char*>(data), size}, "fuzz"),
                          "fuzz");
  } catch (const Error&) {
  }
  const auto& batch = options.batch_size;
  check(!batch || (*batch >= 1 && *batch <= harness::kMostBatch), "batch size");
  check(!options.limit || (*options.limit >= 1 && *options.limit <= harness::kMostSamples),
        "limit");
  check(!options.limit_share || (*options.limit_share > 0 && *options.limit_share < 1), "share");
  for (const auto& tokens : {options.max_new_tokens, options.max_length, options.thinking_tokens}) {
    check(!tokens || (*tokens >= 1 && *tokens <= harness::kMostTokens), "tokens");
  }
  return 0;
}
