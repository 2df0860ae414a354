// Stored results of skip-softmax: tiles, outputs and log-sum-exps of prompts and of decode steps,
// those of golden/attention2 and our own small ones.

#include <ATen/TensorOperators.h>
#include <ATen/ops/tensor.h>
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <vector>

#include "base/json.h"
#include "engine/io/safetensors.h"
#include "tests/engine/golden_counts.h"
#include "tests/engine/skip_run.h"
#include "tests/engine/stored_tensors.h"
#include "tests/testing/folders.h"

namespace elastic::testing {
namespace {

using engine::AttentionInput;
using engine::SafetensorsFile;

// One variant of a file.
struct Variant {
  const SafetensorsFile& file;
  const Json& entry;
  std::string suffix, order;

  const Json& params() const { return entry.at("params"); }
  at::Tensor stored(const std::string& name) const { return floats(file, name + suffix); }
  double tolerance(at::ScalarType type) const {
    return entry.at("tolerance").at(type == at::kFloat ? "fp32_abs" : "bf16_abs").get<double>();
  }
};

// bool, of the shape stored: 1 computed, 0 skipped, anything else outside the causal area.
at::Tensor stored_tiles(const Variant& v) {
  const engine::TensorView& view = v.file.at("tiles" + v.suffix);
  const std::vector<std::int64_t> states = integers(view);
  return (at::tensor(states) == 1).view(view.shape);
}

void expect_near(const at::Tensor& got, const at::Tensor& wanted, double tolerance,
                 const std::string& what) {
  EXPECT_LE((got.to(at::kFloat) - wanted).abs().max().item<double>(), tolerance) << what;
}

void check_prefill(const Variant& v, at::ScalarType type) {
  const std::int64_t rows = v.params().at("tile_q"), keys = v.params().at("tile_k");
  const std::string text =
      fmt::format("skip:scale={},tile={}x{},order={}",
                  v.params().at("threshold_scale").get<double>(), rows, keys, v.order);
  const AttentionInput input = input_of(floats(v.file, "q").to(type), floats(v.file, "k").to(type),
                                        floats(v.file, "v").to(type));
  const engine::HeadGroups groups = groups_of(text, input);
  EXPECT_TRUE(tiles_seen(input, groups, rows, keys).equal(stored_tiles(v))) << text;
  Computed got = compute(input, groups);
  if (v.file.find("rows") != nullptr) {
    const at::Tensor picked = at::tensor(integers(v.file.at("rows")));
    got = {got.out.index_select(1, picked), got.lse.index_select(1, picked)};
  }
  expect_near(got.out, v.stored("out"), v.tolerance(type), text);
  expect_near(got.lse, v.stored("lse"), 5 * v.tolerance(at::kFloat), text + " lse");
}

// Step i has N_k - steps + i + 1 keys.
void check_steps(const Variant& v, at::ScalarType type) {
  constexpr std::int64_t kKeys = 128;
  const at::Tensor q = floats(v.file, "q").to(type), k = floats(v.file, "k").to(type),
                   values = floats(v.file, "v").to(type);
  const std::string text = fmt::format("skip:decode_scale={},order={}",
                                       v.params().at("threshold_scale").get<double>(), v.order);
  const std::int64_t group = q.size(0) / k.size(0);
  for (std::int64_t i = 0; i < q.size(1); ++i) {
    const std::int64_t tokens = k.size(1) - q.size(1) + i + 1;
    const AttentionInput input =
        input_of(q.narrow(1, i, 1), k.narrow(1, 0, tokens), values.narrow(1, 0, tokens));
    const engine::HeadGroups groups = step_groups(text, input);
    const at::Tensor seen = tiles_seen(input, groups, 1, kKeys).view({k.size(0), group, -1});
    const at::Tensor wanted = stored_tiles(v).select(1, i).narrow(1, 0, seen.size(2));
    EXPECT_TRUE(seen.equal(wanted.unsqueeze(1).expand_as(seen))) << text << " step " << i;
    const Computed got = compute(input, groups);
    expect_near(got.out, v.stored("out").narrow(1, i, 1), v.tolerance(type), text);
    expect_near(got.lse, v.stored("lse").narrow(1, i, 1), 5 * v.tolerance(at::kFloat), text);
  }
}

// Variants of kernels that cut the keys of a step are passed over: ours does not.
template <void (*check)(const Variant&, at::ScalarType)>
int check_variants(const SafetensorsFile& file, const Json& entry) {
  int ran = 0;
  for (const auto& [suffix, variant] : entry.at("params").at("variants").items()) {
    if (variant.value("splits", 1) != 1) continue;
    const Variant one{file, entry, suffix, variant.at("order")};
    for (const at::ScalarType type : {at::kFloat, at::kBFloat16}) check(one, type);
    ++ran;
  }
  return ran;
}

const Checks kSkipChecks = {{"skip_softmax", check_variants<check_prefill>},
                            {"skip_softmax_decode", check_variants<check_steps>}};

TEST(Golden_attention2, SkipSoftmax) { check_golden("attention2", kSkipChecks); }

TEST(SkipSoftmax, OwnFolder) {
  const Counts wanted = {{"skip_softmax", 2}, {"skip_softmax_decode", 2}};
  EXPECT_EQ(check_listed(fixture("attention2"), kSkipChecks), wanted);
}

}  // namespace
}  // namespace elastic::testing
