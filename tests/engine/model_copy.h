#pragma once

// Checkpoints that differ from a fixture in what a test changes.

#include <gtest/gtest.h>

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "base/file.h"
#include "base/json.h"
#include "engine/api/tensor_file.h"
#include "engine/io/safetensors.h"
#include "engine/model/weights.h"
#include "tests/testing/folders.h"

namespace elastic::testing {

inline engine::DecoderWeights load_from(const std::filesystem::path& folder) {
  return engine::load_weights(engine::Checkpoint(folder), engine::read_model_config(folder),
                              at::kFloat, at::kCPU);
}

/// A fixture's folder, to be changed.
struct ModelCopy {
  TemporaryFolder folder;
  std::string path;

  explicit ModelCopy(const char* model) : path(folder.path().string()) {
    std::filesystem::copy(fixture(model), folder.path(), std::filesystem::copy_options::recursive);
    for (const auto& entry : std::filesystem::directory_iterator(folder.path())) {
      std::filesystem::permissions(entry.path(), std::filesystem::perms::owner_write,
                                   std::filesystem::perm_options::add);
    }
  }
  void config(const std::function<void(Json&)>& change) const {
    Json json = read_json(folder / "config.json");
    change(json);
    write_file_atomic(folder / "config.json", json.dump());
  }
  void tensors(const std::function<void(std::vector<engine::NamedTensor>&)>& change) const {
    std::vector<engine::NamedTensor> list;
    {
      const engine::SafetensorsFile file(folder / "model.safetensors");
      for (const engine::TensorView& view : file.tensors()) {
        list.push_back({view.name, view.shape, engine::float_values(view)});
      }
    }
    change(list);
    engine::write_tensors(folder / "model.safetensors", list);
  }
  // What loading says, without the folder's name.
  std::string said() const {
    load_from(folder.path());  // throws where it cannot be loaded, before anything is captured
    ::testing::internal::CaptureStderr();
    load_from(folder.path());
    std::string text = ::testing::internal::GetCapturedStderr();
    for (std::size_t at = 0; (at = text.find(path)) != std::string::npos;) {
      text.replace(at, path.size(), "@");
    }
    return text;
  }
};

}  // namespace elastic::testing
