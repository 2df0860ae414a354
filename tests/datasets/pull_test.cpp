#include "datasets/pull.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <fstream>

#include "base/error.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/interrupt.h"
#include "tests/testing/folders.h"
#include "tests/testing/loopback_server.h"

namespace elastic::datasets {
namespace {

namespace fs = std::filesystem;
using testing::LoopbackServer;
using testing::Reply;

std::string long_body() {
  std::string body;
  for (int i = 0; body.size() < 300000; ++i) body += "row " + std::to_string(i) + "\n";
  return body;
}

class Pull : public ::testing::Test {
 protected:
  void SetUp() override {
    for (const char* name : {"HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE", "HF_ENDPOINT", "HF_TOKEN",
                             "http_proxy", "all_proxy", "ALL_PROXY"}) {
      unsetenv(name);
    }
    setenv("HF_HUB_CACHE", folder_.path().c_str(), 1);
  }

  PullRequest request(std::vector<std::string> urls) const {
    return {.urls = std::move(urls),
            .target = folder_ / "sub/file.json",
            .sha256 = sha256_hex(body_),
            .bytes = static_cast<std::int64_t>(body_.size())};
  }

  // The error's text; the target must not exist then.
  std::string failure(const PullRequest& wanted, ErrorKind kind) const {
    try {
      pull(wanted, options_);
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), kind) << error.what();
      EXPECT_FALSE(fs::exists(wanted.target));
      return error.what();
    }
    ADD_FAILURE() << "no error";
    return "";
  }

  void expect_pulled(const PullRequest& wanted) const {
    EXPECT_TRUE(pull(wanted, options_));
    EXPECT_EQ(read_file(wanted.target), body_);
    EXPECT_FALSE(fs::exists(wanted.target.string() + ".part"));
    EXPECT_FALSE(fs::exists(wanted.target.string() + ".part.lock"));
  }

  const testing::TemporaryFolder folder_;
  const std::string body_ = long_body();
  PullOptions options_{.attempts = 3, .pause_seconds = 0.001, .max_redirects = 4};
};

bool contains(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

TEST_F(Pull, PlainDownloadIsVerifiedAndNotRepeated) {
  LoopbackServer server(body_, {});
  expect_pulled(request({server.url("a")}));
  EXPECT_FALSE(pull(request({server.url("a")}), options_));
  EXPECT_EQ(server.requests().size(), 1u);
}

TEST_F(Pull, ContinuesAfterABreak) {
  LoopbackServer server(body_, {{Reply::kBreak, 100000}, {Reply::kBreak, 50000}});
  expect_pulled(request({server.url("a")}));
  const auto requests = server.requests();
  ASSERT_EQ(requests.size(), 3u);
  EXPECT_EQ(requests[0].range, "");
  EXPECT_EQ(requests[1].range, "bytes=100000-");
  EXPECT_EQ(requests[2].range, "bytes=150000-");
}

TEST_F(Pull, ContinuesAPartOfAnEarlierProcess) {
  LoopbackServer server(body_, {});
  fs::create_directories(folder_ / "sub");
  std::ofstream(folder_ / "sub/file.json.part") << body_.substr(0, 1234);
  expect_pulled(request({server.url("a")}));
  ASSERT_EQ(server.requests().size(), 1u);
  EXPECT_EQ(server.requests()[0].range, "bytes=1234-");
}

TEST_F(Pull, APartOfOtherBytesIsThrownAway) {
  LoopbackServer server(body_, {});
  fs::create_directories(folder_ / "sub");
  std::ofstream(folder_ / "sub/file.json.part") << std::string(5000, '#');
  expect_pulled(request({server.url("a")}));
  ASSERT_EQ(server.requests().size(), 2u);
  EXPECT_EQ(server.requests()[1].range, "");
}

TEST_F(Pull, APartThatIsTooLongIsThrownAway) {
  LoopbackServer server(body_, {});
  fs::create_directories(folder_ / "sub");
  std::ofstream(folder_ / "sub/file.json.part") << body_ << "more";
  expect_pulled(request({server.url("a")}));
}

TEST_F(Pull, ServerThatIgnoresRangeStartsOver) {
  LoopbackServer server(body_, {{Reply::kBreak, 100000}, {Reply::kIgnoreRange}});
  expect_pulled(request({server.url("a")}));
}

TEST_F(Pull, RangeNotSatisfiableStartsOver) {
  LoopbackServer server(body_, {{Reply::kBreak, 100000}, {Reply::kStatus, 0, 416}});
  expect_pulled(request({server.url("a")}));
  ASSERT_EQ(server.requests().size(), 3u);
  EXPECT_EQ(server.requests().back().range, "");
}

TEST_F(Pull, EveryBreakThatMovesForwardIsForgiven) {
  std::vector<Reply> breaks(4, {Reply::kBreak, 70000});  // more breaks than attempts
  LoopbackServer server(body_, breaks);
  expect_pulled(request({server.url("a")}));
  EXPECT_EQ(server.requests().size(), 5u);
}

TEST_F(Pull, BreaksWithoutProgressEnd) {
  LoopbackServer server(body_, {{Reply::kDrop}}, true);
  const std::string text = failure(request({server.url("a")}), ErrorKind::kNotFound);
  EXPECT_TRUE(contains(text, request({}).sha256)) << text;
  EXPECT_TRUE(contains(text, "file.json")) << text;
  EXPECT_EQ(server.requests().size(), 3u);
}

TEST_F(Pull, StalledConnectionEnds) {
  LoopbackServer server(body_, {{Reply::kSlow, 10}});
  options_.stall_seconds = 1;
  expect_pulled(request({server.url("a")}));
}

// A few bytes a second never stall, and would take years.
TEST_F(Pull, ADrippingServerIsLeft) {
  LoopbackServer server(body_, {{Reply::kDrip, 5}});
  options_.stall_seconds = 1;
  const auto begin = std::chrono::steady_clock::now();
  expect_pulled(request({server.url("a")}));
  EXPECT_EQ(server.requests().size(), 2u);
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(10));
}

TEST_F(Pull, ASignalEndsATransferAndItsPauses) {
  const InterruptGuard guard("");
  LoopbackServer server(body_, {{Reply::kSlow, 10}});
  options_.progress = [](std::int64_t done, std::int64_t) {
    if (done == 10) std::raise(SIGTERM);
  };
  EXPECT_THROW(pull(request({server.url("a")}), options_), Interrupted);
  EXPECT_FALSE(fs::exists(folder_ / "sub/file.json"));
  EXPECT_EQ(read_file(folder_ / "sub/file.json.part"), body_.substr(0, 10)) << "to be continued";
  EXPECT_FALSE(fs::exists(folder_ / "sub/file.json.part.lock"));
}

TEST_F(Pull, APartThatIsALinkIsNotWrittenThrough) {
  fs::create_directories(folder_ / "sub");
  std::ofstream(folder_ / "victim") << "precious";
  for (const char* name : {"file.json.part", "file.json.part.lock"}) {
    fs::create_symlink(folder_ / "victim", folder_ / "sub" / name);
    LoopbackServer server(body_, {});
    EXPECT_THROW(pull(request({server.url("a")}), options_), Error) << name;
    EXPECT_EQ(read_file(folder_ / "victim"), "precious") << name;
    fs::remove(folder_ / "sub" / name);
  }
}

TEST_F(Pull, AnAnswerThatIsTooShortGoesToTheNextMirror) {
  LoopbackServer shorter(body_, {{Reply::kTruncate, 10}}, true);
  LoopbackServer good(body_, {});
  expect_pulled(request({shorter.url("a"), good.url("a")}));
}

TEST_F(Pull, AnAnswerThatIsTooShortIsAnError) {
  LoopbackServer server(body_, {{Reply::kTruncate, 10}}, true);
  const std::string text = failure(request({server.url("a")}), ErrorKind::kCorrupt);
  EXPECT_TRUE(contains(text, "10 bytes came, expected " + std::to_string(body_.size()))) << text;
}

TEST_F(Pull, WrongBytesNameBothHashes) {
  const std::string other(body_.size(), 'x');
  LoopbackServer server(body_, {{Reply::kBody, 0, 0, other}}, true);
  const std::string text = failure(request({server.url("a")}), ErrorKind::kCorrupt);
  EXPECT_TRUE(contains(text, sha256_hex(other)) && contains(text, sha256_hex(body_))) << text;
  EXPECT_FALSE(fs::exists(folder_ / "sub/file.json.part"));
}

TEST_F(Pull, WrongBytesThenTheSecondMirror) {
  LoopbackServer wrong(body_, {{Reply::kBody, 0, 0, std::string(body_.size(), 'x')}}, true);
  LoopbackServer good(body_, {});
  expect_pulled(request({wrong.url("a"), good.url("a")}));
}

TEST_F(Pull, MoreBytesThanExpectedAreCutOff) {
  LoopbackServer server(body_ + body_, {});
  const std::string text = failure(request({server.url("a")}), ErrorKind::kNotFound);
  EXPECT_TRUE(contains(text, "more than the expected")) << text;
}

TEST_F(Pull, AbsentFileGoesToTheNextMirrorAtOnce) {
  LoopbackServer absent(body_, {{Reply::kStatus, 0, 404}}, true);
  LoopbackServer good(body_, {});
  expect_pulled(request({absent.url("a"), good.url("a")}));
  EXPECT_EQ(absent.requests().size(), 1u);
}

TEST_F(Pull, BusyServerIsAskedAgain) {
  LoopbackServer server(body_, {{Reply::kStatus, 0, 500}, {Reply::kStatus, 0, 503}});
  expect_pulled(request({server.url("a")}));
}

TEST_F(Pull, BusyForEverIsAnErrorWithTheStatus) {
  LoopbackServer server(body_, {{Reply::kStatus, 0, 500}}, true);
  const std::string text = failure(request({server.url("a")}), ErrorKind::kNotFound);
  EXPECT_TRUE(contains(text, "HTTP status 500")) << text;
}

TEST_F(Pull, NobodyListens) {
  std::string url;
  {
    LoopbackServer gone(body_, {});
    url = gone.url("a");
  }
  LoopbackServer good(body_, {});
  expect_pulled(request({url, good.url("a")}));
  EXPECT_FALSE(failure({.urls = {url}, .target = folder_ / "x"}, ErrorKind::kNotFound).empty());
}

TEST_F(Pull, FollowsRedirects) {
  LoopbackServer good(body_, {});
  LoopbackServer first(body_, {{Reply::kRedirect, 0, 0, good.url("elsewhere")}});
  expect_pulled(request({first.url("a")}));
  ASSERT_EQ(good.requests().size(), 1u);
  EXPECT_EQ(good.requests()[0].path, "/elsewhere");
}

TEST_F(Pull, RedirectLoopEnds) {
  LoopbackServer server(body_, {{Reply::kRedirect, 0, 0, "/again"}}, true);
  const std::string text = failure(request({server.url("a")}), ErrorKind::kNotFound);
  EXPECT_TRUE(contains(text, "redirects")) << text;
  EXPECT_EQ(server.requests().size(), 5u);
}

TEST_F(Pull, RedirectToAFileUrlIsRefused) {
  std::ofstream(folder_ / "secret") << body_;
  LoopbackServer server(
      body_, {{Reply::kRedirect, 0, 0, "file://" + (folder_ / "secret").string()}}, true);
  failure(request({server.url("a")}), ErrorKind::kNotFound);
}

TEST_F(Pull, OtherBytesInPlaceAreKeptAside) {
  fs::create_directories(folder_ / "sub");
  std::ofstream(folder_ / "sub/file.json") << "mine";
  LoopbackServer server(body_, {});
  expect_pulled(request({server.url("a")}));
  EXPECT_EQ(read_file(folder_ / ("sub/file.json.replaced-" + sha256_hex("mine").substr(0, 8))),
            "mine");
}

TEST_F(Pull, OtherBytesInPlaceStayWhereTheFetchFails) {
  fs::create_directories(folder_ / "sub");
  std::ofstream(folder_ / "sub/file.json") << "mine";
  LoopbackServer server(body_, {{Reply::kStatus, 0, 404}}, true);
  EXPECT_THROW(pull(request({server.url("a")}), options_), Error);
  EXPECT_EQ(read_file(folder_ / "sub/file.json"), "mine");
}

TEST_F(Pull, UnpinnedBytesAreTakenWhole) {
  LoopbackServer server(body_, {{Reply::kBreak, 1000}});
  PullRequest wanted = request({server.url("a")});
  wanted.sha256.clear();
  wanted.bytes = 0;
  expect_pulled(wanted);
  ASSERT_EQ(server.requests().size(), 2u);
  EXPECT_EQ(server.requests()[1].range, "");
}

TEST_F(Pull, OfflineVariablesForbidDownloads) {
  LoopbackServer server(body_, {});
  for (const char* name : {"HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE"}) {
    setenv(name, "1", 1);
    const std::string text = failure(request({server.url("a")}), ErrorKind::kNotFound);
    EXPECT_TRUE(contains(text, "HF_HUB_OFFLINE")) << text;
    unsetenv(name);
  }
  EXPECT_TRUE(server.requests().empty());
}

TEST_F(Pull, HubEndpointTakesTheTokenAndNobodyElse) {
  setenv("HF_TOKEN", "hf_very_secret", 1);
  LoopbackServer other(body_, {{Reply::kStatus, 0, 404}}, true);
  LoopbackServer hub(body_, {{Reply::kStatus, 0, 403}}, true);
  setenv("HF_ENDPOINT", hub.url("").c_str(), 1);
  const std::string text =
      failure(request({other.url("a"), "https://huggingface.co/datasets/a/b/resolve/c/f.json"}),
              ErrorKind::kNotFound);
  EXPECT_FALSE(contains(text, "secret")) << text;
  ASSERT_EQ(other.requests().size(), 1u);
  ASSERT_EQ(hub.requests().size(), 1u);
  EXPECT_EQ(other.requests()[0].authorization, "");
  EXPECT_EQ(hub.requests()[0].authorization, "Bearer hf_very_secret");
  EXPECT_EQ(hub.requests()[0].path, "/datasets/a/b/resolve/c/f.json");
}

TEST_F(Pull, TokenDoesNotFollowARedirectToAnotherHost) {
  setenv("HF_TOKEN", "hf_very_secret", 1);
  LoopbackServer storage(body_, {});
  LoopbackServer hub(body_, {{Reply::kRedirect, 0, 0, storage.url("blob")}});
  setenv("HF_ENDPOINT", hub.url("").c_str(), 1);
  expect_pulled(request({"https://huggingface.co/datasets/a/b/resolve/c/f.json"}));
  ASSERT_EQ(storage.requests().size(), 1u);
  EXPECT_EQ(storage.requests()[0].authorization, "");
}

TEST_F(Pull, TakesAFileOfTheHubCache) {
  const fs::path cached = folder_ / "datasets--a--b/snapshots/c/f.json";
  fs::create_directories(cached.parent_path());
  std::ofstream(cached) << body_;
  setenv("HF_HUB_OFFLINE", "1", 1);
  expect_pulled(request({"https://huggingface.co/datasets/a/b/resolve/c/f.json"}));
}

TEST_F(Pull, PasswordsOfUrlsAreNotPrinted) {
  LoopbackServer server(body_, {{Reply::kStatus, 0, 404}}, true);
  const std::string host = server.url("a").substr(7);
  for (const std::string& url :
       {"http://user:hunter2@" + host, "user:hunter2@" + host, "http://user:hunter2/2@" + host,
        "http://hunter2:1/2@" + host, "ftp://user:hunter2@" + host, "http://" + host + "?t=hunter2",
        host + "#hunter2"}) {
    const std::string text = failure(request({url}), ErrorKind::kNotFound);
    EXPECT_FALSE(contains(text, "hunter2")) << text;
    EXPECT_TRUE(contains(text, host)) << text;
  }
}

TEST_F(Pull, TargetFolderThatCannotBeMade) {
  std::ofstream(folder_ / "sub") << "a file";
  LoopbackServer server(body_, {});
  EXPECT_THROW(pull(request({server.url("a")}), options_), Error);
}

TEST_F(Pull, ProgressCountsWhatWasThereBefore) {
  LoopbackServer server(body_, {{Reply::kBreak, 100000}});
  std::int64_t last = 0, total = 0;
  options_.progress = [&](std::int64_t done, std::int64_t all) { last = done, total = all; };
  expect_pulled(request({server.url("a")}));
  EXPECT_EQ(last, static_cast<std::int64_t>(body_.size()));
  EXPECT_EQ(total, static_cast<std::int64_t>(body_.size()));
}

// As on a full disk: what can be written is written, then the reason is said.
TEST_F(Pull, ADiskThatTakesNoMoreIsNamed) {
  LoopbackServer server(body_, {});
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  const rlimit small{.rlim_cur = 100000, .rlim_max = before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
  const std::string message = failure(request({server.url("a")}), ErrorKind::kIo);
  ::setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, handler);
  EXPECT_NE(message.find("cannot write: File too large"), std::string::npos) << message;
}

}  // namespace
}  // namespace elastic::datasets
