// Where the readers of a run folder decide: the last note shown, the largest count believed.

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "runs/record_json.h"
#include "runs/run_reader.h"
#include "runs/run_store.h"
#include "tests/testing/folders.h"

namespace elastic::runs {
namespace {

using testing::TemporaryFolder;
using Strings = std::vector<std::string>;

std::string line(const std::string& key, const std::string& task) {
  return R"({"key": ")" + key + R"(", "mode": "fa", "task": ")" + task + R"(", "index": 0})" + "\n";
}

TEST(ReaderEdges, TwentyBadLinesAreNamedMoreAreCounted) {
  for (const std::size_t bad : {0UL, 1UL, 20UL, 21UL, 22UL}) {
    const TemporaryFolder folder;
    const std::filesystem::path file = folder / "samples.rank0.jsonl";
    std::string bytes;
    for (std::size_t i = 0; i < bad; ++i) bytes += "[]\n";
    write_file_atomic(file, bytes + line("k", "t"));
    Strings expected, notes;
    for (std::size_t i = 1; i <= std::min(bad, 20UL); ++i) {
      const std::string where = file.string() + ", line " + std::to_string(i);
      std::string why;
      try {
        record_from_json({parse_json("[]", where), where});
      } catch (const Error& error) {
        why = error.what();
      }
      expected.push_back(why + "; line passed over");
    }
    if (bad > 20) {
      expected.push_back(file.string() + ": " + std::to_string(bad) + " lines passed over in all");
    }
    const SampleFile read = read_sample_file(file, notes);
    EXPECT_EQ(notes, expected) << bad;
    EXPECT_EQ(read.records.size(), 1u);
    EXPECT_EQ(read.whole_bytes, static_cast<std::int64_t>(bytes.size() + line("k", "t").size()));
    EXPECT_EQ(read.torn_bytes, 0);
  }
}

TEST(ReaderEdges, TwentyCellsAreNamedMoreAreCounted) {
  for (const int cells : {1, 20, 21}) {
    const TemporaryFolder folder;
    write_file_atomic(folder / "run.json", R"({"schema_version": 1, "planned": {"fa|x|0": 2}})");
    std::string bytes;
    Strings expected;
    for (int i = 0; i < cells; ++i) {
      const std::string task = "t" + std::to_string(100 + i);
      bytes += line(task, task);
      if (i >= 20) continue;
      expected.push_back("fa|" + task +
                         "|0: 1 records of a cell that run.json does not plan, passed over");
    }
    if (cells > 20) {
      expected.emplace_back(
          "21 cells in all: records of a cell that run.json does not plan, passed over");
    }
    write_file_atomic(folder / "samples.rank0.jsonl", bytes);
    const RunData run = read_run(folder.path());
    EXPECT_EQ(run.notes, expected) << cells;
    EXPECT_EQ(run.folder, folder.path().string());
  }
}

TEST(ReaderEdges, CellsHoldAsManySamplesAsPlannedInSilence) {
  const TemporaryFolder folder;
  write_file_atomic(folder / "run.json", R"({"schema_version": 1, "planned": {"fa|x|0": 2}})");
  const auto bytes = [](int samples) {
    std::string text;
    for (int i = 0; i < samples; ++i) {
      text += dump_line({{"key", std::to_string(i)}, {"mode", "fa"}, {"task", "x"}, {"index", i}});
      text += "\n";
    }
    return text;
  };
  write_file_atomic(folder / "samples.rank0.jsonl", bytes(2));
  EXPECT_EQ(read_run(folder.path()).notes, Strings{});
  write_file_atomic(folder / "samples.rank0.jsonl", bytes(4));
  EXPECT_EQ(read_run(folder.path()).notes,
            Strings{"fa|x|0: 2 samples more than run.json plans; all count"});
}

TEST(ReaderEdges, SampleFilesComeByTheirNumbers) {
  const TemporaryFolder folder;
  for (const char* name :
       {"samples.rank10.jsonl", "samples.rank9.jsonl", "samples.rank0.jsonl",
        "samples.rank100.jsonl", "samples.rank2.jsonl", "samples.rank.jsonl", "sample.rank1.jsonl",
        "samples.rank1.json", "2.jsonl", "samples.rank3", "samples.rank4.jsonl.jsonl", "x.jsonl",
        ".jsonl", "samples.rank", "xamples.rank55.jsonl", "samples.rank55.jsonx"}) {
    write_file_atomic(folder / name, "");
  }
  Strings names;
  for (const auto& path : sample_files(folder.path())) names.push_back(path.filename().string());
  EXPECT_EQ(names, (Strings{"samples.rank0.jsonl", "samples.rank2.jsonl", "samples.rank9.jsonl",
                            "samples.rank10.jsonl", "samples.rank100.jsonl"}));
}

std::string error_of(const std::string& field) {
  try {
    record_from_json(
        {parse_json(R"({"key": "k", "mode": "m", "task": "t", "index": 0, )" + field + "}", "x"),
         "x"});
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

TEST(ReaderEdges, CountsSharesAndTimesAreBelievedUpToTheirEnds) {
  EXPECT_EQ(error_of(R"("length": 281474976710656)"), "");
  EXPECT_EQ(error_of(R"("length": 281474976710657)"), "x: key `length` is not a count (0 to 2^48)");
  EXPECT_EQ(error_of(R"("length": -1)"), "x: key `length` is not a count (0 to 2^48)");
  EXPECT_EQ(error_of(R"("score": 1, "msr": 0, "block_density": null)"), "");
  EXPECT_EQ(error_of(R"("score": 1.0001)"), "x: key `score` is not between 0 and 1");
  EXPECT_EQ(error_of(R"("score": -0.0001)"), "x: key `score` is not between 0 and 1");
  EXPECT_EQ(error_of(R"("decode_ms": 1e12)"), "");
  EXPECT_EQ(error_of(R"("decode_ms": 1.1e12)"),
            "x: key `decode_ms` is not between 0 and 1000000000000");
  for (const char* name : {"prefill_ms", "router_ms", "select_ms", "attention_ms", "ttft_ms",
                           "decode_ms", "later_prefill_ms"}) {
    EXPECT_NE(error_of("\"" + std::string(name) + "\": -1"), "") << name;
  }
  const auto lengths = [](const char* value) {
    const Json json =
        parse_json(R"({"schema_version": 1, "lengths": [)" + std::string(value) + "]}", "x");
    return spec_from_json({json, "x"}).lengths;
  };
  EXPECT_EQ(lengths("0, 281474976710656"), (std::vector<std::int64_t>{0, std::int64_t{1} << 48}));
  EXPECT_THROW(lengths("281474976710657"), Error);
  EXPECT_THROW(lengths("-1"), Error);
  EXPECT_THROW(lengths("1.5"), Error);
}

// Every field of a record, each with a value of its own, through JSON and back.
TEST(ReaderEdges, EveryFieldOfARecordRoundTrips) {
  SampleRecord r;
  r.key = "k", r.model = "demo", r.mode = "fa", r.task = "t";
  r.length = 1, r.index = 2, r.prompt_sha256 = "p", r.ids_sha256 = "i";
  r.prompt_tokens = 3, r.truncated_tokens = 4, r.prediction = "said", r.references = {"a", "b"};
  r.all_classes = {"c", "d"}, r.metric = "f1", r.score = 0.5, r.outcome = Outcome::kError,
  r.error = "why";
  r.msr = 0.25, r.esr_last_query = 0.1, r.esr_last_layer = 0.2, r.esr_all_layers = 0.3;
  r.block_density = 0.75, r.pv_density = 0.875, r.read_share = 1.125, r.fallback_share = 0.25,
  r.routing = {"01", "10"};
  r.prefill_ms = 11, r.router_ms = 12, r.select_ms = 13, r.attention_ms = 14, r.ttft_ms = 15;
  r.decode_ms = 16, r.output_tokens = 17, r.peak_bytes = 18, r.kv_bytes = 19;
  r.kv_bytes_full = 20, r.batch = 21, r.passes = 2, r.later_prefill_ms = 22;
  r.joules = 23.5;
  r.strata = {{"document", "x"}, {"needle_depth", "50"}};
  const std::string expected =
      R"({"key":"k","model":"demo","mode":"fa","task":"t","length":1,"index":2,"prompt_sha256":"p",)"
      R"("ids_sha256":"i","prompt_tokens":3,"truncated_tokens":4,"prediction":"said",)"
      R"("references":["a","b"],"metric":"f1","score":0.5,"outcome":"error","error":"why",)"
      R"("msr":0.25,"esr":{"last_query":0.1,"last_layer":0.2,"all_layers":0.3},)"
      R"("block_density":0.75,"pv_density":0.875,"read_share":1.125,"fallback_share":0.25,"routing":["01","10"],)"
      R"("prefill_ms":11.0,"router_ms":12.0,)"
      R"("select_ms":13.0,"attention_ms":14.0,"ttft_ms":15.0,"decode_ms":16.0,"output_tokens":17,)"
      R"("peak_bytes":18,"kv_bytes":19,"kv_bytes_full":20,"joules":23.5,"batch":21,"passes":2,)"
      R"("later_prefill_ms":22.0,"all_classes":["c","d"],)"
      R"("strata":{"document":"x","needle_depth":"50"}})"
      "\n";
  EXPECT_EQ(record_line(r), expected);
  const Json json = parse_json(expected, "x");
  EXPECT_EQ(record_line(record_from_json({json, "x"})), expected);
  r.passes = 1;
  EXPECT_EQ(record_line(r).find("passes"), std::string::npos) << "one pass is not spelt out";
  r.esr_last_query.reset(), r.esr_all_layers.reset();
  EXPECT_NE(record_line(r).find(R"("esr":{"last_query":null,"last_layer":0.2,"all_layers":null})"),
            std::string::npos);
  r.esr_last_layer.reset();
  EXPECT_NE(record_line(r).find(R"("esr":null)"), std::string::npos);
}

TEST(ReaderEdges, EveryFieldOfASpecRoundTrips) {
  RunSpec spec;
  spec.created = "now", spec.settings = {{"a", "1"}}, spec.environment = {{"b", "2"}};
  spec.modes = {"fa"}, spec.mode_options = {{"fa", "fa:x"}}, spec.tasks = {"t"};
  spec.lengths = {5}, spec.planned_samples = 6, spec.planned = {{{"fa", "t", 5}, 6}};
  spec.data_ids = {{{"t", 5}, "d"}}, spec.source_ids = {{"s", "h"}}, spec.licences = {{"s", "MIT"}};
  spec.categories = {{"t", "qa"}}, spec.templates = {{"t", "Read {context}\n"}};
  const std::string expected =
      R"({"schema_version":1,"created":"now","settings":{"a":"1"},"environment":{"b":"2"},)"
      R"("modes":["fa"],"mode_options":{"fa":"fa:x"},"tasks":["t"],"lengths":[5],)"
      R"("planned_samples":6,"planned":{"fa|t|5":6},"data_ids":{"t|5":"d"},)"
      R"("source_ids":{"s":"h"},"licences":{"s":"MIT"},"categories":{"t":"qa"},)"
      R"("templates":{"t":"Read {context}\n"}})";
  EXPECT_EQ(dump_line(spec_to_json(spec)), expected);
  const Json json = parse_json(expected, "x");
  EXPECT_EQ(dump_line(spec_to_json(spec_from_json({json, "x"}))), expected);
}

}  // namespace
}  // namespace elastic::runs
