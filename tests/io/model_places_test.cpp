// Words that stand for models and modes, and the one rule of prefill's chunks.

#include <gtest/gtest.h>

#include <cstdlib>

#include "base/error.h"
#include "base/file.h"
#include "engine/api/hub_cache.h"
#include "engine/api/mode_list.h"
#include "engine/config/memory_estimate.h"
#include "tests/testing/folders.h"

namespace elastic::engine {
namespace {

namespace fs = std::filesystem;

TEST(ModeList, OptionsStayWithTheirMode) {
  EXPECT_EQ(split_modes("fa,ssa:sink=128,local=2048,fa-ssa"),
            (std::vector<std::string>{"fa", "ssa:sink=128,local=2048", "fa-ssa"}));
  EXPECT_EQ(split_modes(" fa , ssa "), (std::vector<std::string>{"fa", "ssa"}));
  EXPECT_EQ(split_modes("ssa,local=5"), (std::vector<std::string>{"ssa:local=5"}));
  EXPECT_TRUE(split_modes("").empty());
  EXPECT_THROW(split_modes("local=5,fa"), Error);
}

TEST(ModeList, NamesWithoutTheirOptions) {
  EXPECT_EQ(mode_name("fa-ssa:local=256"), "fa-ssa");
  EXPECT_EQ(mode_name("fa"), "fa");
  EXPECT_TRUE(has_two_modes("fa-ssa:local=256"));
  EXPECT_FALSE(has_two_modes("ssa:pattern=a-b.tsv"));
  EXPECT_FALSE(has_two_modes("oracle-topk:k=64"));
  EXPECT_TRUE(router_decides("fa-ssa:local=256"));
  EXPECT_FALSE(router_decides("fa-ssa:heads=random,sparsity=.5"));
  EXPECT_FALSE(router_decides("ssa"));
  EXPECT_TRUE(has_fixed_heads("fa-ssa:local=256,pattern=a.tsv"));
  EXPECT_TRUE(has_fixed_heads("fa-ssa:heads=random"));
  EXPECT_FALSE(has_fixed_heads("fa-ssa:local=256"));
  EXPECT_FALSE(has_fixed_heads("fa-ssa"));
}

TEST(HubCache, IdsHaveTwoWords) {
  for (const char* id : {"Qwen/Qwen3-4B", "a/b", "Org_1/x.y-Z0"}) EXPECT_TRUE(is_hub_id(id)) << id;
  for (const char* id : {"", "Qwen", "/b", "a/", "a/b/c", ".a/b", "a/.b", "a/b..c", "../a", "a b/c",
                         "ä/b", "a/b\n"}) {
    EXPECT_FALSE(is_hub_id(id)) << id;
  }
}

TEST(HubCache, TheSnapshotThatMainNames) {
  const testing::TemporaryFolder folder;
  ASSERT_EQ(::setenv("HF_HUB_CACHE", folder.path().c_str(), 1), 0);
  const fs::path model = folder / "models--Org--Tiny-1B";
  EXPECT_EQ(find_in_hub_cache("Org/Tiny-1B").looked, model);
  EXPECT_TRUE(find_in_hub_cache("Org/Tiny-1B").folder.empty()) << "nothing there";
  create_folders(model / "refs");
  write_file_atomic(model / "refs/main", " 0a1b\n");
  EXPECT_TRUE(find_in_hub_cache("Org/Tiny-1B").folder.empty()) << "no snapshot";
  create_folders(model / "snapshots/0a1b");
  EXPECT_EQ(find_in_hub_cache("Org/Tiny-1B").folder, model / "snapshots/0a1b");
  write_file_atomic(model / "refs/main", "../../etc");
  EXPECT_THROW(find_in_hub_cache("Org/Tiny-1B"), Error);
  ::unsetenv("HF_HUB_CACHE");
}

TEST(HubCache, NamesOfModels) {
  EXPECT_EQ(model_name("/x/models/Qwen3-4B"), "Qwen3-4B");
  EXPECT_EQ(model_name("/x/models--Org--Tiny-1B/snapshots/0a1b"), "Tiny-1B");
  EXPECT_EQ(model_name("/x/models--Org--Tiny-1B/other/0a1b"), "0a1b");
  EXPECT_EQ(model_name("/x/Org/snapshots/0a1b"), "0a1b");
}

// Qwen3-8B: hidden 4096, intermediate 12288, 32 query heads of 128.
TEST(PrefillMemory, RowsFitTheBudget) {
  PrefillShape shape{
      .hidden = 4096, .intermediate = 12288, .q_width = 4096, .element_bytes = 2, .cpu = false};
  // A row takes 2 * (8192 + 36864 + 12288) = 114688 bytes; 2 GiB hold 18724 rows.
  EXPECT_EQ(prefill_chunk_rows(shape), 8192) << "at most";
  shape.element_bytes = 4, shape.cpu = true;  // 512 MiB hold 2340 rows
  EXPECT_EQ(prefill_chunk_rows(shape), 2048);
  shape.intermediate = 1 << 20;
  EXPECT_EQ(prefill_chunk_rows(shape), 1024) << "at least";
  // A row of 1 MiB fits 2048 times into 2 GiB, one byte more a time less; 256 KiB into 512 MiB.
  for (const auto& [hidden, intermediate, cpu, rows] : {std::tuple(1 << 19, 0, false, 2048),
                                                        {(1 << 19) - 1, 1, false, 1024},
                                                        {1 << 17, 0, true, 2048},
                                                        {(1 << 17) - 1, 1, true, 1024}}) {
    EXPECT_EQ(prefill_chunk_rows(
                  {.hidden = hidden, .intermediate = intermediate, .element_bytes = 1, .cpu = cpu}),
              rows);
  }
  EXPECT_EQ(prefill_chunk_rows({.hidden = 8, .intermediate = 8, .q_width = 8}), 8192) << "at most";
}

TEST(PrefillMemory, BytesAreThoseOfTheLargerHalf) {
  const PrefillShape wide{
      .hidden = 10, .intermediate = 100, .q_width = 20, .element_bytes = 2, .cpu = false};
  EXPECT_EQ(prefill_chunk_bytes(wide, 3), 3 * 2 * (10 + 300)) << "MLP";
  PrefillShape narrow{.hidden = 10,
                      .intermediate = 1,
                      .q_width = 20,
                      .kv_width = 5,
                      .element_bytes = 2,
                      .cpu = false};
  EXPECT_EQ(prefill_chunk_bytes(narrow, 3), 3 * 2 * (10 + 40 + 10)) << "attention";
  narrow.norms_heads = true;
  EXPECT_EQ(prefill_chunk_bytes(narrow, 3), 3 * 2 * (10 + 60 + 15)) << "queries and keys twice";
}

}  // namespace
}  // namespace elastic::engine
