#include "engine/api/result_json.h"

#include <gtest/gtest.h>

namespace elastic::engine {
namespace {

TEST(ResultJson, TextIsNullWithoutATokenizer) {
  Result result;
  result.ids = {5, 6};
  result.text = "ab";
  result.finish = Finish::kStop;
  result.timing.ttft_ms = 1.5;
  const Json json = result_json(result, 7, true);
  EXPECT_EQ(json.at("ids"), Json({5, 6}));
  EXPECT_EQ(json.at("text"), "ab");
  EXPECT_EQ(json.at("prompt_tokens"), 7);
  EXPECT_EQ(json.at("finish"), "stop");
  EXPECT_EQ(json.at("timing").at("ttft_ms"), 1.5);
  EXPECT_TRUE(result_json(result, 7, false).at("text").is_null());
  EXPECT_TRUE(json.at("joules").is_null()) << "not counted";
  result.joules = 2.5;
  EXPECT_EQ(result_json(result, 7, true).at("joules"), 2.5);
}

TEST(ResultJson, LogitsAreNullWhereNoRouterDecides) {
  Trace trace;
  trace.routing = {"01", "1"};
  trace.router_logits = {{{0.5F, 1.0F}, {2.0F, 0.25F}}};
  const Json layers = trace_json(trace).at("layers");
  ASSERT_EQ(layers.size(), 2u);
  EXPECT_EQ(layers[0].at("is_sparse"), Json({0, 1}));
  EXPECT_EQ(layers[0].at("router_logits")[1][0], 2.0);
  EXPECT_EQ(layers[1].at("is_sparse"), Json::array({1}));
  EXPECT_TRUE(layers[1].at("router_logits").is_null());
  EXPECT_TRUE(trace_json(trace).at("pv_density").is_null()) << "nothing is passed over";
  EXPECT_TRUE(trace_json(trace).at("read_share").is_null()) << "no step was taken";
  trace.pv_density = 0.5;
  trace.read_share = 0.25;
  trace.fallback_share = 0.5;
  EXPECT_EQ(trace_json(trace).at("read_share"), 0.25);
  EXPECT_EQ(trace_json(trace).at("fallback_share"), 0.5);
  EXPECT_EQ(trace_json(trace).at("pv_density"), 0.5);
}

}  // namespace
}  // namespace elastic::engine
