#pragma once

// What tests of whole models share: a prompt through a generator, values beside stored ones.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "base/file.h"
#include "base/json.h"
#include "engine/api/make_generator.h"
#include "engine/io/safetensors.h"
#include "tests/engine/stored_tensors.h"
#include "tests/testing/folders.h"

namespace elastic::testing {

inline std::vector<std::int32_t> int32_values(const engine::TensorView& tensor) {
  const std::vector<std::int64_t> wide = integers(tensor);
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

/// Ids 2 .. vocab + 1 in an order of `step`.
inline std::vector<std::int32_t> some_ids(std::int64_t count, std::int32_t step,
                                          std::int32_t vocab = 94) {
  std::vector<std::int32_t> ids;
  for (std::int64_t i = 0; i < count; ++i) {
    ids.push_back(2 + static_cast<std::int32_t>((i * step + i / 5) % vocab));
  }
  return ids;
}

/// Greedy, of exactly `new_tokens` tokens.
inline engine::Request request_of(std::vector<std::int32_t> ids, std::int64_t new_tokens) {
  engine::Request request;
  request.ids = std::move(ids);
  request.max_new_tokens = new_tokens;
  request.ignore_eos = true;
  return request;
}

/// A copy of a fixture whose config.json has another value.
inline std::filesystem::path fixture_with(const TemporaryFolder& folder, const char* name,
                                          const char* key, const Json& value) {
  std::filesystem::copy(fixture(name), folder.path(), std::filesystem::copy_options::recursive);
  Json config = read_json(fixture(name) / "config.json");
  config[key] = value;
  write_file_atomic(folder / "config.json", dump_pretty(config));
  return folder.path();
}

}  // namespace elastic::testing
