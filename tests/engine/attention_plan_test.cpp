#include "engine/attention/attention_plan.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/zeros.h>
#include <gtest/gtest.h>

#include <fstream>
#include <numeric>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/file.h"
#include "base/hash.h"
#include "engine/attention/reference.h"
#include "engine/attention/registry.h"
#include "engine/io/head_pattern.h"
#include "tests/engine/plan_context.h"
#include "tests/testing/folders.h"
#include "tests/testing/tolerance.h"

namespace elastic::engine {
namespace {

using namespace plan_tests;

TEST(AttentionPlan, DescriptionsParseBack) {
  const std::vector<RouterWeights> routers = zero_routers();
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"fa", "fa"},
      {"ssa", "ssa:sink=128,local=2048,block=128,decode=full"},
      {" ssa:local=1k , sink=0 ", "ssa:sink=0,local=1024,block=128,decode=full"},
      {"ssa:block=1,sink=4,local=64,decode=sparse", "ssa:sink=4,local=64,block=1,decode=sparse"},
      {"ssa:block=1,prefill=streaming",
       "ssa:sink=128,local=2048,block=1,prefill=streaming,decode=full"},
      {"ssa:prefill=dense,decode=sparse",
       "ssa:sink=128,local=2048,prefill=dense,last=row,decode=sparse"},
      {"fa-ssa:prefill=chunked,local=1k",
       "fa-ssa:sink=128,local=1024,prefill=chunked,prefill_chunk=32768,last=row,decode=full"},
      {"fa-ssa", "fa-ssa:sink=128,local=2048,block=128,decode=full"},
      {"fa-ssa:decode=sparse,local=256", "fa-ssa:sink=128,local=256,block=128,decode=sparse"},
      {"xa", "xa:stride=16,tau=0.9,block=128,rule=exact"},
      {"xa:tau=0.80,stride=8,rule=public", "xa:stride=8,tau=0.80,block=128,rule=public"},
      {"fa-xa:block=64,rule=public,chunk=16k",
       "fa-xa:stride=16,tau=0.9,block=64,rule=public,chunk=16384"},
      {"xa-ssa:local=256",
       "xa-ssa:stride=16,tau=0.9,block=128,rule=exact,sink=128,local=256,decode=full"},
      {"routed", "fa-ssa:sink=128,local=2048,block=128,decode=full"}};
  for (const auto& [text, wanted] : cases) {
    const AttentionPlan plan = make_attention_plan(text, context(routers));
    EXPECT_EQ(plan.describe(), wanted);
    EXPECT_EQ(make_attention_plan(wanted, context(routers)).describe(), wanted);
  }
}

TEST(AttentionPlan, DefaultsComeFromTheCheckpoint) {
  PlanContext with = context();
  with.sink = 64;
  with.local = 1024;
  EXPECT_EQ(make_attention_plan("ssa", with).describe(),
            "ssa:sink=64,local=1024,block=128,decode=full");
  EXPECT_EQ(make_attention_plan("ssa:local=512", with).describe(),
            "ssa:sink=64,local=512,block=128,decode=full");
}

// What the routers were trained for is what `routed` means; other modes are said to be others.
TEST(AttentionPlan, TheConfigNamesTheRoutedModes) {
  const std::vector<RouterWeights> routers = zero_routers();
  PlanContext with = context(routers);
  const auto plan = [&](const char* mode) { return make_attention_plan(mode, with); };
  EXPECT_EQ(plan("fa-xa").note, "") << "nothing is known of this checkpoint";
  with.toggle_type = "xattn";
  EXPECT_EQ(plan("routed").name, "fa-xa");
  EXPECT_EQ(plan("fa-xa").note, "");
  EXPECT_NE(plan("fa-ssa").note.find("trained for fa-xa"), std::string::npos);
  EXPECT_EQ(plan("fa").note, "") << "no router decides";
  with.retrieval_mode = "full";
  EXPECT_EQ(plan("routed").name, "fa-xa");
  with.retrieval_mode = "xattn";
  EXPECT_EQ(plan("routed").name, "xa") << "both kinds of heads";
  with.toggle_type = "streaming";
  EXPECT_EQ(plan("routed:tau=0.8").describe(),
            "xa-ssa:stride=16,tau=0.8,block=128,rule=exact,sink=128,local=2048,decode=full");
  with.toggle_type = "triangle";
  EXPECT_NE(error_of("routed", with, ErrorKind::kUnsupported).find("`toggle_type` is `triangle`"),
            std::string::npos);
}

TEST(AttentionPlan, ThresholdsOfHeadsComeFromAFile) {
  const testing::TemporaryFolder folder;
  const std::string path = (folder / "tau.tsv").string();
  write_file_atomic(path, "0.1\t0.2\t0.3\t0.4\t0.5\t1\n0\t0\t0\t1\t1\t1\n");
  const AttentionPlan plan = make_attention_plan("xa:tau=" + path, context());
  EXPECT_EQ(plan.describe(), "xa:stride=16,tau=" + path + ",tau_sha256=" +
                                 sha256_file(path).substr(0, 12) + ",block=128,rule=exact");
  EXPECT_EQ(make_attention_plan(plan.describe(), context()).describe(), plan.describe());
  AttentionInput input{at::randn({kHeadsQ, 600, kDim}),
                       at::randn({kHeadsKv, 600, kDim}),
                       at::randn({kHeadsKv, 600, kDim}),
                       0,
                       0.25,
                       1};
  const std::vector<int> heads = {0, 1, 2};
  const BlockMask mask = plan.sparse->block_mask(input, heads);
  const auto blocks = [&](const HeadMask& head) { return head.block(4).size(); };
  EXPECT_EQ(blocks(mask.heads[0]), 2u) << "block 0 and the diagonal";
  EXPECT_EQ(mask.heads[5].block(4)[0].end, 600) << "everything";
  write_file_atomic(path, "0.1\t0.2\t0.3\n0\t0\t0\n");
  EXPECT_NE(error_of("xa:tau=" + path, context(), ErrorKind::kCorrupt).find("6 query heads"),
            std::string::npos);
}

TEST(AttentionPlan, BadModesAreErrorsThatHelp) {
  const std::vector<RouterWeights> routers = zero_routers();
  const PlanContext with = context(routers);
  const auto names = [](const std::string& text, const std::string& part) {
    EXPECT_NE(text.find(part), std::string::npos) << text;
  };
  names(error_of("fs", with, ErrorKind::kInvalidArgument), "fa-ssa");
  names(error_of("nosuch:topk=3", with, ErrorKind::kInvalidArgument), "known");
  names(error_of("", with, ErrorKind::kInvalidArgument), "ssa");
  names(error_of("fa:local=3", with, ErrorKind::kInvalidArgument), "local");
  names(error_of("ssa:locl=3", with, ErrorKind::kInvalidArgument), "local");
  names(error_of("ssa:local", with, ErrorKind::kInvalidArgument), "key=value");
  names(error_of("ssa:", with, ErrorKind::kInvalidArgument), "key=value");
  names(error_of("ssa:local=", with, ErrorKind::kInvalidArgument), "local=");
  names(error_of("ssa:local=0", with, ErrorKind::kInvalidArgument), "local=0");
  names(error_of("ssa:sink=-1", with, ErrorKind::kInvalidArgument), "sink=-1");
  names(error_of("ssa:sink=99999999999999999", with, ErrorKind::kInvalidArgument), "sink");
  names(error_of("ssa:block=64", with, ErrorKind::kInvalidArgument), "block=64");
  names(error_of("ssa:local=4,local=5", with, ErrorKind::kInvalidArgument), "twice");
  names(error_of("ssa:decode=maybe", with, ErrorKind::kInvalidArgument), "decode=maybe");
  names(error_of("fa-ssa:sparsity=0.5", with, ErrorKind::kInvalidArgument), "pattern");
  names(error_of("fa-ssa:pattern=/nowhere/x.tsv", with, ErrorKind::kInvalidArgument),
        "/nowhere/x.tsv");
  names(error_of("fa-ssa", context(), ErrorKind::kUnsupported), "router");
  names(error_of("xa:block=96", with, ErrorKind::kInvalidArgument), "block=96 has to divide 128");
  names(error_of("xa:block=8", with, ErrorKind::kInvalidArgument), "multiple of stride=16");
  names(error_of("xa:tau=1.5", with, ErrorKind::kInvalidArgument), "tau=1.5");
  names(error_of("xa:tau=/nowhere.tsv", with, ErrorKind::kInvalidArgument), "tau=/nowhere.tsv");
  names(error_of("xa:chunk=64", with, ErrorKind::kInvalidArgument), "chunk");
  names(error_of("xa:rule=fast", with, ErrorKind::kInvalidArgument), "rule=fast");
  names(error_of("ssa-fa", with, ErrorKind::kInvalidArgument), "leaves out no keys");
  names(error_of("fa-moba", with, ErrorKind::kInvalidArgument), "moba is a method for all heads");
  for (const char* name : {"fa-fa", "fa-", "-ssa", "fa-ssa-xa", "fa-nosuch"}) {
    names(error_of(name, with, ErrorKind::kInvalidArgument), "unknown mode");
  }
}

TEST(AttentionPlan, ListedPlansAreAllKnown) {
  const std::vector<RouterWeights> routers = zero_routers();
  const testing::TemporaryFolder model;  // with the patterns that some ask for
  PlanContext with = context(routers);
  with.folder = model.path();
  for (const PresetEntry& preset : presets()) {
    testing::write_file(model / preset.rule.in_model, "1\t0\t1\n0\t0\t1\n");
  }
  for (const PlanName& plan : list_plans()) {
    const std::string wanted = plan.name == "routed" ? "fa-ssa" : plan.name;
    EXPECT_EQ(make_attention_plan(plan.name, with).name, wanted);
    EXPECT_FALSE(plan.summary.empty());
  }
}

TEST(AttentionPlan, UniformAndRoutedDecisions) {
  const std::vector<RouterWeights> routers = zero_routers();
  const at::Tensor pooled = at::randn({kHeadsKv, kDim});
  EXPECT_EQ(make_attention_plan("fa", context()).policy->decide(0, {}).is_sparse,
            (std::vector<std::uint8_t>{0, 0, 0}));
  EXPECT_EQ(make_attention_plan("ssa", context()).policy->decide(1, {}).is_sparse,
            (std::vector<std::uint8_t>{1, 1, 1}));
  const AttentionPlan routed = make_attention_plan("fa-ssa", context(routers));
  EXPECT_TRUE(routed.policy->needs_keys());
  const HeadDecision decision = routed.policy->decide(1, pooled);
  EXPECT_EQ(decision.is_sparse, (std::vector<std::uint8_t>{1, 1, 1}));  // ties are sparse
  ASSERT_EQ(decision.router_logits.size(), 3u);
  EXPECT_EQ(decision.router_logits[2], (std::array<float, 2>{0, 0}));
}

TEST(AttentionPlan, MixedHeadsEqualEachHeadAlone) {
  // Spec 7.6, check 6: random types, all full, all streaming.
  const std::vector<RouterWeights> routers = zero_routers();
  const AttentionPlan plan = make_attention_plan("fa-ssa:sink=128,local=128", context(routers));
  const AttentionInput input{at::randn({kHeadsQ, 600, kDim}), at::randn({kHeadsKv, 600, kDim}),
                             at::randn({kHeadsKv, 600, kDim}), 0, 0.25};
  for (const std::vector<std::uint8_t>& types : std::vector<std::vector<std::uint8_t>>{
           {0, 0, 0}, {1, 1, 1}, {0, 1, 0}, {1, 0, 1}, {1, 1, 0}}) {
    HeadDecision decision;
    decision.is_sparse = types;
    at::Tensor out = at::randn({kHeadsQ, 600, kDim});
    attention_backend(at::kCPU).prefill(input, select_heads(plan, decision, input), out, nullptr);
    for (int kv = 0; kv < kHeadsKv; ++kv) {
      const HeadMode& mode =
          types[static_cast<std::size_t>(kv)] != 0 ? *plan.sparse : *plan.retrieval;
      const std::vector<int> alone = {kv};
      const at::Tensor wanted =
          reference_attention(input, alone, mode.block_mask(input, alone)).out;
      for (int h = 2 * kv; h < 2 * kv + 2; ++h) {
        EXPECT_LT((out[h].to(at::kDouble) - wanted[h]).abs().max().item<double>(),
                  testing::kAttentionFp32);
      }
    }
  }
}

TEST(AttentionPlan, ErrorsSayTheOptionAndWhatItMayBe) {
  const std::vector<RouterWeights> routers = zero_routers();
  const PlanContext with = context(routers);
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"ssa:local", "mode `ssa:local`: option `local` is not key=value"},
      {"ssa:sink=-1", "mode `ssa:sink=-1`: sink=-1 is not a whole number from 0 up"},
      {"ssa:local=", "mode `ssa:local=`: local= is not a whole number from 1 up"},
      {"ssa:local=0", "mode `ssa:local=0`: local=0 is not a whole number from 1 up"},
      {"ssa:sink=1099511627777",
       "mode `ssa:sink=1099511627777`: sink=1099511627777 is not a whole number from 0 up"},
      {"ssa:block=2", "mode `ssa:block=2`: block=2 is neither 128 (blocks) nor 1 (exact tokens)"},
      {"ssa:sink=1,local=4,sink=1", "mode `ssa:sink=1,local=4,sink=1`: `sink` is given twice"},
      {"ssa:prefill=no",
       "mode `ssa:prefill=no`: prefill=no is neither streaming, dense nor chunked"},
      {"ssa:prefill=dense",
       "mode `ssa:prefill=dense`: prefill=dense and decode=full leave out no keys; add "
       "decode=sparse"},
      {"ssa:prefill=dense,block=1,decode=sparse",
       "mode `ssa:prefill=dense,block=1,decode=sparse`: unknown option of `ssa` `block`; known: "
       "sink, local, prefill, last, decode"},
      {"ssa:prefill_chunk=64",
       "mode `ssa:prefill_chunk=64`: unknown option of `ssa` `prefill_chunk`; known: "
       "sink, local, prefill, block, decode"},
      {"ssa:decode=no", "mode `ssa:decode=no`: decode=no is neither full nor sparse"},
      {"ssa:blocks=1",
       "mode `ssa:blocks=1`: unknown option of `ssa` `blocks`; did you mean `block`? known: sink, "
       "local, prefill, block, decode"},
      {"fa:sink=3", "mode `fa:sink=3`: `fa` takes no options, but has `sink`"},
      {"fa-ssa:sparsity=1.01",
       "mode `fa-ssa:sparsity=1.01`: sparsity=1.01 is not a number from 0 to 1"},
      {"fa-ssa:threshold=-0.01",
       "mode `fa-ssa:threshold=-0.01`: threshold=-0.01 is not a number from 0 to 1"},
      {"fa-ssa:threshold=x", "mode `fa-ssa:threshold=x`: threshold=x is not a number from 0 to 1"},
      {"fa-ssa:threshold=0.5",
       "mode `fa-ssa:threshold=0.5`: sparsity and threshold apply to a pattern file; add "
       "pattern=FILE.tsv"},
      {"fa-ssa:pattern=/nowhere/x.tsv",
       "mode `fa-ssa:pattern=/nowhere/x.tsv`: pattern=/nowhere/x.tsv is no file; give the path of "
       "a pattern file"}};
  for (const auto& [mode, wanted] : cases) {
    EXPECT_EQ(error_of(mode, with, ErrorKind::kInvalidArgument), wanted);
  }
  EXPECT_EQ(
      error_of("fa-ssa:local=256", context(), ErrorKind::kUnsupported),
      "mode `fa-ssa:local=256` needs routers, which this checkpoint does not have: give "
      "--router DIR with routers trained for it (elastic-bench train router, "
      "docs/training.md), use a routed checkpoint, or fix the heads with fa-ssa:pattern=FILE.tsv");
  EXPECT_EQ(error_of("fa-ssa:locl=256", context(), ErrorKind::kInvalidArgument),
            "mode `fa-ssa:locl=256`: unknown option of `fa-ssa` `locl`; did you mean `local`? "
            "known: sink, local, prefill, block, decode, heads, pattern, sparsity, threshold");
}

TEST(AttentionPlan, SizesReachTheirBounds) {
  EXPECT_EQ(make_attention_plan("ssa:sink=1099511627776,local=1,block=1", context()).describe(),
            "ssa:sink=1099511627776,local=1,block=1,decode=full");
  PlanContext with = context();
  with.sink = -5;
  with.local = 0;
  EXPECT_EQ(make_attention_plan("ssa:decode=sparse", with).describe(),
            "ssa:sink=0,local=1,block=128,decode=sparse")
      << "a checkpoint's sizes that cannot be";
}

TEST(AttentionPlan, SizesThatAreRoundedAreSaid) {
  const auto note = [](const char* mode) { return make_attention_plan(mode, context()).note; };
  EXPECT_EQ(note("ssa:sink=1,local=256"),
            "mode `ssa:sink=1,local=256`: prefill works in blocks of 128 tokens, so sink=1 acts as "
            "128 and local=256 as 256; block=1 keeps exact tokens");
  EXPECT_EQ(note("ssa:sink=128,local=129"),
            "mode `ssa:sink=128,local=129`: prefill works in blocks of 128 tokens, so sink=128 "
            "acts as 128 and local=129 as 256; block=1 keeps exact tokens");
  EXPECT_EQ(note("ssa:sink=0,local=128"), "");
  EXPECT_EQ(note("ssa:sink=1,local=129,block=1"), "");
  EXPECT_EQ(note("fa"), "");
}

TEST(AttentionPlan, StepsSelectForBothKindsOfHeads) {
  const std::vector<RouterWeights> routers = zero_routers();
  const AttentionInput input{at::randn({kHeadsQ, 1, kDim}), at::randn({kHeadsKv, 40, kDim}),
                             at::randn({kHeadsKv, 40, kDim}), 39, 0.25};
  HeadDecision decision;
  decision.is_sparse = {0, 1, 0};
  for (const char* mode : {"quest-ssa:page=4,budget=8", "ssa-quest:page=4,budget=8"}) {
    const AttentionPlan plan = make_attention_plan(mode, context(routers));
    EXPECT_TRUE(plan.selects_in_decode());
    HeadState state;
    const std::vector<HeadGroup> groups = select_step(plan, decision, input, state).groups;
    ASSERT_EQ(groups.size(), 2u);
    const bool first = plan.retrieval->name() == "quest";
    EXPECT_EQ(groups[0].kv_heads, (std::vector<int>{0, 2}));
    EXPECT_EQ(groups[0].mask.dense, !first) << mode;
    EXPECT_EQ(groups[1].mask.dense, first) << mode;
  }
  EXPECT_FALSE(make_attention_plan("xa-ssa", context(routers)).selects_in_decode());
  EXPECT_TRUE(make_attention_plan("skip-xa", context(routers)).selects_in_decode());
}

// A mode without a window to decode in has no such option.
class Windowless final : public HeadMode {
 public:
  std::string_view name() const override { return "all"; }
  std::string describe() const override { return "all:of=them"; }
  ModePlaces places() const override { return {.prefill_mask = true}; }
};

TEST(AttentionPlan, DecodeIsDescribedWhereItCanBeCut) {
  AttentionPlan plan{.name = "x",
                     .policy = make_uniform(true, 1, 0),
                     .retrieval = nullptr,
                     .sparse = std::make_unique<Windowless>()};
  EXPECT_EQ(plan.describe(), "x:of=them");
  plan.retrieval = std::make_unique<Windowless>();
  EXPECT_EQ(plan.describe(), "x:of=them") << "an option of both is said once";
}

TEST(AttentionPlan, DecisionsThatDoNotFitAreRefused) {
  const AttentionInput input{at::zeros({kHeadsQ, 4, 8}), at::zeros({kHeadsKv, 4, 8}),
                             at::zeros({kHeadsKv, 4, 8}), 0, 1};
  const auto select = [&](const char* mode, const std::vector<std::uint8_t>& types) {
    HeadDecision decision;
    decision.is_sparse = types;
    return select_heads(make_attention_plan(mode, context()), decision, input).groups;
  };
  EXPECT_THROW(select("fa", {0, 0}), std::logic_error);
  EXPECT_THROW(select("fa", {0, 1, 0}), std::logic_error);
  EXPECT_THROW(select("ssa", {0, 1, 1}), std::logic_error);
  EXPECT_EQ(select("ssa", {1, 1, 1}).size(), 1u);
}

TEST(AttentionPlan, RoutersAreOneALayer) {
  const std::vector<RouterWeights> routers = zero_routers();
  const AttentionPlan plan = make_attention_plan("fa-ssa", context(routers));
  const at::Tensor pooled = at::randn({kHeadsKv, kDim});
  EXPECT_THROW(plan.policy->decide(-1, pooled), std::logic_error);
  EXPECT_THROW(plan.policy->decide(kLayers, pooled), std::logic_error);
  EXPECT_NO_THROW(plan.policy->decide(0, pooled));
  PlanContext fewer = context(routers);
  fewer.layers = kLayers + 1;
  EXPECT_THROW(make_attention_plan("fa-ssa", fewer), std::logic_error);
}

}  // namespace
}  // namespace elastic::engine
