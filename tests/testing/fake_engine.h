#pragma once

// A Generator and a Task without a model, for tests of the loop around them. The fake engine's
// answer is a pure function of ids and mode, so two runs can be compared record by record.

#include <fmt/format.h>

#include <chrono>
#include <csignal>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/text.h"
#include "engine/api/generator.h"
#include "harness/run/plan.h"
#include "tasks/task.h"

namespace elastic::testing {

/// Answers "right-<first id>" in mode `fa`, and "wrong" for odd first ids in others.
class FakeGenerator : public engine::Generator {
 public:
  FakeGenerator() {
    info_.name = "fake";
    info_.max_positions = 8192;
    info_.weights_sha256 = "w0";
    info_.config_sha256 = "c0";
  }

  const engine::ModelInfo& model() const override { return info_; }
  std::string device() const override { return device_; }
  std::string dtype() const override { return dtype_; }
  void set_mode(std::string_view mode) override {
    if (mode.empty() || mode.front() == '?') {
      throw Error(ErrorKind::kInvalidArgument, fmt::format("unknown mode `{}`", mode));
    }
    mode_ = mode;
  }
  std::string mode() const override { return mode_ == "alias" ? "fa" : mode_; }

  std::vector<engine::Result> generate(std::span<const engine::Request> requests) override {
    std::vector<engine::Result> results;
    for (const engine::Request& request : requests) {
      requests_.push_back(request);
      if (before_) before_(request);
      if (delay_.count() > 0) std::this_thread::sleep_for(delay_);
      engine::Result result;
      const std::int32_t id = request.ids.front();
      result.text = mode_ != "fa" && id % 2 == 1 ? "wrong" : fmt::format("right-{}", id);
      result.ids = {id, 2};
      result.trace.routing = {"01", mode_ == "fa" ? "00" : "11"};
      result.trace.msr = mode_ == "fa" ? 0.25 : 0.75;
      result.timing = {.prefill_ms = 2, .attention_ms = 1, .ttft_ms = 2.5, .decode_ms = 1.5};
      result.peak_bytes = 1000 + id;
      result.kv_bytes = 250;
      result.kv_bytes_full = 1000;
      if (after_) after_(request, result);
      results.push_back(std::move(result));
    }
    return results;
  }

  using Generator::generate;

  /// In groups of up to `most`: the first of a group is answered once there is no room for another.
  void generate(const engine::RequestStream& stream, std::int64_t most) override {
    std::int64_t number = 0;
    for (std::vector<Asked> group;; group.clear()) {
      while (std::ssize(group) < most) {
        auto request = stream.next();
        if (!request) break;
        group.push_back({std::move(*request), mode_});
      }
      for (const Asked& asked : group) answer(asked, number++, group.size(), stream);
      if (std::ssize(group) < most) return;
    }
  }

  /// The first id as the pooled keys of every layer.
  std::vector<engine::RouterFeatures> router_features(std::span<const std::int32_t> ids,
                                                      std::int64_t layers) override {
    const engine::RouterFeatures features{{static_cast<float>(ids.front())}, {1.0f}};
    return std::vector<engine::RouterFeatures>(static_cast<std::size_t>(layers), features);
  }

  /// Of one layer with one head: how many tokens the needle has.
  std::vector<std::vector<float>> retrieval_scores(std::span<const std::int32_t>,
                                                   std::span<const std::int64_t> needle) override {
    return {{static_cast<float>(needle.size())}};
  }

  struct Asked {
    engine::Request request;
    std::string mode;
  };
  void answer(const Asked& asked, std::int64_t number, std::size_t together,
              const engine::RequestStream& stream) {
    const std::string mode_of_now = std::exchange(mode_, asked.mode);
    try {
      engine::Result result = Generator::generate(asked.request);
      result.batch = static_cast<std::int64_t>(together);
      stream.done(number, std::move(result));
    } catch (const Error& error) {
      if (error.kind() == ErrorKind::kDevice) throw;
      stream.done(number, std::current_exception());
    } catch (const std::exception&) {
      stream.done(number, std::current_exception());
    }
    mode_ = mode_of_now;
  }

  engine::ModelInfo info_;
  std::string mode_ = "fa";
  std::string device_ = "cpu", dtype_ = "fp32";
  std::function<void(const engine::Request&)> before_;                  // may throw
  std::function<void(const engine::Request&, engine::Result&)> after_;  // may change the result
  std::chrono::microseconds delay_{0};
  std::vector<engine::Request> requests_;  // all that came, in order
};

/// Sample i of length L: ids {i, 0, 0, ...}, L minus the budget of 10 of them.
class FakeTask : public tasks::Task {
 public:
  explicit FakeTask(std::string name = "ruler/fake", bool has_lengths = true) {
    info_.name = std::move(name);
    info_.suite = info_.name.substr(0, info_.name.find('/'));
    info_.category = "testing";
    info_.metric = "equality";
    info_.max_new_tokens = 10;
    info_.has_lengths = info_.begins_answer = has_lengths;
    info_.default_limit = 5;
  }

  const tasks::TaskInfo& info() const override { return info_; }

  std::vector<tasks::Sample> load(const tasks::LoadRequest& request) const override {
    if (request.length > 0 && request.length < 64) {
      throw Error(ErrorKind::kInvalidArgument,
                  fmt::format("{}: length {} is too short; the smallest that works is 64",
                              info_.name, request.length));
    }
    std::vector<tasks::Sample> samples;
    for (std::int64_t i = 0; i < request.limit; ++i) {
      tasks::Sample sample;
      sample.index = i;
      sample.input = fmt::format("{} {} {} {}", salt_, request.seed, i, request.length);
      sample.references = {fmt::format("{}-{}", reference_, i)};
      sample.answer_prefix = answer_prefix_;
      sample.strata["depth"] = std::to_string(i * 10);
      samples.push_back(std::move(sample));
    }
    return samples;
  }

  tasks::Prompt prompt(const tasks::Sample& sample,
                       const tasks::PromptContext& context) const override {
    const std::int64_t length = parse_int(sample.input.substr(sample.input.rfind(' ') + 1)).value();
    std::int64_t tokens = std::max<std::int64_t>(1, length - info_.max_new_tokens - missing_);
    tasks::Prompt prompt{.text = sample.input, .max_new_tokens = info_.max_new_tokens};
    if (sample.index == signal_at_) std::raise(SIGTERM);
    if (seen_) seen_(context);
    if (sample.index == refused_) throw Error(ErrorKind::kInvalidArgument, "cannot be asked");
    if (truncates_ && tokens > context.max_length) {
      prompt.truncated_tokens = tokens - context.max_length;
      tokens = context.max_length;
    }
    prompt.ids.assign(static_cast<std::size_t>(tokens), 0);
    prompt.ids[0] = static_cast<std::int32_t>(sample.index);
    prompt.second_pass = asks_twice_;
    if (prefix_ >= 0) prompt.ids.insert(prompt.ids.begin(), 2, prefix_);
    return prompt;
  }

  std::optional<tasks::Prompt> follow_up(const tasks::Sample& sample, const tasks::PromptContext& c,
                                         std::string_view) const override {
    return asks_twice_ ? std::optional(prompt(sample, c)) : std::nullopt;
  }

  double score(const tasks::Sample& sample, std::string_view prediction) const override {
    return prediction == sample.references.front() ? 1 : 0;
  }

  tasks::TaskInfo info_;
  bool asks_twice_ = false;
  std::string salt_ = "text", reference_ = "right", answer_prefix_;
  std::function<void(const tasks::PromptContext&)> seen_;
  std::int64_t missing_ = 0;     // tokens by which prompts fall short of their length
  std::int64_t refused_ = -1;    // sample whose prompt cannot be made
  std::int64_t signal_at_ = -1;  // sample whose prompt comes with a SIGTERM
  std::int32_t prefix_ = -1;     // id put in front twice
  bool truncates_ = false;
};

/// "ruler/fake", "ruler/second" and "longbench/set" (no lengths).
inline std::span<const tasks::Suite> fake_suites() {
  static constexpr tasks::Suite kSuites[] = {
      {.name = "ruler",
       .title = "RULER",
       .profiles = "ruler",
       .profile = "ruler@official",
       .demo_profile = "ruler@builtin",
       .tasks =
           [] {
             return std::vector<std::string>{"fake", "second"};
           },
       .make = [](std::string_view name) -> std::unique_ptr<tasks::Task> {
         return std::make_unique<FakeTask>("ruler/" + std::string(name), true);
       }},
      {.name = "longbench",
       .title = "LongBench",
       .profiles = "longbench",
       .profile = "longbench@official",
       .demo_profile = "longbench@builtin",
       .tasks = [] { return std::vector<std::string>{"set"}; },
       .make = [](std::string_view name) -> std::unique_ptr<tasks::Task> {
         return std::make_unique<FakeTask>("longbench/" + std::string(name), false);
       }},
  };
  return kSuites;
}

}  // namespace elastic::testing
