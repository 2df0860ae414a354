// Requests in flight: when they are admitted, what happens where memory runs out, and that each is
// answered as if it were alone.

#include "engine/generate/in_flight.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>

#include "base/error.h"
#include "tests/engine/golden_run.h"
#include "tests/engine/jobs.h"
#include "tests/testing/folders.h"

namespace elastic::engine {
namespace {

using elastic::testing::cpu_generator;
using elastic::testing::fixture;
using elastic::testing::request_of;
using elastic::testing::some_ids;

// An engine whose requests want max_new_tokens steps and keep as many bytes as they have ids; what
// it did is written down.
struct Script {
  std::vector<std::string> log;
  std::size_t most = 0;             // running together
  std::int64_t held = 0, peak = 0;  // bytes of those running
  std::function<void(Answer&)> before_prefill = [](Answer&) {};
  std::function<void(std::span<Answer* const>)> before_step = [](std::span<Answer* const>) {};

  InFlightEngine engine(std::int64_t bytes) {
    InFlightEngine e;
    e.start = [](Request request) {
      if (request.ids.empty()) throw Error(ErrorKind::kInvalidArgument, "empty");
      return Answer{.request = std::move(request),
                    .plan = nullptr,
                    .sequence = std::nullopt,
                    .result = {},
                    .stream = SplitMix64(0),
                    .stop = StopMatcher(nullptr, {}),
                    .failure = {}};
    };
    e.prefill = [this](Answer& answer) {
      before_prefill(answer);
      log.push_back("+" + std::to_string(answer.number));
      held += std::ssize(answer.request.ids);
      peak = std::max(peak, held);
      answer.done = answer.request.max_new_tokens == 0;
    };
    e.step = [this](std::span<Answer* const> batch) {
      before_step(batch);
      most = std::max(most, batch.size());
      for (Answer* answer : batch) {
        answer->result.ids.push_back(answer->number);
        answer->done = std::ssize(answer->result.ids) >= answer->request.max_new_tokens;
      }
    };
    e.finish = [this](Answer&& answer) {
      log.push_back("-" + std::to_string(answer.number));
      held -= std::ssize(answer.request.ids);
      return std::move(answer.result);
    };
    e.need = [](const Request& request) {
      return InFlightEngine::Need{std::ssize(request.ids), 1};
    };
    e.available_bytes = bytes;
    return e;
  }
};

struct Requests {
  std::vector<Request> all;
  std::size_t next = 0;
  std::map<std::int64_t, Result> results;
  std::map<std::int64_t, std::string> failures;

  RequestStream stream() {
    return {[this] { return next < all.size() ? std::optional(all[next++]) : std::nullopt; },
            [this](std::int64_t number, std::variant<Result, std::exception_ptr> outcome) {
              if (auto* result = std::get_if<Result>(&outcome)) {
                EXPECT_TRUE(results.emplace(number, std::move(*result)).second);
                return;
              }
              try {
                std::rethrow_exception(std::get<std::exception_ptr>(outcome));
              } catch (const std::exception& error) {
                EXPECT_TRUE(failures.emplace(number, error.what()).second);
              }
            }};
  }
};

Request wanting(std::int64_t bytes, std::int64_t steps) {
  return request_of(std::vector<std::int32_t>(static_cast<std::size_t>(bytes), 1), steps);
}

TEST(InFlight, TheNextBeginsAsSoonAsOneEnds) {
  Script script;
  Requests requests{{wanting(1, 3), wanting(1, 1), wanting(1, 0), wanting(1, 2)}};
  run_in_flight(script.engine(1000), requests.stream(), 2);
  EXPECT_EQ(script.log, (std::vector<std::string>{"+0", "+1", "-1", "+2", "-2", "+3", "-0", "-3"}));
  EXPECT_EQ(requests.results.size(), 4u);
}

// A counter that every prompt moves by 5 and every step by 2 joules.
TEST(InFlight, EnergyIsThatOfARequestThatRunsAlone) {
  for (const std::int64_t most : {1, 2}) {
    double counter = 1e6;
    Script script;
    script.before_prefill = [&](Answer& answer) {
      counter += 5;
      if (answer.number == 1) throw Error(ErrorKind::kNonFinite, "no numbers");
    };
    script.before_step = [&](std::span<Answer* const>) { counter += 2; };
    InFlightEngine engine = script.engine(1000);
    engine.joules = [&] { return std::optional(counter); };
    Requests requests{{wanting(1, 3), wanting(1, 1), wanting(1, 0), wanting(1, 2)}};
    run_in_flight(engine, requests.stream(), most);
    ASSERT_EQ(requests.results.size(), 3u);
    for (const auto& [number, joules] : std::map<std::int64_t, double>{{0, 11}, {2, 5}, {3, 9}}) {
      EXPECT_EQ(requests.results[number].joules, most == 1 ? std::optional(joules) : std::nullopt);
    }
  }
  for (const auto& none : {std::function<std::optional<double>()>(),
                           std::function([] { return std::optional<double>(); })}) {
    Script script;
    InFlightEngine engine = script.engine(1000);
    engine.joules = none;
    Requests requests{{wanting(1, 3)}};
    run_in_flight(engine, requests.stream(), 1);
    EXPECT_FALSE(requests.results[0].joules);
  }
}

TEST(InFlight, ReservedBytesStayWithinWhatThereIs) {
  std::mt19937 random(3);
  for (int round = 0; round < 50; ++round) {
    Script script;
    Requests requests;
    for (int i = 0; i < 40; ++i) requests.all.push_back(wanting(1 + random() % 9, random() % 6));
    run_in_flight(script.engine(20), requests.stream(), 8);
    EXPECT_LE(script.peak, 19) << "one passing byte of each prefill";
    EXPECT_LE(script.most, 8u);
    EXPECT_EQ(script.held, 0);
    ASSERT_EQ(requests.results.size(), 40u);
    for (std::int64_t i = 0; i < 40; ++i) {
      const auto steps = requests.all[static_cast<std::size_t>(i)].max_new_tokens;
      EXPECT_EQ(std::ssize(requests.results[i].ids), steps);
    }
  }
}

TEST(InFlight, ARequestLargerThanAllThereIsRunsAlone) {
  Script script;
  Requests requests{{wanting(1, 2), wanting(90, 2), wanting(1, 2)}};
  run_in_flight(script.engine(20), requests.stream(), 8);
  EXPECT_EQ(script.log, (std::vector<std::string>{"+0", "-0", "+1", "-1", "+2", "-2"}));
}

TEST(InFlight, WhereMemoryRunsOutTheLastBeginsAgain) {
  Script script;
  int refusals = 0;
  script.before_prefill = [&](Answer& answer) {  // estimates were wrong: two fit, not three
    if (script.held >= 2 && ++refusals > 0) throw Error(ErrorKind::kOutOfMemory, "full");
    EXPECT_TRUE(answer.result.ids.empty()) << "from its beginning";
  };
  bool refused = false;
  script.before_step = [&](std::span<Answer* const> batch) {
    if (batch.size() == 2 && !std::exchange(refused, true)) {
      script.held -= 1;  // of the one that is taken out
      throw Error(ErrorKind::kOutOfMemory, "grown");
    }
  };
  Requests requests{{wanting(1, 3), wanting(1, 4), wanting(1, 2), wanting(1, 2)}};
  run_in_flight(script.engine(1000), requests.stream(), 8);
  EXPECT_TRUE(requests.failures.empty());
  ASSERT_EQ(requests.results.size(), 4u);
  EXPECT_GT(refusals, 0);
  for (const auto& [number, result] : requests.results) {
    EXPECT_EQ(std::ssize(result.ids),
              requests.all[static_cast<std::size_t>(number)].max_new_tokens);
  }
}

TEST(InFlight, FailuresAreTheirOwnAndADeadDeviceIsEverybodys) {
  Script script;
  script.before_prefill = [](Answer& answer) {
    if (answer.number == 1) throw Error(ErrorKind::kOutOfMemory, "larger than the device");
    if (answer.number == 3) throw std::runtime_error("odd");
  };
  Requests requests{{wanting(1, 2), wanting(99, 2), {}, wanting(1, 2), wanting(1, 2)}};
  run_in_flight(script.engine(1000), requests.stream(), 3);
  EXPECT_EQ(requests.failures, (std::map<std::int64_t, std::string>{
                                   {1, "larger than the device"}, {2, "empty"}, {3, "odd"}}));
  EXPECT_EQ(requests.results.size(), 2u);
  script.before_step = [](std::span<Answer* const>) { throw Error(ErrorKind::kDevice, "dead"); };
  Requests others{{wanting(1, 2), wanting(1, 2)}};
  EXPECT_THROW(run_in_flight(script.engine(1000), others.stream(), 3), Error);
  EXPECT_TRUE(others.failures.empty());
}

// Arrivals in any order, in modes of their own.
TEST(InFlight, EachIsAnsweredAsIfItWereAlone) {
  const auto generator = cpu_generator(fixture("routed/paw_llama_small"));
  const std::vector<std::string> modes = {"fa", "fa-ssa", "fa-ssa:decode=sparse", "quest:budget=64",
                                          "snapkv:budget=90,adakv=0.2"};
  std::mt19937 random(7);
  std::vector<elastic::testing::Job> jobs;
  for (int i = 0; i < 14; ++i) {
    Request request = request_of(some_ids(1 + random() % 400, 3 + i), random() % 9);
    if (i % 3 == 0) request.sampling = {.temperature = 1, .top_k = 20, .seed = 4};
    jobs.push_back(elastic::testing::answered_alone(*generator, std::move(request),
                                                    modes[random() % modes.size()]));
  }
  for (const std::int64_t most : {1, 3, 14}) {
    std::shuffle(jobs.begin(), jobs.end(), random);
    elastic::testing::expect_as_alone(*generator, jobs, most);
  }
}

}  // namespace
}  // namespace elastic::engine
