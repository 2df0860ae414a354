#pragma once

// Requests in modes of their own, answered alone and then in flight together.

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <exception>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "engine/api/generator.h"

namespace elastic::testing {

struct Job {
  engine::Request request;
  std::string mode;
  engine::Result alone;
};

inline Job answered_alone(engine::Generator& generator, engine::Request request, std::string mode) {
  generator.set_mode(mode);
  engine::Result alone = generator.generate(request);
  return {std::move(request), std::move(mode), std::move(alone)};
}

/// Every job with up to `most` in flight: token by token what it was alone. Returns how many took a
/// step together at most.
inline std::int64_t expect_as_alone(engine::Generator& generator, const std::vector<Job>& jobs,
                                    std::int64_t most) {
  std::size_t next = 0, done = 0;
  std::int64_t together = 0;
  const engine::RequestStream stream{
      [&]() -> std::optional<engine::Request> {
        if (next == jobs.size()) return std::nullopt;
        generator.set_mode(jobs[next].mode);
        return jobs[next++].request;
      },
      [&](std::int64_t number, std::variant<engine::Result, std::exception_ptr> outcome) {
        const engine::Result& alone = jobs[static_cast<std::size_t>(number)].alone;
        const engine::Result& result = std::get<engine::Result>(outcome);
        EXPECT_EQ(result.ids, alone.ids) << "request " << number << ", " << most << " in flight";
        EXPECT_EQ(result.finish, alone.finish);
        EXPECT_EQ(result.trace.routing, alone.trace.routing);
        EXPECT_LE(result.batch, most);
        together = std::max(together, result.batch);
        ++done;
      }};
  generator.generate(stream, most);
  EXPECT_EQ(done, jobs.size());
  return together;
}

}  // namespace elastic::testing
