#include "tasks/ruler/generate.h"

#include <gtest/gtest.h>

#include <csignal>
#include <fstream>
#include <functional>

#include <fmt/format.h>

#include "base/error.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/interrupt.h"
#include "base/json.h"
#include "base/text.h"
#include "tests/testing/folders.h"

namespace elastic::tasks {
namespace {

using testing::fixture;

const RulerProfile& profile(const std::string& name) {
  static std::map<std::string, std::unique_ptr<RulerProfile>> kept;
  auto& entry = kept[name];
  if (!entry) entry = make_ruler_profile(name, fixture("ruler/data"), "");
  return *entry;
}

TokenCounter counter(const std::string& name) {
  return name == "ws" ? whitespace_counter() : byte_counter();
}

GenerateRequest request(const std::string& task, std::int64_t length, std::int64_t count = 2) {
  return {.task = task, .length = length, .count = count, .counter = whitespace_counter()};
}

std::string joined(const GeneratedSet& set) { return join(set.lines, "\n"); }

std::string error_of(const std::function<void()>& act) {
  try {
    act();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kInvalidArgument);
    return error.what();
  }
  return "no error";
}

// Hashes of whole files over the small sources of tests/data/ruler, recorded when the generators
// equalled every stored run of the reference ones.
TEST(ruler_generate, lines_stay_what_they_are) {
  std::ifstream in(fixture("ruler/expected.jsonl"));
  int ran = 0;
  for (std::string line; std::getline(in, line); ++ran) {
    const Json row = parse_json(line, "expected.jsonl");
    const GenerateRequest wanted{.task = row["task"].get<std::string>(),
                                 .length = row["length"].get<std::int64_t>(),
                                 .count = 3,
                                 .seed = row["seed"].get<std::uint64_t>(),
                                 .model_template = row["template"].get<std::string>(),
                                 .remove_newline_tab = row["remove_newline_tab"].get<bool>(),
                                 .counter = counter(row["counter"].get<std::string>())};
    const GeneratedSet set = generate_ruler(wanted, profile(row["profile"].get<std::string>()));
    EXPECT_EQ(sha256_hex(joined(set)), row["sha256"].get<std::string>()) << line;
  }
  EXPECT_GE(ran, 39);
}

TEST(ruler_generate, records_have_the_generation_s_keys_in_order) {
  const Json a =
      parse_json(generate_ruler(request("vt", 1024), profile("ruler@gen-a")).lines[0], "a");
  const Json b = parse_json(
      generate_ruler(request("niah_single_1", 1024), profile("ruler@gen-b")).lines[0], "b");
  std::string keys_a, keys_b;
  for (const auto& [key, value] : a.items()) keys_a += key + " ";
  for (const auto& [key, value] : b.items()) keys_b += key + " ";
  EXPECT_EQ(keys_a, "index input outputs length ");
  EXPECT_EQ(keys_b,
            "index input outputs length length_w_model_temp answer_prefix token_position_answer ");
  EXPECT_NE(a["input"].get<std::string>().find("namely:"), std::string::npos);
  EXPECT_EQ(b["answer_prefix"].get<std::string>().substr(0, 12), " The hidden ");
  const auto offset = static_cast<std::size_t>(b["index"].get<std::int64_t>());
  EXPECT_EQ(b["input"].get<std::string>().substr(offset, 7), b["outputs"][0].get<std::string>());
}

TEST(ruler_generate, one_value_asked_puts_the_wording_in_the_singular) {
  const std::string one =
      parse_record(generate_ruler(request("niah_single_1", 1024), profile("ruler@gen-b")).lines[0],
                   "")
          .input;
  EXPECT_TRUE(one.starts_with("A hidden number is in this text; is wanted later.") ||
              one.starts_with("A hidden number is in this text; all answer is wanted later."))
      << one.substr(0, 80);
  const std::string many =
      parse_record(
          generate_ruler(request("niah_multiquery", 1024), profile("ruler@gen-b")).lines[0], "")
          .input;
  EXPECT_TRUE(many.starts_with("Some hidden numbers are")) << many.substr(0, 80);
}

TEST(ruler_generate, same_request_same_data_other_seed_other_data) {
  GenerateRequest wanted = request("niah_multikey_1", 1024);
  const GeneratedSet first = generate_ruler(wanted, profile("ruler@gen-b"));
  EXPECT_EQ(first.data_id, generate_ruler(wanted, profile("ruler@gen-b")).data_id);
  wanted.seed = 43;
  EXPECT_NE(first.data_id, generate_ruler(wanted, profile("ruler@gen-b")).data_id);
  EXPECT_TRUE(first.source_ids.contains("ruler/PaulGrahamEssays.json"));
}

TEST(ruler_generate, data_id_follows_the_text_used_and_not_the_file) {
  const testing::TemporaryFolder folder;
  std::filesystem::copy(fixture("ruler/data"), folder.path(),
                        std::filesystem::copy_options::recursive);
  const auto essays = folder / "ruler/PaulGrahamEssays.json";
  const std::string text = read_file(essays);
  const GenerateRequest wanted = request("niah_single_2", 1024);
  const GeneratedSet original = generate_ruler(wanted, profile("ruler@gen-b"));
  const auto with_text = [&](const std::string& changed) {
    write_file_atomic(essays, changed);
    return generate_ruler(wanted, *make_ruler_profile("ruler@gen-b", folder.path(), ""));
  };
  std::string beyond = text;
  beyond.replace(beyond.rfind("ever"), 4, "once");
  const GeneratedSet same = with_text(beyond);
  EXPECT_EQ(same.data_id, original.data_id);
  EXPECT_NE(same.source_ids, original.source_ids);
  std::string used = text;
  used.replace(used.find("harbor"), 6, "market");
  EXPECT_NE(with_text(used).data_id, original.data_id);
}

TEST(ruler_generate, too_short_a_length_names_the_smallest_that_works) {
  for (const char* name : {"ruler@gen-a", "ruler@gen-b", "ruler@builtin"}) {
    for (const char* task : {"niah_single_1", "niah_multikey_3", "vt", "cwe", "fwe", "qa_1"}) {
      const std::string text = error_of([&] { generate_ruler(request(task, 40), profile(name)); });
      const std::size_t at = text.find("the smallest that works here is ");
      ASSERT_NE(at, std::string::npos) << name << " " << task << ": " << text;
      const auto smallest = parse_int(std::string_view(text).substr(at + 32));
      ASSERT_TRUE(smallest) << text;
      EXPECT_EQ(generate_ruler(request(task, *smallest), profile(name)).lines.size(), 2U) << text;
    }
  }
}

TEST(ruler_generate, bad_requests_are_named) {
  EXPECT_NE(
      error_of([] { generate_ruler(request("vt", 0), profile("ruler@gen-b")); }).find("length 0"),
      std::string::npos);
  EXPECT_NE(error_of([] {
              generate_ruler(request("vt", 512, 0), profile("ruler@gen-b"));
            }).find("0 samples"),
            std::string::npos);
  EXPECT_NE(
      error_of([] { generate_ruler(request("vtt", 512), profile("ruler@gen-b")); }).find("`vt`"),
      std::string::npos);
  EXPECT_NE(error_of([] {
              generate_ruler(request("qa_1", 700, 5000), profile("ruler@gen-b"));
            }).find("18 questions"),
            std::string::npos);
  GenerateRequest other = request("vt", 512);
  other.model_template = "dialog";
  EXPECT_NE(error_of([&] { generate_ruler(other, profile("ruler@gen-b")); }).find("`dialogue`"),
            std::string::npos);
  other = request("vt", 512);
  other.seed = std::uint64_t{1} << 32;
  EXPECT_NE(error_of([&] { generate_ruler(other, profile("ruler@gen-b")); }).find("seed"),
            std::string::npos);
}

TEST(ruler_generate, missing_sources_name_their_command) {
  const testing::TemporaryFolder empty;
  try {
    make_ruler_profile("ruler@gen-b", empty.path(), "");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kNotFound);
    EXPECT_NE(std::string(error.what()).find("data fetch"), std::string::npos);
    EXPECT_NE(std::string(error.what()).find("ruler@builtin"), std::string::npos);
  }
}

// Whatever counts the tokens, generation ends: in samples, or in one clear error.
TEST(ruler_generate, always_ends) {
  const std::pair<const char*, CountTokens> counters[] = {
      {"a token a byte", [](std::string_view t) { return static_cast<std::int64_t>(t.size()); }},
      {"three a word", [](std::string_view t) { return whitespace_counter().count(t) * 3; }},
      {"one in 40 bytes",
       [](std::string_view t) { return static_cast<std::int64_t>(t.size() / 40 + 1); }},
      {"one for all", [](std::string_view) { return std::int64_t{1}; }},
      {"none", [](std::string_view) { return std::int64_t{0}; }},
      {"parity",
       [](std::string_view t) {
         return static_cast<std::int64_t>(t.size() / 4 + t.size() % 2 * 50);
       }},
  };
  for (const char* name : {"ruler@gen-a", "ruler@gen-b", "ruler@builtin"}) {
    for (const auto& [kind, count] : counters) {
      for (const char* task : {"niah_single_1", "niah_multikey_1", "vt", "cwe", "fwe", "qa_2"}) {
        // A counter that never grows costs as much text as the cap allows: once a task, and not
        // for the built-in profile, whose code is gen-b's.
        const bool grows = count(std::string(4000, 'x')) > 1;
        if (!grows && std::string_view(name) == "ruler@builtin") continue;
        for (const std::int64_t length :
             grows ? std::vector<std::int64_t>{128, 777, 5000} : std::vector<std::int64_t>{130}) {
          GenerateRequest wanted = request(task, length, 1);
          wanted.counter = {.id = kind, .count = count};
          try {
            EXPECT_EQ(generate_ruler(wanted, profile(name)).lines.size(), 1U);
          } catch (const Error& error) {
            EXPECT_FALSE(std::string(error.what()).empty());
          }
        }
      }
    }
  }
}

TEST(ruler_generate, a_million_tokens) {
  GenerateRequest wanted = request("niah_single_2", 1 << 20, 1);
  wanted.counter = byte_counter();
  const GeneratedSet set = generate_ruler(wanted, profile("ruler@gen-b"));
  EXPECT_GE(parse_record(set.lines[0], "").length, (1 << 20) * 95 / 100);
}

TEST(ruler_generate, cache_is_read_once_made_and_remade_when_damaged) {
  const testing::TemporaryFolder cache;
  const GenerateRequest wanted = request("vt", 1024);
  const GeneratedSet made = cached_ruler(wanted, profile("ruler@gen-b"), cache.path());
  const GeneratedSet read = cached_ruler(wanted, profile("ruler@gen-b"), cache.path());
  EXPECT_FALSE(made.cached);
  EXPECT_TRUE(read.cached);
  EXPECT_EQ(read.lines, made.lines);
  EXPECT_EQ(read.data_id, made.data_id);
  EXPECT_EQ(read.source_ids, made.source_ids);
  for (const auto& entry : std::filesystem::recursive_directory_iterator(cache.path())) {
    if (entry.is_regular_file()) write_file_atomic(entry.path(), "{\"data_id\": \"x\"}\ntorn");
  }
  const GeneratedSet again = cached_ruler(wanted, profile("ruler@gen-b"), cache.path());
  EXPECT_FALSE(again.cached);
  EXPECT_EQ(again.lines, made.lines);
}

TEST(ruler_generate, a_cache_that_takes_nothing_costs_no_data) {
  const testing::TemporaryFolder folder;
  write_file_atomic(folder / "file", "no folder");
  const GenerateRequest wanted = request("vt", 1024);
  const GeneratedSet made = cached_ruler(wanted, profile("ruler@gen-b"), folder / "file");
  EXPECT_EQ(made.lines, cached_ruler(wanted, profile("ruler@gen-b"), "").lines);
  EXPECT_EQ(read_file(folder / "file"), "no folder");
}

TEST(ruler_generate, a_cache_that_takes_nothing_is_told_once) {
  const testing::TemporaryFolder folder;
  write_file_atomic(folder / "file", "no folder");
  std::string later;
  for (int i = 0; i < 3; ++i) {
    ::testing::internal::CaptureStderr();
    cached_ruler(request("vt", 1024, 1), profile("ruler@gen-b"), folder / "file");
    const std::string said = ::testing::internal::GetCapturedStderr();
    if (i > 0) later += said;
  }
  EXPECT_EQ(later, "");
}

TEST(ruler_generate, a_signal_ends_every_generator) {
  for (const char* task : {"niah_single_1", "niah_multikey_2", "vt", "cwe", "fwe", "qa_1"}) {
    for (const char* name : {"ruler@gen-a", "ruler@gen-b"}) {
      const InterruptGuard guard("");
      GenerateRequest wanted = request(task, 1024, 15);
      int counted = 0, counted_at_signal = 0;
      wanted.counter.count = [&](std::string_view text) {
        if (++counted == 8) std::raise(SIGTERM), counted_at_signal = counted;
        return whitespace_counter().count(text);
      };
      EXPECT_THROW(generate_ruler(wanted, profile(name)), Interrupted) << task << " " << name;
      EXPECT_EQ(counted, counted_at_signal) << task << " " << name;
    }
  }
}

TEST(ruler_generate, threads_change_nothing) {
  std::vector<GenerateRequest> requests;
  for (const char* task : {"vt", "cwe", "niah_single_2", "niah_multikey_3"}) {
    requests.push_back(request(task, 1024));
    requests.push_back(request(task, 2048));
  }
  const auto one = cached_ruler_sets(requests, profile("ruler@gen-b"), "", 1);
  const auto four = cached_ruler_sets(requests, profile("ruler@gen-b"), "", 4);
  for (std::size_t i = 0; i < requests.size(); ++i) EXPECT_EQ(one[i].lines, four[i].lines);
}

}  // namespace
}  // namespace elastic::tasks
