#pragma once

// What the golden suites of whole models share: a prompt through a generator, values beside stored
// ones.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "engine/generate/make_generator.h"
#include "engine/io/safetensors.h"
#include "tests/testing/folders.h"

namespace elastic::testing {

inline std::vector<std::int32_t> int32_values(const engine::TensorView& tensor) {
  const std::vector<std::int64_t> wide = engine::integer_values(tensor);
  return {wide.begin(), wide.end()};
}

inline std::filesystem::path demo() { return source_folder() / "models/demo"; }

inline std::unique_ptr<engine::Generator> cpu_generator(const std::filesystem::path& folder,
                                                        const std::string& dtype = "fp32",
                                                        std::int64_t chunk_rows = 0) {
  engine::GeneratorOptions options;
  options.model = folder;
  options.device = "cpu";
  options.dtype = dtype;
  options.chunk_rows = chunk_rows;
  return engine::make_generator(options);
}

inline const engine::NamedTensor& tensor_named(const engine::Result& result,
                                               const std::string& name) {
  for (const engine::NamedTensor& tensor : result.tensors) {
    if (tensor.name == name) return tensor;
  }
  throw std::runtime_error("no result tensor " + name);
}

/// Largest |actual[rows[i]] - expected[i]|; infinity where sizes disagree or a value is not finite.
inline double max_difference(const engine::NamedTensor& actual,
                             const std::vector<std::int32_t>& rows,
                             const engine::TensorView& expected) {
  const std::vector<float> want = engine::float_values(expected);
  const auto width = static_cast<std::size_t>(actual.shape.back());
  if (want.size() != rows.size() * width) return INFINITY;
  double worst = 0;
  for (std::size_t i = 0; i < want.size(); ++i) {
    const std::size_t row = static_cast<std::size_t>(rows[i / width]);
    const double difference = std::abs(actual.values.at(row * width + i % width) - want[i]);
    worst = std::isfinite(difference) ? std::max(worst, difference) : INFINITY;
  }
  return worst;
}

/// Prompt lengths N of tensors `prompt_N`.
inline std::vector<std::string> prompt_keys(const engine::SafetensorsFile& file,
                                            const std::string& prefix) {
  std::vector<std::string> keys;
  for (const engine::TensorView& tensor : file.tensors()) {
    if (tensor.name.starts_with(prefix)) keys.push_back(tensor.name.substr(prefix.size()));
  }
  return keys;
}

}  // namespace elastic::testing
