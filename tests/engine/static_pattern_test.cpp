// Heads fixed by pattern files.

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "base/file.h"
#include "base/hash.h"
#include "engine/io/head_pattern.h"
#include "tests/engine/plan_context.h"
#include "tests/testing/folders.h"

namespace elastic::engine {
namespace {

using namespace plan_tests;

TEST(StaticPattern, StableTiesAndCounts) {
  const std::vector<double> gates = {1, 0.2, 1, 0, 0, 0.2};
  const auto text = [&](double sparsity) {
    std::string out;
    for (const std::uint8_t s : sparse_by_share(gates, sparsity)) out += s != 0 ? '1' : '0';
    return out;
  };
  EXPECT_EQ(text(0), "000000");
  EXPECT_EQ(text(0.2), "000010");  // ceil(0.2 * 5) = 1: of the two zeros the later one
  EXPECT_EQ(text(0.4), "000110");
  EXPECT_EQ(text(0.5), "000111");  // ceil(2.5) = 3: of the two 0.2 the later one
  EXPECT_EQ(text(0.99), "011111");
  EXPECT_EQ(text(1), "111111");
  EXPECT_EQ(sparse_by_threshold(gates, 0.2), (std::vector<std::uint8_t>{0, 0, 0, 1, 1, 0}));
}

TEST(StaticPattern, FilesDecidePerLayer) {
  const testing::TemporaryFolder folder;
  const std::string graded = (folder / "graded.tsv").string(),
                    binary = (folder / "binary.tsv").string();
  write_file_atomic(graded, "0.9\t-0.01\t1.2e0\n5e-1\t0.25\t0.75\n");
  write_file_atomic(binary, "1.0\t0.0\t1\n0\t0\t1\n\n");
  const AttentionPlan half =
      make_attention_plan("fa-ssa:pattern=" + graded + ",sparsity=0.5", context());
  EXPECT_FALSE(half.policy->needs_keys());
  EXPECT_EQ(half.policy->decide(0, {}).is_sparse, (std::vector<std::uint8_t>{0, 1, 0}));
  EXPECT_EQ(half.policy->decide(1, {}).is_sparse, (std::vector<std::uint8_t>{1, 1, 0}));
  EXPECT_EQ(make_attention_plan(half.describe(), context()).describe(), half.describe());
  const AttentionPlan cut =
      make_attention_plan("fa-ssa:pattern=" + graded + ",threshold=0.8", context());
  EXPECT_EQ(cut.policy->decide(1, {}).is_sparse, (std::vector<std::uint8_t>{1, 1, 1}));
  // A binary file is used as it is, whatever share is asked for.
  const AttentionPlan fixed =
      make_attention_plan("fa-ssa:pattern=" + binary + ",sparsity=0.9", context());
  EXPECT_EQ(fixed.policy->decide(0, {}).is_sparse, (std::vector<std::uint8_t>{0, 1, 0}));
  EXPECT_EQ(fixed.policy->decide(1, {}).is_sparse, (std::vector<std::uint8_t>{1, 1, 0}));
  EXPECT_NE(error_of("fa-ssa:pattern=" + graded, context(), ErrorKind::kInvalidArgument)
                .find("sparsity="),
            std::string::npos);
  error_of("fa-ssa:pattern=" + graded + ",sparsity=1.5", context(), ErrorKind::kInvalidArgument);
  error_of("fa-ssa:pattern=" + graded + ",sparsity=nan", context(), ErrorKind::kInvalidArgument);
}

TEST(StaticPattern, MalformedFilesAreNamed) {
  const testing::TemporaryFolder folder;
  const std::string path = (folder / "bad.tsv").string();
  for (const char* text : {"", "\n\n", "1\t2\n1\n", "1\tx\t0\n", "1\tnan\t0\n", "1\tinf\t0\n",
                           "1\t\t0\n", "1 0 1\n", "0\t1\t0\n", "0\t1\t0\t1\n0\t1\t0\t1\n"}) {
    write_file_atomic(path, text);
    const std::string message =
        error_of("fa-ssa:sparsity=0.5,pattern=" + path, context(), ErrorKind::kCorrupt);
    EXPECT_NE(message.find("bad.tsv"), std::string::npos) << message;
  }
}

TEST(StaticPattern, SharesAndThresholdsReachTheirBounds) {
  const testing::TemporaryFolder folder;
  const std::string path = (folder / "graded.tsv").string();
  write_file_atomic(path, "0.9\t0\t1\n0.5\t0.25\t0.75\n");
  const auto plan = [&](const std::string& options) {
    return make_attention_plan("fa-ssa:pattern=" + path + options, context());
  };
  EXPECT_EQ(plan(",sparsity=0").policy->decide(0, {}).is_sparse,
            (std::vector<std::uint8_t>{0, 0, 0}));
  EXPECT_EQ(plan(",sparsity=1").policy->decide(1, {}).is_sparse,
            (std::vector<std::uint8_t>{1, 1, 1}));
  EXPECT_EQ(plan(",threshold=1").policy->decide(0, {}).is_sparse,
            (std::vector<std::uint8_t>{1, 1, 0}));
  const std::string held = path + ",pattern_sha256=" + sha256_file(path).substr(0, 12);
  EXPECT_EQ(plan(",threshold=0.25").describe(),
            "fa-ssa:sink=128,local=2048,block=128,pattern=" + held + ",threshold=0.25,decode=full");
  EXPECT_EQ(plan(",sparsity=0.5").describe(),
            "fa-ssa:sink=128,local=2048,block=128,pattern=" + held + ",sparsity=0.5,decode=full");
  const std::string both = "fa-ssa:pattern=" + path + ",sparsity=0.5,threshold=0.5";
  const std::string wanted = ": " + path +
                             " holds graded gates; give sparsity=0..1 (share of streaming heads) "
                             "or threshold=0..1 (gates that count as full)";
  EXPECT_EQ(error_of(both, context(), ErrorKind::kInvalidArgument), "mode `" + both + "`" + wanted);
  PlanContext other = context();
  other.heads_kv = 2;
  EXPECT_EQ(error_of("fa-ssa:sparsity=1,pattern=" + path, other, ErrorKind::kCorrupt),
            path + ": 2 layers x 3 KV heads, but the model has 2 x 2");
  other = context();
  other.layers = 3;
  EXPECT_EQ(error_of("fa-ssa:sparsity=1,pattern=" + path, other, ErrorKind::kCorrupt),
            path + ": 2 layers x 3 KV heads, but the model has 3 x 3");
}

}  // namespace
}  // namespace elastic::engine
