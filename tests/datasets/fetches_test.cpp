// Ways that a source takes from the user's own mirror to upstream, and what each leaves behind.

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "base/file.h"
#include "base/hash.h"
#include "datasets/build_prompt_pack.h"
#include "datasets/sources.h"
#include "datasets/transfer.h"
#include "tests/testing/folders.h"
#include "tests/testing/loopback_server.h"
#include "tests/testing/zip_writer.h"

namespace elastic::datasets {
namespace {

namespace fs = std::filesystem;
using testing::LoopbackServer;
using testing::Reply;

const Reply kAbsent{.kind = Reply::kStatus, .status = 404};

// A source of one file, "x/m.txt" of the words "member", upstream at `up/` of a server.
class Fetches : public ::testing::Test {
 protected:
  void serve(const std::string& body, std::vector<Reply> replies) {
    server_ = std::make_unique<LoopbackServer>(body, std::move(replies));
    upstream_ = server_->url("up/");
    mirror_ = server_->url("mine");
  }

  DataSource source(SourceKind kind) const {
    return {.name = "ruler/essays",
            .kind = kind,
            .files = files_,
            .mirrors = mirrors_,
            .archive_remote = "a.zip"};
  }

  FetchOptions options(bool mirrored) const {
    return {.mirror = mirrored ? mirror_ : "", .pull = {.attempts = 1, .pause_seconds = 0}};
  }

  std::string fetched(const DataSource& source, bool mirrored) {
    mirrors_[0] = upstream_;
    std::string all;
    try {
      for (const std::string& path : fetch_source(source, data(), options(mirrored))) {
        all += path + " = " + read_file(data() / path) + "; ";
      }
    } catch (const Error& error) {
      all = error.kind() == ErrorKind::kNotFound ? "not found; " : "error; ";
    }
    for (const auto& request : server_->requests()) all += request.path + " ";
    EXPECT_FALSE(fs::exists(data() / ".fetch"));
    return all;
  }

  fs::path data() const { return folder_ / "data"; }

  const testing::TemporaryFolder folder_;
  const std::string sha256_ = sha256_hex("member");
  const Identity identity_[1] = {{sha256_, 6, "official"}};
  const DataFile files_[1] = {{"x/m.txt", "m.txt", identity_}};
  std::string upstream_, mirror_;
  std::string_view mirrors_[1];
  std::unique_ptr<LoopbackServer> server_;
};

TEST_F(Fetches, FilesComeFromTheMirrorThenFromUpstream) {
  serve("member", {kAbsent});
  EXPECT_EQ(fetched(source(SourceKind::kFiles), true),
            "x/m.txt = member; /mine/x/m.txt /up/m.txt ");
  EXPECT_EQ(fetched(source(SourceKind::kFiles), true), "/mine/x/m.txt /up/m.txt ") << "there";
  fs::remove_all(data());
  serve("member", {});
  EXPECT_EQ(fetched(source(SourceKind::kFiles), true), "x/m.txt = member; /mine/x/m.txt ");
  fs::remove_all(data());
  serve("member", {});
  EXPECT_EQ(fetched(source(SourceKind::kFiles), false), "x/m.txt = member; /up/m.txt ");
  fs::remove_all(data());
  serve("member", {kAbsent, kAbsent});
  EXPECT_EQ(fetched(source(SourceKind::kFiles), true), "not found; /mine/x/m.txt /up/m.txt ");
}

TEST_F(Fetches, AnArchiveComesWhereTheMirrorLacksItsFiles) {
  testing::write_zip(folder_ / "a.zip", {{"m.txt", "member"}});
  const std::string zip = read_file(folder_ / "a.zip"), sha256 = sha256_hex(zip);
  DataSource archive = source(SourceKind::kArchive);
  archive.archive = {sha256, static_cast<std::int64_t>(zip.size()), "official"};
  serve(zip, {kAbsent});
  EXPECT_EQ(fetched(archive, true), "x/m.txt = member; /mine/x/m.txt /up/a.zip ");
  fs::remove_all(data());
  serve("member", {});
  EXPECT_EQ(fetched(archive, true), "x/m.txt = member; /mine/x/m.txt ");
  fs::remove_all(data());
  serve(zip, {});
  EXPECT_EQ(fetched(archive, false), "x/m.txt = member; /up/a.zip ");
  fs::remove_all(data());
  serve(zip + "x", {});
  EXPECT_EQ(fetched(archive, false), "not found; /up/a.zip ");
  EXPECT_FALSE(fs::exists(data() / "x"));
}

TEST_F(Fetches, WhatCanOnlyBeImportedComesFromTheMirrorAlone) {
  serve("member", {});
  EXPECT_EQ(fetched(source(SourceKind::kImportOnly), false), "not found; ");
  EXPECT_EQ(fetched(source(SourceKind::kImportOnly), true), "x/m.txt = member; /mine/x/m.txt ");
  fs::remove_all(data());
  serve("member", {kAbsent});
  EXPECT_EQ(fetched(source(SourceKind::kImportOnly), true), "not found; /mine/x/m.txt ");
}

TEST_F(Fetches, ADiskThatTakesNothingEndsTheSearch) {
  testing::write_zip(folder_ / "a.zip", {{"m.txt", "member"}});
  serve(read_file(folder_ / "a.zip"), {});
  write_file_atomic(folder_ / "data", "a file");
  EXPECT_EQ(fetched(source(SourceKind::kFiles), true), "error; ");
}

TEST_F(Fetches, APromptPackIsBuiltFromUpstreamsFiles) {
  std::string tasks;
  for (const char* name :
       {"niah", "variable_tracking", "common_words_extraction", "freq_words_extraction", "qa"}) {
    tasks += fmt::format(
        "'{}': {{'template': '{{context}}', 'answer_prefix': 'A', 'tokens_to_generate': 1}},",
        name);
  }
  const std::map<std::string, std::string> texts = {
      {"synthetic/constants.py", "TASKS = {" + tasks + "}"},
      {"template.py", "Templates = {'base': '{task_template}'}"},
      {"synthetic/niah.py", "needle = '{value}'\nhaystack = 'noise'"},
      {"synthetic/variable_tracking.py", "noise = 'noise'"},
      {"synthetic/qa.py", "DOCUMENT_PROMPT = '{document}'"}};
  std::vector<Reply> replies = {kAbsent};
  std::string paths;
  for (const std::string_view file : prompt_source_files()) {
    replies.push_back({.kind = Reply::kBody, .text = texts.at(std::string(file))});
    paths += fmt::format("/up/at/{} ", file);
  }
  const Identity identity[1] = {{sha256_, 6, "gen-a"}};
  const DataFile files[1] = {{"x/p.json", "", identity}};
  DataSource pack = source(SourceKind::kPromptPack);
  pack.files = files;
  pack.archive_remote = "at/";
  const std::string expected =
      "x/p.json = " +
      prompt_pack_text(build_prompt_pack(texts, official_pack_origin("ruler@gen-a"))) + "; ";
  serve("", replies);
  EXPECT_EQ(fetched(pack, true), expected + "/mine/x/p.json " + paths);
  fs::remove_all(data());
  replies.erase(replies.begin());
  serve("", replies);
  EXPECT_EQ(fetched(pack, false), expected + paths);
}

// One transfer over a part of `there` bytes of "0123456789".
struct TransferCase {
  const char* there;
  std::int64_t expected;  // bytes; 0: at most 20
  Reply reply;
  const char* result;  // outcome, reason and what lies in the part
};

TEST(Transfer, EveryAnswerHasItsOutcome) {
  constexpr const char* kOutcomes[] = {"complete", "broken", "refused"};
  const std::string long_text(21, 'x');
  const TransferCase cases[] = {
      {"", 10, {}, "complete: , 0123456789"},
      {"0123", 10, {}, "complete: , 0123456789"},
      {"012345678", 10, {}, "complete: , 0123456789"},
      {"0123456789", 10, {kAbsent}, "complete: , 0123456789"},
      {"0123456789a", 10, {kAbsent}, "complete: , 0123456789a"},
      {"ab", 10, {.kind = Reply::kIgnoreRange}, "complete: , 0123456789"},
      {"ab", 0, {.kind = Reply::kIgnoreRange}, "complete: , 0123456789"},
      {"a", 0, {.kind = Reply::kBody, .text = ""}, "complete: , "},
      {"a", 10, {.kind = Reply::kBody, .text = ""}, "complete: , "},
      {"", 0, {.kind = Reply::kBody, .text = ""}, "complete: , "},
      {"", 9, {}, "refused: more than the expected 9 bytes came, "},
      {"", 11, {}, "complete: , 0123456789"},
      {"01234", 9, {}, "broken: more than the expected 9 bytes came, "},
      {"ab", 9, {.kind = Reply::kIgnoreRange}, "refused: more than the expected 9 bytes came, "},
      {"",
       0,
       {.kind = Reply::kBody, .text = long_text},
       "refused: more than the expected 20 bytes came, "},
      {"",
       0,
       {.kind = Reply::kBody, .text = long_text.substr(1)},
       "complete: , xxxxxxxxxxxxxxxxxxxx"},
      {"ab",
       10,
       {.kind = Reply::kStatus, .status = 416},
       "broken: the server has no such range; starting over, "},
      {"ab", 10, {.kind = Reply::kStatus, .status = 404}, "refused: HTTP status 404, ab"},
      {"ab", 10, {.kind = Reply::kStatus, .status = 499}, "refused: HTTP status 499, ab"},
      {"ab", 10, {.kind = Reply::kStatus, .status = 500}, "broken: HTTP status 500, ab"},
      {"ab", 10, {.kind = Reply::kStatus, .status = 503}, "broken: HTTP status 503, ab"},
      {"ab", 10, {.kind = Reply::kStatus, .status = 429}, "broken: HTTP status 429, ab"},
      {"ab", 10, {.kind = Reply::kStatus, .status = 430}, "refused: HTTP status 430, ab"},
      {"ab", 10, {.kind = Reply::kStatus, .status = 428}, "refused: HTTP status 428, ab"},
      {"ab", 10, {.kind = Reply::kStatus, .status = 408}, "broken: HTTP status 408, ab"},
      {"ab", 10, {.kind = Reply::kStatus, .status = 409}, "refused: HTTP status 409, ab"},
      {"ab", 10, {.kind = Reply::kStatus, .status = 407}, "refused: HTTP status 407, ab"},
  };
  const PullOptions options{.max_bytes = 20};
  for (const TransferCase& one : cases) {
    const testing::TemporaryFolder folder;
    LoopbackServer server("0123456789", {one.reply});
    write_file_atomic(folder / "part", one.there);
    const TransferResult result = transfer({.url = server.url("f"),
                                            .file = folder / "part",
                                            .expected_bytes = one.expected,
                                            .options = &options});
    EXPECT_EQ(fmt::format("{}: {}, {}", kOutcomes[static_cast<int>(result.outcome)], result.reason,
                          read_file(folder / "part")),
              one.result)
        << one.there << " " << one.expected << " " << one.reply.status;
  }
}

TEST(Transfer, RedirectsAreCounted) {
  const testing::TemporaryFolder folder;
  for (const int most : {0, 1, 2}) {
    LoopbackServer server("0123456789", {{.kind = Reply::kRedirect, .text = "/b"},
                                         {.kind = Reply::kRedirect, .text = "/c"}});
    const PullOptions options{.max_redirects = most};
    const TransferResult result =
        transfer({.url = server.url("a"), .file = folder / "part", .options = &options});
    EXPECT_EQ(result.reason, most == 2 ? "" : fmt::format("more than {} redirects", most));
    EXPECT_EQ(server.requests().size(), static_cast<std::size_t>(most) + 1);
  }
}

TEST(Transfer, OneProcessWritesAPart) {
  const testing::TemporaryFolder folder;
  const fs::path part = folder / "part";
  {
    const PartLock lock(part);
    EXPECT_TRUE(fs::exists(folder / "part.lock"));
    try {
      const PartLock second(part);
      ADD_FAILURE() << "two locks";
    } catch (const Error& error) {
      EXPECT_EQ(error.what(), part.string() + ": another fetch is writing it");
    }
  }
  EXPECT_FALSE(fs::exists(folder / "part.lock"));
  EXPECT_NO_THROW(PartLock{part});
  EXPECT_THROW(PartLock(folder / "absent/part"), Error);
}

}  // namespace
}  // namespace elastic::datasets
