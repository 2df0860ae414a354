// What a generator says of itself and of requests that it does not take; how it is made.

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/json.h"
#include "engine/api/make_generator.h"
#include "tests/engine/golden_run.h"
#include "tests/testing/folders.h"

namespace elastic::engine {
namespace {

namespace fs = std::filesystem;
using namespace elastic::testing;

constexpr const char* kPlainModel = "models/llama_linear_bias";
constexpr const char* kRoutedModel = "routed/paw_llama_small";

// The message of an error of this kind; "" where none came.
template <typename Call>
std::string error_text(ErrorKind kind, const Call& call) {
  try {
    call();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), kind) << error.what();
    return error.what();
  }
  return "";
}

TEST(GenerateInfo, ModelsAreDescribed) {
  const auto words = [](const ModelInfo& m) {
    std::string text = m.family;
    for (const std::int64_t n :
         {m.layers, m.heads_q, m.heads_kv, m.head_dim, m.hidden, m.vocab, m.max_positions}) {
      text += " " + std::to_string(n);
    }
    return text + (m.has_router ? " router" : "") + (m.has_tokenizer ? " tokenizer" : "");
  };
  const auto plain = cpu_generator(fixture(kPlainModel));
  EXPECT_EQ(words(plain->model()), "llama 2 6 2 8 48 96 512");
  EXPECT_EQ(words(cpu_generator(fixture(kRoutedModel))->model()), "llama 3 6 3 8 48 96 512 router");
  EXPECT_EQ(words(cpu_generator(fixture("models/qwen3_yarn_options"))->model()),
            "qwen3 3 4 2 24 40 96 512");
  EXPECT_TRUE(cpu_generator(demo())->model().has_tokenizer);
  EXPECT_EQ(plain->model().name, "llama_linear_bias");
  EXPECT_EQ(plain->model().config_sha256, sha256_file(fixture(kPlainModel) / "config.json"));
  EXPECT_FALSE(plain->model().weights_sha256.empty());
  EXPECT_EQ(plain->device(), "cpu");
  EXPECT_EQ(plain->dtype(), "fp32");
  EXPECT_EQ(plain->mode(), "fa");
}

TEST(GenerateInfo, ModesTakeTheWindowOfTheCheckpointAndSayTheirNoteOnce) {
  const auto generator = cpu_generator(fixture(kRoutedModel));
  const auto said = [&](const char* mode) {
    ::testing::internal::CaptureStderr();
    generator->set_mode(mode);
    return ::testing::internal::GetCapturedStderr();
  };
  const std::string note =
      "mode `fa-ssa`: prefill works in blocks of 128 tokens, so sink=100 acts as 128 and local=128 "
      "as 128; block=1 keeps exact tokens\n";
  EXPECT_EQ(said("fa-ssa"), note);
  EXPECT_EQ(generator->mode(), "fa-ssa:sink=100,local=128,block=128,decode=full");
  EXPECT_EQ(said("fa"), "");
  EXPECT_EQ(said("fa-ssa"), "");
  EXPECT_EQ(said("ssa:sink=128"), "");
  EXPECT_EQ(generator->mode(), "ssa:sink=128,local=128,block=128,decode=full");
}

TEST(GenerateInfo, RequestsThatCannotBeAreNamed) {
  const auto generator = cpu_generator(fixture(kPlainModel));
  const auto refused = [&](const Request& request) {
    return error_text(ErrorKind::kInvalidArgument, [&] { generator->generate(request); });
  };
  EXPECT_EQ(refused(request_of({}, 1)), "the prompt is empty: no token ids");
  EXPECT_EQ(refused(request_of({5, 96}, 1)),
            "token id 96 lies outside the model's vocabulary of 96");
  EXPECT_EQ(refused(request_of({-1, 5}, 1)),
            "token id -1 lies outside the model's vocabulary of 96");
  EXPECT_EQ(refused(request_of({0, 95}, 0)), "");
  EXPECT_EQ(refused(request_of({5}, -1)), "max_new_tokens is -1");
  Request hot = request_of({5}, 1);
  hot.sampling.top_p = 0;
  EXPECT_EQ(refused(hot), "top_p is 0, expected 0 < top_p <= 1");
}

TEST(GenerateInfo, TooManyPositionsAreCounted) {
  const auto generator = cpu_generator(fixture(kRoutedModel));
  generator->set_mode("fa-ssa");
  const auto said = [](const auto& call) {
    ::testing::internal::CaptureStderr();
    call();
    return ::testing::internal::GetCapturedStderr();
  };
  const auto text = [&](std::int64_t prompt, std::int64_t answer) {
    return said([&] { generator->generate(request_of(some_ids(prompt, 7), answer)); });
  };
  EXPECT_EQ(text(511, 2), "");
  EXPECT_EQ(text(511, 3), "warning: 511 prompt + 3 new tokens exceed the model's 512 positions\n");
  EXPECT_EQ(said([&] { generator->router_features(some_ids(513, 7), 1); }), "");
  EXPECT_EQ(said([&] { generator->router_features(some_ids(514, 7), 1); }),
            "warning: 514 prompt + 0 new tokens exceed the model's 512 positions\n");
}

TEST(GenerateInfo, FeaturesAreThoseOfRoutersThatAreThere) {
  const auto generator = cpu_generator(fixture(kRoutedModel));
  const auto refused = [&](ErrorKind kind, std::int64_t layers) {
    return error_text(kind, [&] { generator->router_features(some_ids(5, 7), layers); });
  };
  EXPECT_EQ(refused(ErrorKind::kUnsupported, 1),
            "mode `fa` has no router to look into; choose a routed one (fa-ssa)");
  generator->set_mode("fa-ssa");
  EXPECT_EQ(refused(ErrorKind::kInvalidArgument, 0), "layers of the router: 0, the model has 3");
  EXPECT_EQ(refused(ErrorKind::kInvalidArgument, 4), "layers of the router: 4, the model has 3");
  EXPECT_EQ(refused(ErrorKind::kInvalidArgument, 3), "");
}

// All but the tokens that would end the answer are drawn while it is too short; ids that are none
// of the vocabulary's are passed over.
TEST(GenerateInfo, EarlyTokensAreAllThatDoNotEnd) {
  const auto generator = cpu_generator(fixture(kPlainModel));
  Request request = request_of({5, 7}, 400);
  request.min_new_tokens = 400;
  request.sampling.temperature = 1e9;  // every token as likely as any
  request.stop_ids = {0, 95, -1, 96, 1000};
  const std::vector<std::int32_t> ids = generator->generate(request).ids;
  ASSERT_EQ(ids.size(), 400u);
  const auto drawn = [&](std::int32_t id) {
    return std::find(ids.begin(), ids.end(), id) != ids.end();
  };
  for (const std::int32_t id : {0, 1, 95}) EXPECT_FALSE(drawn(id)) << id;
  for (const std::int32_t id : {2, 3, 94}) EXPECT_TRUE(drawn(id)) << id;
}

TEST(GenerateInfo, FoldersAreReadAsTheyAre) {
  const TemporaryFolder folder;
  const auto made = [&] { cpu_generator(folder / "model"); };
  fs::copy(fixture(kPlainModel), folder / "model");
  EXPECT_NO_THROW(made()) << "without a tokenizer";
  write_file_atomic(folder / "model/tokenizer.json", "{");
  EXPECT_NE(error_text(ErrorKind::kCorrupt, made).find("tokenizer.json"), std::string::npos);
  GeneratorOptions options;
  options.model = fixture(kPlainModel);
  options.device = "cpu";
  options.dtype = "int4";
  EXPECT_EQ(error_text(ErrorKind::kInvalidArgument, [&] { make_generator(options); }),
            "dtype `int4`; known: auto, fp32, bf16");
  for (const auto& [asked, got] :
       {std::pair{"fp32", "fp32"}, std::pair{"bf16", "bf16"}, std::pair{"auto", "fp32"}}) {
    options.dtype = asked;
    EXPECT_EQ(make_generator(options)->dtype(), got);
  }
}

// Modes are held against a folder before its weights are there.
TEST(GenerateInfo, ModesAreCheckedAgainstAFolder) {
  const std::vector<std::string> modes = {"fa", "ssa", "fa-ssa"};
  EXPECT_NO_THROW(check_modes(fixture(kRoutedModel), {}, modes));
  EXPECT_NE(
      error_text(ErrorKind::kUnsupported, [&] { check_modes(fixture(kPlainModel), {}, modes); }),
      "");
  EXPECT_NE(error_text(ErrorKind::kInvalidArgument,
                       [] { check_modes(fixture(kRoutedModel), {}, {"fast"}); }),
            "");
  const TemporaryFolder folder;
  fs::copy(fixture(kPlainModel) / "config.json", folder / "config.json");
  EXPECT_NO_THROW(check_modes(folder.path(), {}, modes)) << "no weights yet: they may have routers";
}

}  // namespace
}  // namespace elastic::engine
