#pragma once

// What `--model` names: a checkpoint folder, or `demo` for the model that comes with the program.
//
//   const std::filesystem::path folder = model_folder(options.model);

#include <filesystem>
#include <string>
#include <string_view>

namespace elastic::harness {

inline constexpr std::string_view kDemoModel = "demo";

/// `demo` is models/demo beside the program or up to two folders above it. Throws kInvalidArgument
/// where no model is given, kNotFound where the folder or its config.json is absent.
std::filesystem::path model_folder(const std::string& model);

}  // namespace elastic::harness
