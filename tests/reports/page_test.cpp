// What the page holds beside tables and figures: hashes of its scripts, samples as columns.

#include <gtest/gtest.h>

#include "base/file.h"
#include "base/hash.h"
#include "reports/render/html_parts.h"
#include "runs/prompt_store.h"
#include "tests/reports/sample_runs.h"

namespace elastic::reports {
namespace {

using runs::RunData;

// Bit by bit, six to a letter.
std::string base64_of(const std::string& hex) {
  std::string bits;
  for (const char c : hex) {
    const int value = std::stoi(std::string(1, c), nullptr, 16);
    for (const int bit : {8, 4, 2, 1}) bits += (value & bit) != 0 ? '1' : '0';
  }
  while (bits.size() % 6 != 0) bits += '0';
  std::string text;
  for (std::size_t at = 0; at < bits.size(); at += 6) {
    text += "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"[std::stoul(
        bits.substr(at, 6), nullptr, 2)];
  }
  while (text.size() % 4 != 0) text += '=';
  return text;
}

// The contents of the page's scripts that are no data.
std::vector<std::string> scripts_of(const std::string& html) {
  std::vector<std::string> scripts;
  const std::string open = "<script>", close = "</script>";
  for (std::size_t at = html.find(open); at != std::string::npos; at = html.find(open, at)) {
    at += open.size();
    scripts.push_back(html.substr(at, html.find(close, at) - at));
  }
  return scripts;
}

// What has no text of its own is named for those who do not see it.
TEST(Page, EveryControlIsNamed) {
  const ReportInput input = input_of(fixture_run());
  const std::string html = render_html(input, build_documents(input), "").bytes;
  int controls = 0;
  for (const char* open : {"<select", "<input", "role=\"region\""}) {
    for (std::size_t at = html.find(open); at != std::string::npos; at = html.find(open, at + 1)) {
      const std::string tag = html.substr(at, html.find('>', at) - at);
      EXPECT_TRUE(contains(tag, "aria-label=\"") || contains(tag, "aria-labelledby=\"")) << tag;
      ++controls;
    }
  }
  EXPECT_GT(controls, 10);
  EXPECT_FALSE(contains(html, "<div class=\"scroll\">")) << "what scrolls takes the focus";
}

TEST(Page, ItsScriptsAreTheOnesItsPolicyNames) {
  for (int i = 0; i < 20; ++i) {
    const std::string plotly = i == 0 ? "" : "var n = " + std::to_string(i) + ";  // <!-- </script";
    const std::string html = render_html({}, {}, plotly).bytes;
    const std::vector<std::string> scripts = scripts_of(html);
    ASSERT_EQ(scripts.size(), i == 0 ? 1u : 2u);
    std::string policy = "img-src data: blob:; script-src";
    for (const std::string& script : scripts) {
      policy += " 'sha256-" + base64_of(sha256_hex(script)) + "'";
    }
    EXPECT_TRUE(contains(html, policy + "\">")) << i;
  }
}

TEST(Page, FourLengthsAreListedOfMoreTheEnds) {
  const auto page = [](const std::vector<std::int64_t>& lengths) {
    RunData run;
    for (const std::int64_t length : lengths) {
      run.samples.push_back(make_sample("fa", "ruler/a", length, 0, 1));
    }
    return render_html(input_of(std::move(run)), {}, "").bytes;
  };
  EXPECT_TRUE(contains(page({1024, 2048, 4096, 8192}), "<b>1k, 2k, 4k, 8k</b>"));
  EXPECT_TRUE(contains(page({1024, 2048, 4096, 8192, 16384}), "<b>1k – 16k</b>"));
}

// Texts share 6 MiB: of 5242 samples each may have 1200 bytes, of 5243 one less.
TEST(Page, TextsShareTheirBudget) {
  const auto shown = [](std::size_t samples, const std::string& prediction) {
    RunData run;
    for (std::size_t i = 0; i < samples; ++i) {
      run.samples.push_back(make_sample("fa", "a", 0, static_cast<std::int64_t>(i), 1));
      run.samples.back().routing.clear();
    }
    run.samples[0].prediction = prediction;
    return samples_json(input_of(std::move(run)));
  };
  const std::string text(1300, 'x');
  EXPECT_EQ(shown(1, text)["prediction"][0].get<std::string>().size(), 1200u);
  EXPECT_EQ(shown(5242, text)["prediction"][0].get<std::string>().size(), 1200u);
  EXPECT_EQ(shown(5243, text)["prediction"][0].get<std::string>().size(), 1199u);
  EXPECT_EQ(shown(1, text.substr(0, 1200))["cut"][0], 0);
  EXPECT_EQ(shown(1, text.substr(0, 1201))["cut"][0], 1);
  EXPECT_EQ(shown(1, text.substr(0, 1200))["prediction"][0].get<std::string>().size(), 1200u);
  EXPECT_EQ(shown(1, std::string(1300, '\x80'))["prediction"][0], "") << "no letter begins in it";
}

TEST(Page, EverySampleIsAColumnsEntry) {
  RunData run;
  for (int i = 0; i < 2; ++i) {
    run.samples.push_back(make_sample(i == 0 ? "fa" : "ssa", "ruler/a", 1024, i, 0.5));
    runs::SampleRecord& r = run.samples.back();
    r.prompt_sha256 = "0123456789abcdefgh";
    r.prediction = "p" + std::to_string(i);
    r.references = {"r", "s"};
    r.ttft_ms = 7;
    r.prompt_tokens = 8;
    r.truncated_tokens = 9;
    r.output_tokens = 10;
    if (i == 0) r.strata["needle_depth"] = " 12.5 ";
    if (i == 1) r.strata["language"] = "en";
    if (i == 1) r.strata["needle_depth"] = "1,2", r.error = "why", r.routing.clear();
    if (i == 1)
      r.outcome = runs::Outcome::kOom, r.score.reset(), r.msr.reset(), r.prefill_ms.reset();
  }
  run.folder = "runs/name";
  EXPECT_EQ(
      samples_json(input_of(std::move(run))).dump(),
      R"({"run":[0,0],"model":[0,0],"mode":[0,1],"task":[0,0],"outcome":[0,1],)"
      R"("length":[1024,1024],"index":[0,1],"score":[0.5,null],"msr":[0.5,null],)"
      R"("prefill":[10.0,null],"ttft":[7.0,7.0],"depth":[12.5,null],"tokens":[8,8],)"
      R"("truncated":[9,9],"output":[10,10],"prompt":["0123456789abcdef","0123456789abcdef"],)"
      R"("prediction":["p0","p1"],"cut":[0,0],"references":["r | s","r | s"],)"
      R"("error":[null,"why"],"routing":[0,null],"strata":[[],[0]],"prompts":{},"runs":["name"],)"
      R"("models":["m"],"modes":["fa","ssa"],"tasks":["ruler/a"],"outcomes":["ok","oom"],)"
      R"("routings":["01/11"],"stratum_names":["language=en"]})");
}

// Prompts kept beside the run: short ones whole, long ones from both ends, damaged ones as a fault.
TEST(Page, StoredPromptsAreInTheDrillDown) {
  const testing::TemporaryFolder folder;
  RunData run;
  run.folder = folder.path().string();
  const std::string lines(9000, 'x');
  const std::vector<std::string> texts{"short", "begin " + lines + " end", "damaged", "not kept"};
  for (const std::string& text : texts) {
    run.samples.push_back(make_sample("fa", "a", 0, 0, 1));
    run.samples.back().prompt_sha256 = sha256_hex(text);
    if (text != "not kept") runs::write_prompt(folder.path(), sha256_hex(text), text);
  }
  write_file_atomic(folder / "prompts" / (sha256_hex("damaged") + ".zst"), "no frame");
  const Json prompts = samples_json(input_of(std::move(run)))["prompts"];
  const auto key = [](const std::string& text) { return sha256_hex(text).substr(0, 16); };
  EXPECT_EQ(prompts.size(), 3u);
  EXPECT_EQ(prompts[key("short")].dump(), R"({"bytes":5,"head":"short","tail":""})");
  const Json& cut = prompts[key(texts[1])];
  EXPECT_EQ(cut["bytes"], 9010);
  EXPECT_EQ(cut["head"], texts[1].substr(0, 1000));
  EXPECT_EQ(cut["tail"], texts[1].substr(texts[1].size() - 2000));
  EXPECT_TRUE(contains(prompts[key("damaged")]["fault"].get<std::string>(), "no zstd frame"));
}

}  // namespace
}  // namespace elastic::reports
