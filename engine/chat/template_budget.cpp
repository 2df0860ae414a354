#include "engine/chat/template_budget.h"

#include <fmt/format.h>

#include "base/interrupt.h"

namespace elastic::engine {
namespace {

constexpr std::size_t kMaxText = std::size_t{64} << 20;
// Of statements and expressions within each other, macros included: some 300 KB of stack.
constexpr int kMaxNested = 1000;

}  // namespace

void fault(std::string what) { throw TemplateFault{std::move(what), false}; }

void TemplateBudget::take(std::size_t count, std::size_t& left, std::string_view what) {
  stop_if_interrupted();
  if (count > left) fault(fmt::format("the template {}", what));
  left -= count;
}

void TemplateBudget::text_of(std::size_t size) {
  if (size > kMaxText) fault("a text of more than 64 MB");
}

TemplateBudget::Nested::Nested(TemplateBudget& budget) : budget_(budget) {
  if (budget.depth_ >= kMaxNested) fault("the template is nested, or calls its macros, too deeply");
  ++budget.depth_;
}

}  // namespace elastic::engine
