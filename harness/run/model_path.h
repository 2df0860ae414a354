#pragma once

// What `--model` names: a checkpoint folder, a GGUF file, the hub id of a folder in the Hugging
// Face cache, `demo` for the model that comes with the program, or `smollm2` for the one that `data
// fetch smollm2` brings.
//
//   const std::filesystem::path model = model_path(options.model);

#include <filesystem>
#include <string>
#include <string_view>

namespace elastic::harness {

inline constexpr std::string_view kDemoModel = "demo";
inline constexpr std::string_view kSmallModel = "smollm2";  // a source of the data catalogue

/// `demo` is models/demo beside the program or up to two folders above it, `smollm2` lies in the
/// data folder (`data_dir` where given; datasets/folders.h); folders of those names are ./demo and
/// ./smollm2. A folder goes before a hub id of the same spelling. Throws kInvalidArgument where no
/// model is given or the folder holds no checkpoint, kNotFound where the demo model did not come
/// along or the other was not fetched.
std::filesystem::path model_path(const std::string& model,
                                 const std::filesystem::path& data_dir = {});

/// The same for commands that need the tokenizer only: any folder goes.
std::filesystem::path tokenizer_path(const std::string& model,
                                     const std::filesystem::path& data_dir = {});

}  // namespace elastic::harness
