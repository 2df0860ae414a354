#include "engine/generate/in_flight.h"

#include <algorithm>
#include <deque>
#include <exception>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "base/error.h"

namespace elastic::engine {
namespace {

bool is_memory(const Error& error) { return error.kind() == ErrorKind::kOutOfMemory; }

class InFlight {
 public:
  InFlight(const InFlightEngine& engine, const RequestStream& stream, std::size_t most)
      : engine_(engine), stream_(stream), most_(most), room_(most) {}

  void run() {
    for (;;) {
      while (admit()) {
      }
      if (running_.empty()) return;
      step();
      hand_over();
    }
  }

 private:
  // The request whose turn it is, or null.
  const Answer* waiting() {
    while (waiting_.empty() && !ended_) {
      if (std::optional<Request> request = stream_.next()) {
        start(std::move(*request), asked_++);
      } else {
        ended_ = true;
      }
    }
    return waiting_.empty() ? nullptr : waiting_.front().get();
  }

  void start(Request request, std::int64_t number) {
    try {
      waiting_.push_back(std::make_unique<Answer>(engine_.start(std::move(request))));
      waiting_.back()->number = number;
    } catch (const Error&) {
      stream_.done(number, std::current_exception());
    }
  }

  // One more request, if there is one and room for it; what it throws is its result.
  bool admit() {
    if (!running_.empty() && running_.size() >= room_) return false;
    const Answer* next = waiting();
    if (next == nullptr || !fits(next->request)) return false;
    std::unique_ptr<Answer> answer = std::move(waiting_.front());
    waiting_.pop_front();
    try {
      answer->joules_before = joules();
      engine_.prefill(*answer);
    } catch (const Error& error) {
      if (error.kind() == ErrorKind::kDevice) throw;
      if (is_memory(error) && !running_.empty()) {
        begin_again(std::move(answer));
      } else {
        stream_.done(answer->number, std::current_exception());
      }
      return true;
    } catch (const std::exception&) {
      stream_.done(answer->number, std::current_exception());
      return true;
    }
    room_ = most_;
    running_.push_back(std::move(answer));
    hand_over();
    return true;
  }

  // Energy is one request's only where no other runs.
  std::optional<double> joules() const {
    return most_ == 1 && engine_.joules ? engine_.joules() : std::nullopt;
  }

  Result finished(Answer&& answer) const {
    const std::optional<double> before = answer.joules_before, after = joules();
    Result result = engine_.finish(std::move(answer));
    if (before && after) result.joules = *after - *before;
    return result;
  }

  bool fits(const Request& request) const {
    if (running_.empty()) return true;
    const InFlightEngine::Need need = engine_.need(request);
    std::int64_t bytes = need.kept + need.passing;
    for (const auto& answer : running_) bytes += engine_.need(answer->request).kept;
    return bytes <= engine_.available_bytes;
  }

  // To the head of the queue, and no earlier than when one more has ended.
  void begin_again(std::unique_ptr<Answer> answer) {
    const std::int64_t number = answer->number;
    std::shared_ptr<const AttentionPlan> plan = answer->plan;
    Request request = std::move(answer->request);
    answer.reset();
    waiting_.push_front(std::make_unique<Answer>(engine_.start(std::move(request))));
    waiting_.front()->number = number;
    waiting_.front()->plan = std::move(plan);
    room_ = running_.size();
  }

  void step() {
    std::vector<Answer*> batch;
    for (const auto& answer : running_) batch.push_back(answer.get());
    try {
      engine_.step(batch);
    } catch (const Error& error) {
      if (!is_memory(error)) throw;
      std::unique_ptr<Answer> last = std::move(running_.back());
      running_.pop_back();
      if (!running_.empty()) {
        begin_again(std::move(last));
      } else {
        stream_.done(last->number, std::current_exception());
      }
    }
  }

  void hand_over() {
    for (std::size_t i = 0; i < running_.size();) {
      if (!running_[i]->done) {
        ++i;
        continue;
      }
      const std::unique_ptr<Answer> answer = std::move(running_[i]);
      running_.erase(running_.begin() + static_cast<std::ptrdiff_t>(i));
      if (answer->failure) {
        stream_.done(answer->number, answer->failure);
      } else {
        stream_.done(answer->number, finished(std::move(*answer)));
      }
    }
  }

  const InFlightEngine& engine_;
  const RequestStream& stream_;
  std::size_t most_, room_;
  std::deque<std::unique_ptr<Answer>> waiting_;
  std::vector<std::unique_ptr<Answer>> running_;  // in the order in which they began
  std::int64_t asked_ = 0;
  bool ended_ = false;
};

}  // namespace

void run_in_flight(const InFlightEngine& engine, const RequestStream& stream, std::int64_t most) {
  InFlight(engine, stream, static_cast<std::size_t>(std::max<std::int64_t>(most, 1))).run();
}

}  // namespace elastic::engine
