#pragma once

// What one rendering of a chat template may use. A template comes with a checkpoint and is foreign
// code: whatever it says, it ends within seconds and bounded memory. What takes time or room in
// proportion to data is charged here before it is done.
//
//   TemplateBudget budget;
//   budget.elements(list.size());   // throws TemplateFault where the template asks for too much

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace elastic::engine {

/// What the language's own operators and functions throw; the evaluator adds file and line.
struct TemplateFault {
  std::string what;
  bool unsupported = false;
};
[[noreturn]] void fault(std::string what);

class TemplateBudget {
 public:
  /// A statement or an expression.
  void step() { take(1, steps_, "takes too many steps"); }

  /// Items and characters that are copied, compared or written one by one.
  void elements(std::size_t count) { take(count, elements_, "handles lists that are too long"); }

  /// A name looked for among that many; sixteen are as quick as one item.
  void names(std::size_t count) { elements(count / 16 + 1); }

  /// Bytes of texts that are made, searched or compared.
  void bytes(std::size_t count) { take(count, bytes_, "handles too much text"); }

  /// Of one text or of all that is printed.
  void text_of(std::size_t size);

  class Nested;

 private:
  // Throws Interrupted too, where a signal was noted.
  void take(std::size_t count, std::size_t& left, std::string_view what);

  std::size_t steps_ = 1'000'000;
  std::size_t elements_ = 8'000'000;
  std::size_t bytes_ = std::size_t{256} << 20;
  int depth_ = 0;
};

/// One statement or expression inside another, or in a macro that it calls, while it lives.
class TemplateBudget::Nested {
 public:
  explicit Nested(TemplateBudget& budget);
  ~Nested() { --budget_.depth_; }
  Nested(const Nested&) = delete;
  Nested& operator=(const Nested&) = delete;

 private:
  TemplateBudget& budget_;
};

/// A text that grows piece by piece, each charged.
class BudgetedText {
 public:
  explicit BudgetedText(TemplateBudget& budget) : budget_(budget) {}

  BudgetedText& operator+=(std::string_view piece) {
    budget_.text_of(text_.size() + piece.size());
    budget_.bytes(piece.size());
    text_ += piece;
    return *this;
  }
  std::size_t size() const { return text_.size(); }
  std::string take() { return std::move(text_); }

 private:
  TemplateBudget& budget_;
  std::string text_;
};

}  // namespace elastic::engine
