#include "engine/api/generator.h"

namespace elastic::engine {

std::vector<Result> Generator::generate(std::span<const Request> requests, std::int64_t most) {
  std::vector<Result> results(requests.size());
  std::size_t asked = 0;
  const RequestStream stream{
      [&] { return asked < requests.size() ? std::optional(requests[asked++]) : std::nullopt; },
      [&](std::int64_t number, std::variant<Result, std::exception_ptr> outcome) {
        if (const auto* failure = std::get_if<std::exception_ptr>(&outcome)) {
          std::rethrow_exception(*failure);
        }
        results[static_cast<std::size_t>(number)] = std::move(std::get<Result>(outcome));
      }};
  generate(stream, most);
  return results;
}

}  // namespace elastic::engine
