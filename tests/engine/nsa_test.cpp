// NSA against its definition, against stored results, as plans and in whole models.

#include <ATen/Context.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/eye.h>
#include <ATen/ops/full.h>
#include <ATen/ops/rand.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/tensor.h>
#include <c10/core/InferenceMode.h>
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/json.h"
#include "engine/device/stage_clock.h"
#include "engine/io/safetensors.h"
#include "engine/model/decoder.h"
#include "tests/engine/golden_counts.h"
#include "tests/engine/golden_run.h"
#include "tests/engine/nsa_definition.h"
#include "tests/engine/plan_context.h"
#include "tests/engine/small_config.h"
#include "tests/engine/stored_tensors.h"
#include "tests/testing/folders.h"
#include "tests/testing/tolerance.h"

namespace elastic::engine {
namespace {

using plan_tests::context;
using plan_tests::error_of;
using testing::NsaInput;
using testing::NsaSetting;

std::string nsa_text(const NsaSetting& s, const std::string& compress) {
  const std::string strided = s.meanpool ? ""
                                         : fmt::format(",kernel={},stride={},init={},local={}",
                                                       s.kernel, s.stride, s.init, s.local);
  return fmt::format("nsa:compress={},block={},topk={},window={}{}", compress, s.block, s.topk,
                     s.window, strided);
}

// x [heads, tokens, dim] with RoPE at positions from 0, each value rounded once.
at::Tensor with_rope(const at::Tensor& x) {
  at::Tensor out = x.to(at::kDouble).contiguous().clone();
  const std::int64_t dim = x.size(2);
  for (std::int64_t row = 0; row < x.size(0) * x.size(1); ++row) {
    double* values = out.data_ptr<double>() + row * dim;
    const std::vector<double> turned = testing::rope({values, values + dim}, row % x.size(1));
    std::copy(turned.begin(), turned.end(), values);
  }
  return out;
}

// The mode as a layer with these weights has it: activations are the logits of the gates.
struct NsaRun {
  AttentionPlan plan;
  AttentionInput input;  // of all rows
  HeadState state;

  NsaRun(const NsaInput& in, const std::string& text, at::ScalarType type)
      : plan(make_plan(in, text)),
        input{in.q.to(type), in.k.to(type), in.v.to(type), in.q_start,
              1 / std::sqrt(static_cast<double>(in.q.size(2)))} {
    const at::Tensor positions = with_rope(at::full({1, in.k.size(1), in.q.size(2)}, 1.0));
    const std::int64_t half = in.q.size(2) / 2;  // (1, 1) turns into (cos - sin, cos + sin)
    const at::Tensor first = positions[0].narrow(1, 0, half),
                     second = positions[0].narrow(1, half, half);
    input.rotary_cos = ((first + second) / 2).to(at::kFloat);
    input.rotary_sin = ((second - first) / 2).to(at::kFloat);
    if (in.plain_k.defined()) input.plain_k = in.plain_k.to(type);
    const at::Tensor gates = in.gates.to(at::kDouble);
    input.hidden = (gates / (1 - gates)).log().transpose(0, 1).flatten(1).to(at::kFloat);
  }

  static AttentionPlan make_plan(const NsaInput& in, const std::string& text) {
    NsaWeights weights = in.weights;
    weights.gate = at::eye(3 * in.q.size(0));
    return make_attention_plan(text, {.layers = 1,
                                      .heads_q = in.q.size(0),
                                      .heads_kv = in.k.size(0),
                                      .sink = {},
                                      .local = {},
                                      .routers = {},
                                      .nsa = {&weights, 1}});
  }

  AttentionInput rows(std::int64_t first, std::int64_t count) const {
    AttentionInput part = input;
    part.q = input.q.narrow(1, first, count);
    part.hidden = input.hidden.narrow(0, first, count);
    part.q_start = input.q_start + first;
    return part;
  }

  HeadGroups groups(const AttentionInput& part) {
    return select_heads(plan, plan.policy->decide(0, {}), part, state);
  }

  at::Tensor attended(const AttentionInput& part, const HeadGroups& groups) const {
    at::Tensor out = at::full(part.q.sizes(), 7.0, part.q.options());
    attend(part, groups, out);
    return out.to(at::kFloat);
  }

  at::Tensor whole() { return attended(input, groups(input)); }
};

double worst_of(const at::Tensor& a, const at::Tensor& b) {
  return (a.to(at::kDouble) - b.to(at::kDouble)).abs().max().item<double>();
}

// Blocks that a row of the first branch sees.
std::set<std::int64_t> selected_of(const HeadGroups& groups, std::int64_t h, std::int64_t p,
                                   std::int64_t block) {
  std::set<std::int64_t> blocks;
  for (std::int64_t j = 0; j <= p; ++j) {
    if (is_visible(groups.groups[0].seen(), h, p, j)) blocks.insert(j / block);
  }
  return blocks;
}

NsaInput random_input(std::int64_t kv_heads, std::int64_t group, std::int64_t tokens,
                      std::int64_t dim, std::int64_t q_start, std::int64_t rows) {
  NsaInput in;
  in.plain_k = at::randn({kv_heads, tokens, dim});
  in.k = with_rope(in.plain_k).to(at::kFloat);
  in.v = at::randn({kv_heads, tokens, dim});
  in.q = at::randn({kv_heads * group, rows, dim}).mul(2);
  in.gates = at::rand({kv_heads * group, rows, 3}).mul(0.9).add(0.05);
  in.q_start = q_start;
  return in;
}

struct NsaCase {
  std::string compress;
  NsaSetting setting;
};

std::vector<NsaCase> nsa_cases() {
  return {{"avgpool", {32, 16, 64, 3, 1, 1, 64}},
          {"linear", {8, 4, 16, 4, 1, 2, 20}},
          {"weightedpool", {8, 8, 8, 5, 2, 1, 0}},
          {"avgpool", {16, 4, 8, 6, 0, 1, 33}},
          {"meanpool", {.block = 16, .topk = 3, .window = 24, .meanpool = true}}};
}

NsaWeights nsa_weights(const NsaCase& one, std::int64_t kv_heads, std::int64_t dim) {
  NsaWeights w;
  const std::int64_t size = one.setting.kernel;
  if (one.compress == "linear") {
    const double scale = 1 / std::sqrt(static_cast<double>(size));
    w.keys = at::randn({kv_heads, size * dim, dim}).mul(scale / 2);
    w.values = at::randn({kv_heads, size * dim, dim}).mul(scale / 2);
  } else if (one.compress == "weightedpool") {
    w.keys = at::rand({kv_heads, size}).div(size);
    w.values = at::rand({kv_heads, size}).div(size);
  }
  if (one.compress != "meanpool") w.position = at::randn({kv_heads, size, dim}).mul(0.1);
  return w;
}

TEST(Nsa, EqualsItsDefinition) {
  at::Generator generator = at::globalContext().defaultGenerator(at::kCPU);
  generator.set_current_seed(5);
  for (const NsaCase& one : nsa_cases()) {
    for (const auto& [start, rows] : {std::pair(0, 150), {77, 60}, {129, 1}}) {
      NsaInput in = random_input(2, 2, start + rows, 16, start, rows);
      in.weights = nsa_weights(one, 2, 16);
      NsaRun run(in, nsa_text(one.setting, one.compress), at::kFloat);
      const testing::NsaResult wanted = testing::nsa_by_definition(in, one.setting);
      const HeadGroups groups = run.groups(run.input);
      EXPECT_LT(worst_of(run.attended(run.input, groups), wanted.out), testing::kAttentionFp32)
          << one.compress << " rows " << start << "+" << rows;
      for (std::int64_t h = 0; h < 4; ++h) {
        for (std::int64_t i = 0; i < rows; ++i) {
          EXPECT_EQ(selected_of(groups, h, start + i, one.setting.block),
                    wanted.blocks[static_cast<std::size_t>(h / 2)][static_cast<std::size_t>(i)])
              << one.compress << " head " << h << " row " << start + i;
        }
      }
    }
  }
}

// A prompt in slices, and then step by step with what the state kept.
TEST(Nsa, SlicesAndStepsAreTheWholePrompt) {
  for (const NsaCase& one : nsa_cases()) {
    const std::int64_t tokens = 150, prompt = 100;
    NsaInput in = random_input(2, 2, tokens, 16, 0, tokens);
    in.weights = nsa_weights(one, 2, 16);
    const std::string text = nsa_text(one.setting, one.compress);
    NsaRun whole(in, text, at::kFloat), run(in, text, at::kFloat);
    const at::Tensor wanted = whole.whole();
    const auto cached = [&](AttentionInput part, std::int64_t keys, std::int64_t plain) {
      part.k = part.k.narrow(1, 0, keys);
      part.v = part.v.narrow(1, 0, keys);
      part.plain_k = part.plain_k.narrow(1, part.end() - plain, plain);
      return part;
    };
    for (const auto& [first, rows] : {std::pair(0, 64), {64, 36}}) {
      const AttentionInput part = cached(run.rows(first, rows), prompt, rows);
      EXPECT_LT(worst_of(run.attended(part, run.groups(part)), wanted.narrow(1, first, rows)), 1e-5)
          << one.compress;
    }
    for (std::int64_t p = prompt; p < tokens; ++p) {
      const AttentionInput step = cached(run.rows(p, 1), p + 1, 1);
      const HeadGroups groups =
          select_step(run.plan, run.plan.policy->decide(0, {}), step, run.state);
      EXPECT_LT(worst_of(run.attended(step, groups), wanted.narrow(1, p, 1)), 1e-5)
          << one.compress << " at " << p;
    }
  }
}

// What a stored file is made of; gates there are [rows, heads_q, 3] or one tensor each.
NsaInput stored_input(const SafetensorsFile& file, bool meanpool) {
  NsaInput in;
  in.v = testing::floats(file, "v");
  if (meanpool) {
    in.q = testing::floats(file, "q");
    in.k = testing::floats(file, "k");
    in.gates = at::stack({testing::floats(file, "g_cmp"), testing::floats(file, "g_slc"),
                          testing::floats(file, "g_swa")},
                         2)
                   .transpose(0, 1);
    return in;
  }
  in.plain_k = testing::floats(file, "k_prerope");
  in.k = with_rope(in.plain_k).to(at::kFloat);
  in.q = with_rope(testing::floats(file, "q_prerope")).to(at::kFloat);
  in.gates = testing::floats(file, "gate").transpose(0, 1);
  in.weights.position = testing::floats(file, "pe");
  if (file.find("w_k") != nullptr) {
    in.weights.keys = testing::floats(file, "w_k");
    in.weights.values = testing::floats(file, "w_v");
  }
  return in;
}

struct StoredNsa {
  const SafetensorsFile& file;
  const Json& entry;

  std::int64_t number(const char* key) const {
    return entry.at("params").at(key).get<std::int64_t>();
  }
  double tolerance(at::ScalarType type) const {
    return entry.at("tolerance").at(type == at::kFloat ? "fp32_abs" : "bf16_abs").get<double>();
  }
  // Rows of which outputs are stored.
  at::Tensor stored_rows(const at::Tensor& x) const {
    if (file.find("rows") == nullptr) return x;
    return x.index_select(1, at::tensor(testing::integers(file.at("rows"))));
  }
};

void check_stored_nsa(const StoredNsa& c, bool meanpool, at::ScalarType type) {
  const NsaInput in = stored_input(c.file, meanpool);
  NsaSetting s{.block = c.number("block"), .window = c.number("window"), .meanpool = meanpool};
  std::string compress = "meanpool";
  if (meanpool) {
    s.topk = c.number("block_count");
  } else {
    compress = c.entry.at("params").at("compress").get<std::string>();
    s = {c.number("kernel"),      c.number("stride"),       s.block, c.number("topk"),
         c.number("init_blocks"), c.number("local_blocks"), s.window};
  }
  const std::string what = c.entry.at("file").get<std::string>() + " " + at::toString(type);
  NsaRun run(in, nsa_text(s, compress), type);
  const HeadGroups groups = run.groups(run.input);
  const at::Tensor out = run.attended(run.input, groups);
  EXPECT_LE(worst_of(c.stored_rows(out), testing::floats(c.file, "out")), c.tolerance(type))
      << what;
  if (type == at::kFloat) {  // of keys that were rounded after RoPE selections may differ
    const TensorView& view = c.file.at(meanpool ? "block_indices" : "topk_idx");
    const at::Tensor blocks = at::tensor(testing::integers(view)).view(view.shape);
    for (std::int64_t h = 0; h < in.q.size(0); ++h) {
      for (std::int64_t i = 0; i < in.q.size(1); ++i) {
        const at::Tensor listed = blocks[h * in.k.size(0) / in.q.size(0)][i];
        const auto* first = listed.const_data_ptr<std::int64_t>();
        std::set<std::int64_t> wanted(first, first + listed.size(0));
        wanted.erase(-1);
        EXPECT_EQ(selected_of(groups, h, i, s.block), wanted) << what << " row " << i;
      }
    }
  }
  const char* const names[] = {"o_slc", "o_cmp", "o_swa"};
  for (std::size_t b = 0; b < 3 && c.file.find("o_cmp") != nullptr; ++b) {
    const Branch& branch = groups.groups[0].branches[b];
    at::Tensor one = at::full(in.q.sizes(), 7.0, run.input.q.options());
    masked_attention(branch.input, groups.groups[0].kv_heads, branch.mask, one);
    EXPECT_LE(worst_of(c.stored_rows(one), testing::floats(c.file, names[b])), c.tolerance(type))
        << what << " " << names[b];
  }
}

template <bool meanpool>
int check_nsa(const SafetensorsFile& file, const Json& entry) {
  for (const at::ScalarType type : {at::kFloat, at::kBFloat16}) {
    check_stored_nsa({file, entry}, meanpool, type);
  }
  return 1;
}

const testing::Checks kNsaChecks = {{"nsa_strided", check_nsa<false>},
                                    {"nsa_meanpool", check_nsa<true>}};

TEST(Golden_attention, Nsa) { testing::check_golden("attention", kNsaChecks); }

TEST(Nsa, OwnFolder) {
  const testing::Counts wanted = {{"nsa_strided", 1}};
  EXPECT_EQ(testing::check_listed(testing::fixture("row_blocks"), kNsaChecks), wanted);
}

}  // namespace
}  // namespace elastic::engine
