// XAttention's choice by the GPU's kernels beside its definition in float64, written out: covered
// mass and equal blocks, rows of either rule, chunks, partial strips, decisions on the device; and
// beside stored masks.

#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/constant_pad_nd.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/softmax.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <string>
#include <vector>

#include "base/file.h"
#include "base/json.h"
#include "engine/attention/attention_backend.h"
#include "engine/attention/xattention.h"
#include "engine/io/safetensors.h"
#include "tests/engine/all_heads.h"
#include "tests/engine/gpu.h"
#include "tests/engine/stored_tensors.h"
#include "tests/testing/folders.h"

namespace elastic::engine {
namespace {

struct Case {
  std::int64_t heads_q, heads_kv, head_dim, q_start, rows;
  std::int64_t stride = 16;
  double tau = 0.9;
  std::int64_t lagging_blocks = 0;  // above 0: the public rule
};

std::string label(const Case& c) {
  return std::to_string(c.heads_q) + "/" + std::to_string(c.heads_kv) + " d" +
         std::to_string(c.head_dim) + " rows " + std::to_string(c.q_start) + "+" +
         std::to_string(c.rows) + " stride " + std::to_string(c.stride) + " tau " +
         std::to_string(c.tau) + " lag " + std::to_string(c.lagging_blocks);
}

// [strips, stride, dim] of x [tokens, dim], zeros behind the end.
at::Tensor strips_of(const at::Tensor& x, std::int64_t stride) {
  const std::int64_t strips = (x.size(0) + stride - 1) / stride;
  return at::constant_pad_nd(x.to(at::kDouble), {0, 0, 0, strips * stride - x.size(0)})
      .view({strips, stride, x.size(1)});
}

// Mass of the block pairs of one query head, float64 [query blocks, key blocks].
at::Tensor mass_of(const AttentionInput& input, std::int64_t head, std::int64_t stride) {
  const std::int64_t group = input.q.size(0) / input.k.size(0), side = 128 / stride;
  const std::int64_t end = input.q_start + input.q.size(1), first = input.q_start / stride;
  const at::Tensor q = strips_of(input.q[head], stride);
  const at::Tensor k = strips_of(input.k[head / group].narrow(0, 0, end), stride);
  at::Tensor scores = at::zeros({q.size(0), k.size(0)}, q.options());
  for (std::int64_t t = 0; t < stride; ++t) {
    scores += at::matmul(q.select(1, stride - 1 - t), k.select(1, t).t());
  }
  const auto index = at::TensorOptions(at::kLong).device(q.device());
  const at::Tensor later =
      at::arange(k.size(0), index) > at::arange(first, first + q.size(0), index).unsqueeze(1);
  scores.mul_(input.scale / static_cast<double>(stride))
      .masked_fill_(later, -std::numeric_limits<double>::infinity());
  const auto blocks = [side](std::int64_t n) { return (n + side - 1) / side; };
  const std::int64_t rows = blocks(q.size(0)), columns = blocks(k.size(0));
  return at::constant_pad_nd(at::softmax(scores, 1),
                             {0, columns * side - k.size(0), 0, rows * side - q.size(0)})
      .view({rows, side, columns, side})
      .sum({1, 3});
}

// The specification's threshold search (sparse_attention.md 4.4) over one row.
std::vector<bool> wanted_row(const std::vector<double>& mass, std::size_t own, const Case& c) {
  const bool lags = static_cast<std::int64_t>(own) < c.lagging_blocks;
  const double need = c.tau * std::accumulate(mass.begin(), mass.end(), 0.0);
  std::vector<bool> keep(mass.size());
  keep[0] = keep[own] = true;
  std::vector<std::size_t> rest;
  for (std::size_t b = 0; b < own; ++b) {
    if (lags || b > 0) rest.push_back(b);
  }
  std::stable_sort(rest.begin(), rest.end(),
                   [&](std::size_t a, std::size_t b) { return mass[a] > mass[b]; });
  double held = mass[own] + (lags || own == 0 ? 0 : mass[0]), behind = 0;
  for (std::size_t rank = 0; rank < rest.size(); ++rank) {
    const double seen = lags ? behind : held;  // the public bookkeeping is one block late
    const bool take =
        lags ? c.tau > 0 && (rank == 0 || seen < need) : seen < need && mass[rest[rank]] > 0;
    if (!take) break;
    keep[rest[rank]] = true;
    behind = held;
    held += mass[rest[rank]];
  }
  return keep;
}

class Gpu_Strips : public elastic::testing::GpuSuite {
 protected:
  // Keys and queries around few directions, so that some blocks have much of the mass.
  AttentionInput random_input(const Case& c) const {
    const auto options = at::TensorOptions(at::kBFloat16).device(device_);
    const std::int64_t tokens = c.q_start + c.rows;
    const at::Tensor slow = at::randn({c.heads_kv, tokens / 128 + 2, c.head_dim}, options)
                                .repeat_interleave(128, 1)
                                .narrow(1, 0, tokens + 100);
    const at::Tensor k = slow + at::randn({c.heads_kv, tokens + 100, c.head_dim}, options);
    return {at::randn({c.heads_q, c.rows, c.head_dim}, options).mul(1.5), k.narrow(1, 0, tokens),
            k.narrow(1, 0, tokens), c.q_start, 1 / std::sqrt(static_cast<double>(c.head_dim))};
  }

  static StripRule rule_of(const Case& c, std::span<const double> taus) {
    return {{c.stride, 128},
            taus,
            c.lagging_blocks > 0 ? XattentionRule::kPublic : XattentionRule::kExact,
            c.lagging_blocks};
  }

  // One head of a choice: share of equal blocks, added up; every row covers what it has to.
  void expect_head(const AttentionInput& input, const BlockChoice& choice, const at::Tensor& table,
                   std::int64_t head, const Case& c) {
    const at::Tensor mass = mass_of(input, head, c.stride).cpu().contiguous();
    const at::Tensor counts = choice.counts[head].cpu(), kept = table.cpu().contiguous();
    ASSERT_EQ(kept.sizes(), mass.sizes()) << label(c);
    for (std::int64_t row = 0; row < mass.size(0); ++row) {
      const double* first = mass.const_data_ptr<double>() + row * mass.size(1);
      const bool* got = kept.const_data_ptr<bool>() + row * mass.size(1);
      const auto own = static_cast<std::size_t>(c.q_start / 128 + row);
      const std::vector<double> masses(first, first + mass.size(1));
      const std::vector<bool> wanted = wanted_row(masses, own, c);
      double covered = 0;
      std::int64_t count = 0;
      for (std::size_t b = 0; b < masses.size(); ++b) {
        equal_ += got[b] == wanted[b] ? 1 : 0;
        covered += got[b] ? masses[b] : 0;
        count += got[b] ? 1 : 0;
        EXPECT_FALSE(b > own && got[b]) << label(c) << ": right of the diagonal";
      }
      all_ += static_cast<std::int64_t>(masses.size());
      const double total = std::accumulate(masses.begin(), masses.end(), 0.0);
      EXPECT_GE(covered, (c.tau - 1e-3) * total) << label(c) << " head " << head << " row " << row;
      EXPECT_EQ(counts[row].item<std::int32_t>(), count) << label(c);
      EXPECT_TRUE(got[0] && got[own]) << label(c);
    }
  }

  std::int64_t equal_ = 0, all_ = 0;
};

std::vector<Case> cases() {
  std::vector<Case> all;
  for (const std::int64_t rows : {1, 7, 128, 129, 1000, 4096, 4500, 9001}) {
    all.push_back({4, 2, 128, 0, rows});
    all.push_back({6, 3, 64, 1024, rows, 8});
    all.push_back({4, 4, 128, 640, rows, 16, 0.5});
  }
  all.push_back({2, 1, 128, 0, 20000, 16, 0.8});
  all.push_back({4, 1, 64, 8192, 8192, 16, 0.95});
  for (const double tau : {0.0, 0.3, 0.9, 1.0}) {
    all.push_back({4, 2, 64, 0, 3001, 16, tau});
    all.push_back({4, 2, 64, 0, 3001, 8, tau, 16});
    all.push_back({2, 2, 128, 1024, 5000, 16, tau, 24});
  }
  return all;
}

TEST_F(Gpu_Strips, CoverTheMassThatTheyHaveTo) {
  for (const Case& c : cases()) {
    const AttentionInput input = random_input(c);
    const std::vector<int> heads = elastic::testing::all_heads(input);
    const double tau[] = {c.tau};
    const auto choice =
        attention_backend(device_).choose_by_strips(input, {heads}, rule_of(c, tau));
    if (!choice) GTEST_SKIP() << "no such kernel on this GPU";
    const at::Tensor table = choice->table();
    for (std::int64_t head = 0; head < c.heads_q; ++head) {
      expect_head(input, *choice, table[head], head, c);
    }
    const auto again = attention_backend(device_).choose_by_strips(input, {heads}, rule_of(c, tau));
    EXPECT_TRUE(again->bits.equal(choice->bits)) << "the same inputs give the same bits";
  }
  EXPECT_GT(all_, 200000);
  EXPECT_GE(static_cast<double>(equal_), 0.99 * static_cast<double>(all_));
  std::cout << "equal blocks: " << equal_ << " of " << all_ << "\n";
}

TEST_F(Gpu_Strips, HeadsHaveTheirOwnThresholdsAndOnlyThoseMeantAreChosen) {
  const Case c{6, 3, 128, 1280, 3000};
  const AttentionInput input = random_input(c);
  const std::vector<double> taus = {0.1, 0.5, 0.9, 0.95, 0.3, 0.7};
  const at::Tensor bytes = at::tensor({1, 0, 1}, at::kByte).to(device_);
  const std::vector<int> heads = elastic::testing::all_heads(input), meant = {0, 2};
  const auto decided =
      attention_backend(device_).choose_by_strips(input, {heads, bytes, 1}, rule_of(c, taus));
  if (!decided) GTEST_SKIP() << "no such kernel on this GPU";
  const auto listed =
      attention_backend(device_).choose_by_strips(input, {meant, {}, 1}, rule_of(c, taus));
  EXPECT_EQ(listed->heads, (std::vector<int>{0, 1, 4, 5}));
  const at::Tensor table = decided->table(), few = listed->table();
  for (std::size_t i = 0; i < listed->heads.size(); ++i) {
    const int head = listed->heads[i];
    Case own = c;
    own.tau = taus[static_cast<std::size_t>(head)];
    expect_head(input, *decided, table[head], head, own);
    EXPECT_TRUE(few[static_cast<std::int64_t>(i)].equal(table[head]));
  }
  for (const int head : {2, 3}) {
    EXPECT_EQ(decided->counts[head].sum().item<std::int64_t>(), 0) << "nobody asked";
  }
  EXPECT_GE(static_cast<double>(equal_), 0.99 * static_cast<double>(all_));
}

TEST_F(Gpu_Strips, WhatNoKernelTakesIsLeftToOthers) {
  const Case c{4, 2, 64, 0, 500};
  const AttentionInput input = random_input(c);
  AttentionInput wide = input;
  wide.q = input.q.to(at::kFloat), wide.k = input.k.to(at::kFloat);
  const std::vector<int> heads = elastic::testing::all_heads(input);
  const double tau[] = {0.9};
  const AttentionBackend& backend = attention_backend(device_);
  EXPECT_FALSE(backend.choose_by_strips(wide, {heads}, rule_of(c, tau)));
  EXPECT_FALSE(backend.choose_by_strips(input, {heads}, {{16, 64}, tau}));
  EXPECT_FALSE(backend.choose_by_strips(input, {heads}, {{32, 128}, tau}));
}

TEST_F(Gpu_Strips, EqualStoredMasks) {
  const std::filesystem::path folder = elastic::testing::golden_folder("attention");
  if (folder.empty()) GTEST_SKIP() << "golden folder absent: attention";
  constexpr double kMargin = 1e-3;  // rows nearer to a tie are left out
  int listed = 0, compared = 0;
  const Json manifest = read_json(folder / "manifest.json");
  for (const Json& entry : manifest.at("files")) {
    if (entry.at("method") != "xattention" || entry.at("params").at("block") != 128) continue;
    ++listed;
    const Json& params = entry.at("params");
    const SafetensorsFile file(folder / entry.at("file").get<std::string>());
    const auto there = [&](const char* name) {
      return elastic::testing::floats(file, name).to(device_, at::kBFloat16);
    };
    const AttentionInput input = elastic::testing::input_of(there("q"), there("k"), there("v"));
    const std::vector<int> heads = elastic::testing::all_heads(input);
    const double tau[] = {params.at("threshold").get<double>()};
    const std::vector<float> margins = float_values(file.at("margin"));
    for (const bool is_public : {false, true}) {
      const StripRule rule{{params.at("stride").get<std::int64_t>(), 128},
                           tau,
                           is_public ? XattentionRule::kPublic : XattentionRule::kExact,
                           params.at("chunk_size_official").get<std::int64_t>() / 128};
      const auto choice = attention_backend(device_).choose_by_strips(input, {heads}, rule);
      if (!choice) GTEST_SKIP() << "no such kernel on this GPU";
      const at::Tensor table = choice->table().cpu().flatten(0, 1).to(at::kByte).contiguous();
      const std::vector<std::int64_t> wanted =
          elastic::testing::integers(file.at(is_public ? "block_mask" : "block_mask_exact"));
      const std::int64_t blocks = table.size(1);
      for (std::int64_t row = 0; row < table.size(0); ++row) {
        if (margins.at(static_cast<std::size_t>(row)) < kMargin) continue;
        for (std::int64_t b = 0; b < blocks; ++b) {
          EXPECT_EQ(table[row][b].item<std::uint8_t>(),
                    wanted.at(static_cast<std::size_t>(row * blocks + b)))
              << entry.at("file") << (is_public ? " public" : " exact") << " row " << row;
        }
        ++compared;
      }
    }
  }
  if (listed == 0) GTEST_SKIP() << "no masks of 128 tokens in the manifest of attention";
  EXPECT_GT(compared, 0);
}

}  // namespace
}  // namespace elastic::engine
