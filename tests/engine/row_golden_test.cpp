// Stored results of the methods that rank blocks for each row: MoBA and InfLLM-V2, those of
// golden/attention and our own small ones.

#include <ATen/TensorOperators.h>
#include <ATen/ops/tensor.h>
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <set>
#include <string>
#include <vector>

#include "base/json.h"
#include "engine/io/safetensors.h"
#include "tests/engine/golden_counts.h"
#include "tests/engine/modes.h"
#include "tests/engine/skip_run.h"
#include "tests/engine/stored_tensors.h"
#include "tests/testing/folders.h"

namespace elastic::testing {
namespace {

using engine::AttentionInput;
using engine::SafetensorsFile;

struct RowCase {
  const SafetensorsFile& file;
  const Json& entry;

  std::string name() const { return entry.at("file").get<std::string>(); }
  std::int64_t number(const char* key) const {
    return entry.at("params").at(key).get<std::int64_t>();
  }
  double tolerance(at::ScalarType type) const {
    return entry.at("tolerance").at(type == at::kFloat ? "fp32_abs" : "bf16_abs").get<double>();
  }
  AttentionInput input(at::ScalarType type) const {
    return input_of(floats(file, "q").to(type), floats(file, "k").to(type),
                    floats(file, "v").to(type));
  }
};

// Blocks that the row at position p sees whole, up to p.
std::set<std::int64_t> blocks_of_row(const engine::BlockMask& mask, std::int64_t h, std::int64_t p,
                                     std::int64_t block) {
  std::set<std::int64_t> seen;
  for (std::int64_t b = 0; b * block <= p; ++b) {
    std::int64_t keys = 0;
    const std::int64_t end = std::min((b + 1) * block, p + 1);
    for (std::int64_t j = b * block; j < end; ++j) keys += is_visible(mask, h, p, j) ? 1 : 0;
    EXPECT_TRUE(keys == 0 || keys == end - b * block) << "row " << p << " sees a part of " << b;
    if (keys > 0) seen.insert(b);
  }
  return seen;
}

// Selections of all rows, `stored(head of the file, row)`, and outputs of those that were stored.
// Returns how many rows lie nearer to a tie than fp32 can tell.
template <typename Stored>
int expect_rows(const RowCase& c, const AttentionInput& input, const engine::HeadGroups& groups,
                std::int64_t block, const Stored& stored) {
  constexpr double kMargin = 1e-5;
  const at::Tensor margins = floats(c.file, "margin");
  const std::int64_t rows = input.q.size(1), share = input.q.size(0) / margins.size(0);
  int near_ties = 0;
  for (std::int64_t h = 0; h < input.q.size(0); ++h) {
    for (std::int64_t row = 0; row < rows; ++row) {
      if (margins[h / share][row].item<double>() < kMargin) {
        ++near_ties;
        continue;
      }
      EXPECT_EQ(blocks_of_row(groups.groups[0].mask, h, input.q_start + row, block),
                stored(h / share, row))
          << c.name() << " head " << h << " row " << row;
    }
  }
  const Computed got = compute(input, groups);
  const at::Tensor picked = at::tensor(integers(c.file.at("rows")));
  const double difference = (got.out.to(at::kFloat).index_select(1, picked) - floats(c.file, "out"))
                                .abs()
                                .max()
                                .item<double>();
  EXPECT_LE(difference, c.tolerance(input.q.scalar_type())) << c.name();
  return near_ties / static_cast<int>(share);
}

int check_moba(const RowCase& c, at::ScalarType type) {
  const std::int64_t chunk = c.number("chunk");
  const AttentionInput input = c.input(type);
  const at::Tensor selected =
      at::tensor(integers(c.file.at("selected"))).view(c.file.at("selected").shape);
  const std::string text = fmt::format("moba:chunk={},topk={}", chunk, c.number("topk"));
  return expect_rows(c, input, groups_of(text, input), chunk,
                     [&](std::int64_t h, std::int64_t row) {
                       std::set<std::int64_t> blocks;
                       for (std::int64_t b = 0; b < selected.size(2); ++b) {
                         if (selected[h][row][b].item<std::int64_t>() != 0) blocks.insert(b);
                       }
                       return blocks;
                     });
}

// Block numbers, -1 where a row has fewer.
std::set<std::int64_t> listed_blocks(const SafetensorsFile& file, const std::string& name,
                                     std::int64_t head, std::int64_t row) {
  const engine::TensorView& view = file.at(name);
  const std::vector<std::int64_t> values = integers(view);
  const auto width = static_cast<std::size_t>(view.shape.at(2));
  const std::size_t first = static_cast<std::size_t>(head * view.shape.at(1) + row) * width;
  std::set<std::int64_t> blocks(values.begin() + static_cast<std::ptrdiff_t>(first),
                                values.begin() + static_cast<std::ptrdiff_t>(first + width));
  blocks.erase(-1);
  return blocks;
}

int check_infllm(const RowCase& c, at::ScalarType type) {
  const std::int64_t block = c.number("block");
  const AttentionInput input = c.input(type);
  const std::string text = fmt::format(
      "infllm2:kernel={},stride={},coarse={},coarse_stride={},block={},init={},local={},topk={},"
      "dense_len=0,rounding=public",
      c.number("kernel"), c.number("stride"), c.number("kernel_lse"), c.number("stride_lse"), block,
      c.number("init_blocks"), c.number("local_blocks_param") * block, c.number("topk_total"));
  const engine::HeadGroups groups =
      input.q.size(1) == 1 ? step_groups(text, input) : groups_of(text, input);
  return expect_rows(c, input, groups, block, [&](std::int64_t h, std::int64_t row) {
    return listed_blocks(c.file, "topk_idx", h, row);
  });
}

template <int (*check)(const RowCase&, at::ScalarType)>
int in_both_types(const SafetensorsFile& file, const Json& entry) {
  for (const at::ScalarType type : {at::kFloat, at::kBFloat16}) {
    EXPECT_LE(check({file, entry}, type), entry.value("tied_rows", 0))
        << "near ties of " << entry.at("file");
  }
  return 1;
}

const Checks kRowChecks = {{"moba", in_both_types<check_moba>},
                           {"infllmv2", in_both_types<check_infllm>}};

TEST(Golden_attention, RowBlocks) { check_golden("attention", kRowChecks); }

TEST(RowBlocks, OwnFolder) {
  const Counts wanted = {{"moba", 1}, {"infllmv2", 2}};
  EXPECT_EQ(check_listed(fixture("row_blocks"), kRowChecks), wanted);
}

}  // namespace
}  // namespace elastic::testing
