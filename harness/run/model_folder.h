#pragma once

// What `--model` names: a checkpoint folder, the hub id of one in the Hugging Face cache, or `demo`
// for the model that comes with the program.
//
//   const std::filesystem::path folder = model_folder(options.model);

#include <filesystem>
#include <string>
#include <string_view>

namespace elastic::harness {

inline constexpr std::string_view kDemoModel = "demo";

/// `demo` is models/demo beside the program or up to two folders above it (a folder of that name is
/// ./demo); a folder goes before a hub id of the same spelling. Throws kInvalidArgument where no
/// model is given or the folder holds no checkpoint, kNotFound where the demo model did not come
/// along.
std::filesystem::path model_folder(const std::string& model);

/// The same for commands that need the tokenizer only: any folder goes.
std::filesystem::path tokenizer_folder(const std::string& model);

}  // namespace elastic::harness
