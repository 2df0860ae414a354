// RULER's generators in numbers: the table of tasks, what a search tries, the files that data are
// made from, records as Python writes them, requests at their bounds.

#include <gtest/gtest.h>

#include <fmt/format.h>

#include "base/error.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/python_random.h"
#include "engine/api/chat_template.h"
#include "tasks/ruler/generate.h"
#include "tests/tasks/training_documents.h"
#include "tests/testing/folders.h"

namespace elastic::tasks {
namespace {

const RulerProfile& profile_of(const std::string& name) {
  static std::map<std::string, std::unique_ptr<RulerProfile>> kept;
  auto& entry = kept[name];
  if (!entry) entry = make_ruler_profile(name, testing::fixture("ruler/data"), "");
  return *entry;
}

GenerateRequest request_of(const std::string& task, std::int64_t length, std::int64_t count = 1) {
  return {.task = task, .length = length, .count = count, .counter = whitespace_counter()};
}

std::string refusal(const std::function<void()>& act) {
  try {
    act();
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

TEST(RulerRules, TasksAreUpstreams) {
  std::string table = "\n";
  for (const RulerConfig& c : ruler_configs()) {
    table += fmt::format("{} {} {} {} {} | {} {} {} | {} {} {} {}\n", c.name, c.base, c.category,
                         c.metric, c.budget, static_cast<int>(c.haystack), static_cast<int>(c.key),
                         static_cast<int>(c.value), c.keys, c.values, c.asked,
                         static_cast<int>(c.questions));
  }
  EXPECT_EQ(table, R"(
niah_single_1 niah retrieval string_match_all 128 | 0 0 1 | 1 1 1 0
niah_single_2 niah retrieval string_match_all 128 | 1 0 1 | 1 1 1 0
niah_single_3 niah retrieval string_match_all 128 | 1 0 2 | 1 1 1 0
niah_multikey_1 niah retrieval string_match_all 128 | 1 0 1 | 4 1 1 0
niah_multikey_2 niah retrieval string_match_all 128 | 2 0 1 | 1 1 1 0
niah_multikey_3 niah retrieval string_match_all 128 | 2 2 2 | 1 1 1 0
niah_multivalue niah retrieval string_match_all 128 | 1 0 1 | 1 4 1 0
niah_multiquery niah retrieval string_match_all 128 | 1 0 1 | 4 1 4 0
vt variable_tracking tracing string_match_all 30 | 0 0 1 | 1 1 1 0
cwe common_words_extraction aggregation string_match_all 120 | 0 0 1 | 1 1 1 0
fwe freq_words_extraction aggregation string_match_all 50 | 0 0 1 | 1 1 1 0
qa_1 qa qa string_match_part 32 | 0 0 1 | 1 1 1 0
qa_2 qa qa string_match_part 32 | 0 0 1 | 1 1 1 1
)");
}

// Lines, trials and sizes of every generator about the length where upstream's steps change.
TEST(RulerRules, SearchesTryWhatTheyAlwaysTried) {
  std::string all;
  for (const char* name : {"ruler@gen-a", "ruler@gen-b", "ruler@builtin"}) {
    for (const char* task : {"niah_single_1", "niah_single_2", "niah_multikey_2", "niah_multiquery",
                             "vt", "cwe", "fwe", "qa_1"}) {
      for (const std::int64_t length : {1500, 4095, 4096}) {
        GenerateRequest wanted = request_of(task, length);
        wanted.remove_newline_tab = length == 1500;
        const GeneratedSet set = generate_ruler(wanted, profile_of(name));
        all += fmt::format("{} {} {}\n", name, task, set.data_id);
        for (const auto& [size, tokens] : set.trace.probes)
          all += fmt::format("{}:{} ", size, tokens);
        for (const std::int64_t size : set.trace.sizes) all += fmt::format("{} ", size);
      }
    }
  }
  EXPECT_EQ(sha256_hex(all).substr(0, 16), "3cce43ecd25963fd");
}

TEST(RulerRules, TooShortLengthsNameTheSmallest) {
  std::string all = "\n";
  for (const char* name : {"ruler@gen-a", "ruler@gen-b", "ruler@builtin"}) {
    for (const char* task : {"niah_single_1", "niah_multikey_3", "vt", "cwe", "fwe", "qa_1"}) {
      all += refusal([&] { generate_ruler(request_of(task, 40), profile_of(name)); }) + "\n";
    }
  }
  EXPECT_EQ(all, R"(
ruler@gen-a: length 40 is too short for niah_single_1 (128 tokens of it are the answer budget); the smallest that works here is 230
ruler@gen-a: length 40 is too short for niah_multikey_3 (128 tokens of it are the answer budget); the smallest that works here is 195
ruler@gen-a: length 40 is too short for vt (30 tokens of it are the answer budget); the smallest that works here is 634
ruler@gen-a: length 40 is too short for cwe (120 tokens of it are the answer budget); the smallest that works here is 383
ruler@gen-a: length 40 is too short for fwe (50 tokens of it are the answer budget); the smallest that works here is 200
ruler@gen-a: length 40 is too short for qa_1 (32 tokens of it are the answer budget); the smallest that works here is 297
ruler@gen-b: length 40 is too short for niah_single_1 (128 tokens of it are the answer budget); the smallest that works here is 230
ruler@gen-b: length 40 is too short for niah_multikey_3 (128 tokens of it are the answer budget); the smallest that works here is 195
ruler@gen-b: length 40 is too short for vt (30 tokens of it are the answer budget); the smallest that works here is 655
ruler@gen-b: length 40 is too short for cwe (120 tokens of it are the answer budget); the smallest that works here is 384
ruler@gen-b: length 40 is too short for fwe (50 tokens of it are the answer budget); the smallest that works here is 250
ruler@gen-b: length 40 is too short for qa_1 (32 tokens of it are the answer budget); the smallest that works here is 293
ruler@builtin: length 40 is too short for niah_single_1 (128 tokens of it are the answer budget); the smallest that works here is 182
ruler@builtin: length 40 is too short for niah_multikey_3 (128 tokens of it are the answer budget); the smallest that works here is 171
ruler@builtin: length 40 is too short for vt (30 tokens of it are the answer budget); the smallest that works here is 185
ruler@builtin: length 40 is too short for cwe (120 tokens of it are the answer budget); the smallest that works here is 279
ruler@builtin: length 40 is too short for fwe (50 tokens of it are the answer budget); the smallest that works here is 250
ruler@builtin: length 40 is too short for qa_1 (32 tokens of it are the answer budget); the smallest that works here is 120
)");
}

TEST(RulerRules, RequestsEndAtTheirBounds) {
  const RulerProfile& profile = profile_of("ruler@gen-b");
  EXPECT_EQ(refusal([&] { generate_ruler(request_of("vt", 0), profile); }),
            "length 0: expected 1 to 16777216 tokens");
  EXPECT_EQ(refusal([&] { generate_ruler(request_of("vt", (1 << 24) + 1), profile); }),
            "length 16777217: expected 1 to 16777216 tokens");
  GenerateRequest longest = request_of("niah_single_1", 1 << 24);
  longest.counter.count = [](std::string_view text) {
    return static_cast<std::int64_t>(text.size()) * 1000;
  };
  EXPECT_EQ(refusal([&] { generate_ruler(longest, profile); }), "no error");
  GenerateRequest seeded = request_of("vt", 1024);
  seeded.seed = 0xffffffff;
  EXPECT_EQ(refusal([&] { generate_ruler(seeded, profile); }), "no error");
}

TEST(RulerRules, SourcesAreThoseOfTheTask) {
  std::string all = "\n";
  for (const char* name : {"ruler@gen-a", "ruler@gen-b", "ruler@builtin"}) {
    for (const char* task : {"niah_single_1", "niah_single_2", "niah_multikey_3", "vt", "cwe",
                             "fwe", "qa_1", "qa_2"}) {
      all += fmt::format("{} {}:", name, task);
      for (const auto& [file, hash] : source_ids(ruler_config(task), profile_of(name))) {
        all += fmt::format(" {}", file.substr(file.rfind('/') + 1));
      }
      all += "\n";
    }
  }
  EXPECT_EQ(all, R"(
ruler@gen-a niah_single_1: prompts-gen-a.json adjectivelist.txt nounlist.txt
ruler@gen-a niah_single_2: PaulGrahamEssays.json prompts-gen-a.json abbrev_types.txt collocations.tab ortho_context.tab sent_starters.txt adjectivelist.txt nounlist.txt
ruler@gen-a niah_multikey_3: prompts-gen-a.json
ruler@gen-a vt: prompts-gen-a.json
ruler@gen-a cwe: prompts-gen-a.json adjectivelist.txt nounlist.txt verblist.txt
ruler@gen-a fwe: prompts-gen-a.json
ruler@gen-a qa_1: prompts-gen-a.json squad_dev-v2.0_small.json
ruler@gen-a qa_2: hotpot_small.json prompts-gen-a.json
ruler@gen-b niah_single_1: prompts-gen-b.json adjectivelist.txt nounlist.txt
ruler@gen-b niah_single_2: PaulGrahamEssays.json prompts-gen-b.json abbrev_types.txt collocations.tab ortho_context.tab sent_starters.txt adjectivelist.txt nounlist.txt
ruler@gen-b niah_multikey_3: prompts-gen-b.json
ruler@gen-b vt: prompts-gen-b.json
ruler@gen-b cwe: english_words.json prompts-gen-b.json adjectivelist.txt nounlist.txt verblist.txt
ruler@gen-b fwe: prompts-gen-b.json
ruler@gen-b qa_1: prompts-gen-b.json squad_dev-v2.0_small.json
ruler@gen-b qa_2: hotpot_small.json prompts-gen-b.json
ruler@builtin niah_single_1: adjectivelist.txt nounlist.txt
ruler@builtin niah_single_2: prose adjectivelist.txt nounlist.txt
ruler@builtin niah_multikey_3:
ruler@builtin vt:
ruler@builtin cwe: adjectivelist.txt nounlist.txt verblist.txt
ruler@builtin fwe:
ruler@builtin qa_1: questions
ruler@builtin qa_2: questions
)");
}

TEST(RulerRules, SetsComeInTheOrderAskedAndTheFirstErrorIsThrown) {
  const std::vector<GenerateRequest> requests = {request_of("vt", 1024), request_of("fwe", 2048),
                                                 request_of("qa_1", 1024)};
  const auto sets = cached_ruler_sets(requests, profile_of("ruler@gen-b"), "", 0);
  ASSERT_EQ(sets.size(), 3u);
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(sets[i].data_id, generate_ruler(requests[i], profile_of("ruler@gen-b")).data_id);
  }
  for (const int threads : {1, 2}) {
    const std::vector<GenerateRequest> bad = {request_of("vt", 0), request_of("fwe", 2048)};
    EXPECT_EQ(refusal([&] { cached_ruler_sets(bad, profile_of("ruler@gen-b"), "", threads); }),
              "length 0: expected 1 to 16777216 tokens");
  }
}

// A key of the cache for every part of the request.
TEST(RulerRules, EveryPartOfARequestIsKeptApart) {
  const testing::TemporaryFolder cache;
  const GenerateRequest base = request_of("vt", 1024);
  std::vector<GenerateRequest> requests(7, base);
  requests[1].length = 1025;
  requests[2].count = 2;
  requests[3].seed = 43;
  requests[4].remove_newline_tab = true;
  requests[5].counter.id = "other";
  requests[6].model_template = kCheckpointTemplate;
  requests[6].checkpoint_template = "<{task_template}>";
  requests.push_back(requests[6]);
  requests.back().checkpoint_template = "[{task_template}]";
  for (const GenerateRequest& request : requests) {
    EXPECT_FALSE(cached_ruler(request, profile_of("ruler@gen-b"), cache.path()).cached);
  }
  for (const GenerateRequest& request : requests) {
    const GeneratedSet kept = cached_ruler(request, profile_of("ruler@gen-b"), cache.path());
    EXPECT_TRUE(kept.cached);
    EXPECT_EQ(kept.lines, generate_ruler(request, profile_of("ruler@gen-b")).lines);
  }
}

TEST(RulerRules, TokensAreCounted) {
  const auto words = whitespace_counter().count, bytes = byte_counter().count;
  const std::pair<std::string_view, std::pair<int, int>> rows[] = {{"", {0, 0}},
                                                                   {"a", {1, 1}},
                                                                   {"abcd", {1, 1}},
                                                                   {"abcde", {1, 2}},
                                                                   {" a\tb\nc\vd\fe\rf ", {6, 4}},
                                                                   {"a\x08z", {1, 1}},
                                                                   {"a\x0ez", {1, 1}},
                                                                   {"a\xC2\xA0z", {1, 1}},
                                                                   {"  ", {0, 1}}};
  for (const auto& [text, counts] : rows) {
    EXPECT_EQ(words(text), counts.first) << text;
    EXPECT_EQ(bytes(text), counts.second) << text;
  }
}

TEST(RulerRules, RecordsAreWrittenAsPythonWritesThem) {
  EXPECT_EQ(
      ascii_json("\"\\\n\r\t\f\b\x01 ~\x7f\xC3\xA9\xEF\xBF\xBF\xF0\x90\x80\x80\xF4\x8F\xBF\xBF"),
      R"("\"\\\n\r\t\f\b\u0001 ~\u007f\u00e9\uffff\ud800\udc00\udbff\udfff")");
  EXPECT_EQ(python_list({}), "[]");
  EXPECT_EQ(python_list({"a'b", "a\"'b", "a\"b", "\\\n\r\t", "\x01\xC2\x80\xC3\xBF\xC3\xA9",
                         "\xC4\x80\xE2\x80\x8B\xEF\xBF\xBF", "\xF0\x90\x80\x80\xF4\x8F\xBF\xBF"}),
            R"(["a'b", 'a"\'b', 'a"b', '\\\n\r\t', '\x01\x80)"
            "\xC3\xBF\xC3\xA9', '\xC4\x80"
            R"(\u200b\uffff', ')"
            "\xF0\x90\x80\x80"
            R"(\U0010ffff'])");
  EXPECT_EQ(one_line(" a\n\tb  c\n"), "a b c");
  EXPECT_EQ(one_line(""), "");
}

TEST(RulerRules, RecordsAreReadAsTheyAreWritten) {
  const RulerRecord record{.index = -1,
                           .input = "in",
                           .outputs = {"a", "b"},
                           .length = 7,
                           .answer_prefix = " p",
                           .token_position_answer = 3};
  EXPECT_EQ(record_line(record, Vintage::kGenA),
            R"({"index": -1, "input": "in", "outputs": ["a", "b"], "length": 7})");
  const std::string line = record_line(record, Vintage::kGenB);
  EXPECT_EQ(line,
            R"({"index": -1, "input": "in", "outputs": ["a", "b"], "length": 7, )"
            R"("length_w_model_temp": 7, "answer_prefix": " p", "token_position_answer": 3})");
  const RulerRecord read = parse_record(line, "l");
  EXPECT_EQ(read.index, -1);
  EXPECT_EQ(read.outputs, record.outputs);
  EXPECT_EQ(read.length, 7);
  EXPECT_EQ(read.answer_prefix, " p");
  EXPECT_EQ(read.token_position_answer, 3);
  const std::pair<const char*, const char*> rows[] = {
      {R"({"index": 1, "input": "i", "length": 2})", ""},
      {R"({"index": 1, "input": "i", "outputs": "a", "length": 2})", ""},
      {R"({"index": 1, "input": "i", "outputs": [1], "length": 2})", ""},
      {R"({"input": "i", "outputs": ["a"], "length": 2})", ""}};
  std::string all = "\n";
  for (const auto& [bytes, ignored] : rows)
    all += refusal([&, b = bytes] { parse_record(b, "l"); }) + "\n";
  EXPECT_EQ(all, R"(
l: key `outputs` is not a list
l: key `outputs` is not a list
l: `outputs` holds 1, expected strings
l: key `index` is missing
)");
}

// Searches over random monotonic counts: every trial and every size.
TEST(RulerRules, SearchesOverRandomCounts) {
  PythonRandom random(9);
  std::string all;
  for (int round = 0; round < 400; ++round) {
    const auto slope = static_cast<std::int64_t>(1 + random.below(30));
    SizeSearch search{.length = static_cast<std::int64_t>(random.below(900)),
                      .budget = static_cast<std::int64_t>(random.below(60)),
                      .extra = static_cast<std::int64_t>(random.below(40)),
                      .step = static_cast<std::int64_t>(1 + random.below(12))};
    search.draw = [&](std::int64_t size) {
      if (size < 2 && round % 3 == 0) throw Error(ErrorKind::kInvalidArgument, "too few");
      return Draft{.prompt = std::string(static_cast<std::size_t>(size * slope / 3 + 1), 'x'),
                   .answers = {}};
    };
    search.count = [](std::string_view text) { return static_cast<std::int64_t>(text.size()); };
    SearchTrace trace;
    const auto told = [&](const std::function<std::int64_t()>& find) {
      try {
        all += fmt::format("{}", find());
      } catch (const Error& error) {
        all += error.what();
      }
      for (const auto& [size, tokens] : trace.probes) all += fmt::format(" {}:{}", size, tokens);
      for (const std::int64_t size : trace.sizes) all += fmt::format(" {}", size);
      all += "\n";
    };
    told([&] {
      return linear_size(search,
                         {.glue = [](const auto&) { return std::string("gg"); },
                          .cap_tried = static_cast<std::int64_t>(random.below(3) * 40),
                          .cap_next = static_cast<std::int64_t>(random.below(3) * 50)},
                         trace);
    });
    told([&] {
      return binary_size(
          search,
          {.first = static_cast<std::int64_t>(2 + random.below(9)), .double_floor = round % 2 == 0},
          trace);
    });
  }
  EXPECT_EQ(sha256_hex(all).substr(0, 16), "d15f60819afc3dfa");
}

TEST(RulerRules, CountersThatCountNothingAreRefused) {
  const auto tried = [](std::size_t bytes, std::int64_t tokens) {
    SizeSearch search{.length = 100, .step = 1};
    search.draw = [=](std::int64_t) {
      return Draft{.prompt = std::string(bytes, 'x'), .answers = {}};
    };
    search.count = [=](std::string_view) { return tokens; };
    SearchTrace trace;
    return refusal([&] { binary_size(search, {.first = 1}, trace); });
  };
  EXPECT_EQ(tried(2 * 64 + 65536, 2), "no error");
  EXPECT_EQ(
      tried(2 * 64 + 65537, 2),
      "the token counter finds 2 tokens in 65665 bytes of plain text: no prompt of a given length "
      "can be made with it");
  EXPECT_NE(tried(1, 0), "no error");
  EXPECT_EQ(tried(1, 1), "no error");
}

TEST(RulerRules, TheCheckpointsTemplateHasNoSecondBos) {
  const engine::ChatTemplate chat("{{ bos_token }}U {{ messages[0].content }} A", "c",
                                  Json{{"bos_token", "<s>"}});
  EXPECT_EQ(checkpoint_template(&chat, demo_tokenizer(), std::nullopt, "m"), "U {task_template} A");
  const engine::ChatTemplate other("U {{ messages[0].content }} A", "c",
                                   Json{{"bos_token", "<s>"}});
  EXPECT_EQ(checkpoint_template(&other, demo_tokenizer(), std::nullopt, "m"),
            "U {task_template} A");
  EXPECT_EQ(refusal([] { checkpoint_template(nullptr, demo_tokenizer(), std::nullopt, "m"); }),
            "--model-template checkpoint: m has no chat template; copy its chat_template.jinja or "
            "tokenizer_config.json, or leave the flag out");
}

}  // namespace
}  // namespace elastic::tasks
