#include "tasks/metrics/chinese_segmentation.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <limits>
#include <span>
#include <string>

#include "base/unicode.h"
#include "base/utf8.h"

namespace elastic::tasks {
namespace {

using datasets::ChineseHmm;
using datasets::ChineseModel;
using datasets::ChineseWords;

enum State : std::uint8_t { kBegin, kMiddle, kEnd, kSingle };  // by ChineseHmm::kNames

bool is_han(char32_t c) { return c >= ChineseHmm::kFirst && c <= ChineseHmm::kLast; }

bool is_ascii_digit(char32_t c) { return c >= '0' && c <= '9'; }

bool is_ascii_alphanumeric(char32_t c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || is_ascii_digit(c);
}

bool in_block(char32_t c) {
  return is_han(c) || is_ascii_alphanumeric(c) ||
         (c < 0x80 && std::string_view("+#&._%-").find(static_cast<char>(c)) != std::string::npos);
}

// States that may come before each, smaller letter first (B < E < M < S): the reference takes the
// larger of (probability, letter), so the later of two equals wins.
constexpr std::array<std::array<State, 2>, ChineseHmm::kStates> kBefore = {
    {{kEnd, kSingle}, {kBegin, kMiddle}, {kBegin, kMiddle}, {kEnd, kSingle}}};

// One text being cut: positions are characters.
class Cutter {
 public:
  Cutter(const ChineseModel& model, std::u32string_view text, std::vector<std::size_t>& ends)
      : words_(model.words), hmm_(model.hmm), text_(text), ends_(ends) {}

  void run() {
    for (std::size_t at = 0; at < text_.size();) {
      std::size_t end = at;
      while (end < text_.size() && in_block(text_[end])) ++end;
      if (end > at) {
        cut_block(at, end);
        at = end;
      } else {
        const bool line_end = text_[at] == '\r' && at + 1 < text_.size() && text_[at + 1] == '\n';
        at += line_end ? 2 : 1;
        ends_.push_back(at);
      }
    }
  }

 private:
  void token(std::size_t end) { ends_.push_back(end); }

  // best_[k - begin] = weight of the best path from k to the block's end,
  // next_ where its first word ends.
  void find_route(std::size_t begin, std::size_t end) {
    const std::size_t n = end - begin;
    best_.assign(n + 1, 0);
    next_.assign(n, 0);
    for (std::size_t k = n; k-- > 0;) {
      double best = -std::numeric_limits<double>::infinity();
      std::size_t next = 0;
      ChineseWords::Node node = ChineseWords::kRoot;
      for (std::size_t j = k; j < n; ++j) {
        node = words_.child(node, text_[begin + j]);
        if (node == ChineseWords::kNone) break;
        if (words_.count(node) == 0) continue;
        const double value = words_.weight(node) + best_[j + 1];
        if (value >= best) {
          best = value;
          next = j + 1;
        }
      }
      if (next == 0) {
        best = words_.unknown_weight() + best_[k + 1];
        next = k + 1;
      }
      best_[k] = best;
      next_[k] = next;
    }
  }

  void cut_block(std::size_t begin, std::size_t end) {
    find_route(begin, end);
    std::size_t buffer = begin;  // single characters not yet given out start here
    for (std::size_t at = begin; at < end;) {
      const std::size_t next = begin + next_[at - begin];
      if (next - at > 1) {
        flush(buffer, at);
        token(next);
        buffer = next;
      }
      at = next;
    }
    flush(buffer, end);
  }

  bool is_word(std::size_t begin, std::size_t end) const {
    ChineseWords::Node node = ChineseWords::kRoot;
    for (std::size_t i = begin; i < end && node != ChineseWords::kNone; ++i) {
      node = words_.child(node, text_[i]);
    }
    return node != ChineseWords::kNone && words_.count(node) > 0;
  }

  void flush(std::size_t begin, std::size_t end) {
    if (begin == end) return;
    if (end - begin == 1 || is_word(begin, end)) {
      for (std::size_t i = begin; i < end; ++i) token(i + 1);
      return;
    }
    for (std::size_t at = begin; at < end;) {
      const bool han = is_han(text_[at]);
      std::size_t stop = at;
      while (stop < end && is_han(text_[stop]) == han) ++stop;
      han ? cut_han(at, stop) : cut_other(at, stop);
      at = stop;
    }
  }

  // Letters and digits with an optional decimal part and percent sign; what lies between such
  // matches is one token each.
  void cut_other(std::size_t begin, std::size_t end) {
    const auto run = [&](std::size_t at, bool (*accepts)(char32_t)) {
      while (at < end && accepts(text_[at])) ++at;
      return at;
    };
    std::size_t between = begin;
    for (std::size_t at = begin; at < end;) {
      std::size_t stop = run(at, is_ascii_alphanumeric);
      if (stop == at) {
        ++at;
        continue;
      }
      if (stop + 1 < end && text_[stop] == '.' && is_ascii_digit(text_[stop + 1])) {
        stop = run(stop + 1, is_ascii_digit);
      }
      if (stop < end && text_[stop] == '%') ++stop;
      if (between < at) token(at);
      token(stop);
      at = between = stop;
    }
    if (between < end) token(end);
  }

  // The most probable states of [begin, end), by Viterbi's algorithm.
  void find_states(std::size_t begin, std::size_t end) {
    const std::size_t n = end - begin;
    std::array<double, ChineseHmm::kStates> now{}, before{};
    from_.assign(n, {});
    states_.assign(n, kSingle);
    for (std::size_t y = 0; y < ChineseHmm::kStates; ++y) {
      now[y] = hmm_.start[y] + hmm_.emission[y][text_[begin] - ChineseHmm::kFirst];
    }
    for (std::size_t t = 1; t < n; ++t) {
      before = now;
      for (std::size_t y = 0; y < ChineseHmm::kStates; ++y) {
        const double emission = hmm_.emission[y][text_[begin + t] - ChineseHmm::kFirst];
        const auto [a, b] = kBefore[y];
        const double via_a = before[a] + hmm_.transition[a][y] + emission;
        const double via_b = before[b] + hmm_.transition[b][y] + emission;
        from_[t][y] = via_b >= via_a ? b : a;
        now[y] = via_b >= via_a ? via_b : via_a;
      }
    }
    State state = now[kSingle] >= now[kEnd] ? kSingle : kEnd;
    for (std::size_t t = n; t-- > 0;) {
      states_[t] = state;
      if (t > 0) state = from_[t][state];
    }
  }

  void cut_han(std::size_t begin, std::size_t end) {
    find_states(begin, end);
    std::size_t done = begin;
    for (std::size_t i = begin; i < end; ++i) {
      const State state = states_[i - begin];
      if (state != kEnd && state != kSingle) continue;
      token(i + 1);
      done = i + 1;
    }
    if (done < end) token(end);
  }

  const ChineseWords& words_;
  const ChineseHmm& hmm_;
  std::u32string_view text_;
  std::vector<std::size_t>& ends_;
  std::vector<double> best_;
  std::vector<std::size_t> next_;
  std::vector<std::array<State, ChineseHmm::kStates>> from_;
  std::vector<State> states_;
};

}  // namespace

std::vector<std::string_view> ChineseSegmenter::cut(std::string_view text) const {
  const std::u32string characters = code_points(text);
  std::vector<std::size_t> ends;
  Cutter(model_, characters, ends).run();
  std::vector<std::string_view> tokens;
  tokens.reserve(ends.size());
  std::size_t character = 0, begin = 0, offset = 0;
  for (const std::size_t end : ends) {
    for (; character < end; ++character) offset += code_point_at(text, offset).bytes;
    tokens.push_back(text.substr(begin, offset - begin));
    begin = offset;
  }
  return tokens;
}

}  // namespace elastic::tasks
