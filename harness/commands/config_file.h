#pragma once

// `--config FILE.json`: every flag of a subcommand as a key (`max_new_tokens` or `max-new-tokens`).
// A flag on the command line beats the file; a list may be written as a JSON list.
//
//   add_config_flag(sub, options->config);
//   sub.callback([&sub, options] { apply_config_file(sub, options->config); ... });

#include <CLI/CLI.hpp>
#include <string>

#include "base/json.h"

namespace elastic::harness {

/// The flag itself; `path` must be a file that is there.
void add_config_flag(CLI::App& sub, std::string& path);

/// Nothing for an empty path. Throws kInvalidArgument naming file, key and value for keys that are
/// no flags and values a flag does not take, otherwise as read_json().
void apply_config_file(CLI::App& sub, const std::string& path);

/// The same from an object; `source` names it in errors.
void apply_config(CLI::App& sub, const Json& config, const std::string& source);

}  // namespace elastic::harness
