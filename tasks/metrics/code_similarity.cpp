#include "tasks/metrics/code_similarity.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/text.h"
#include "base/utf8.h"

namespace elastic::tasks {
namespace {

constexpr std::size_t kPopularFrom = 200;  // length of the truth from which common characters go

struct Match {
  std::size_t a = 0, b = 0, size = 0;
};

struct Range {
  std::size_t a_begin, a_end, b_begin, b_end;
};

// Python's difflib.SequenceMatcher with its defaults.
class Matcher {
 public:
  Matcher(std::u32string_view a, std::u32string_view b)
      : a_(a), b_(b), lengths_(b.size() + 1), next_lengths_(b.size() + 1) {
    for (std::size_t j = 0; j < b.size(); ++j) positions_[b[j]].push_back(j);
    if (b.size() < kPopularFrom) return;
    const std::size_t most = b.size() / 100 + 1;
    std::erase_if(positions_, [most](const auto& entry) { return entry.second.size() > most; });
  }

  std::size_t matched() {
    std::size_t total = 0;
    std::vector<Range> open = {{0, a_.size(), 0, b_.size()}};
    while (!open.empty()) {
      const Range r = open.back();
      open.pop_back();
      const Match m = longest(r);
      if (m.size == 0) continue;
      total += m.size;
      if (r.a_begin < m.a && r.b_begin < m.b) open.push_back({r.a_begin, m.a, r.b_begin, m.b});
      if (m.a + m.size < r.a_end && m.b + m.size < r.b_end) {
        open.push_back({m.a + m.size, r.a_end, m.b + m.size, r.b_end});
      }
    }
    return total;
  }

 private:
  // Longest block of indexed characters; the earliest in a, then in b, of equals. Then grown over
  // equal neighbours, popular ones too.
  Match longest(const Range& r) {
    Match best{r.a_begin, r.b_begin, 0};
    touched_.clear();
    for (std::size_t i = r.a_begin; i < r.a_end; ++i) {
      next_touched_.clear();
      if (const auto it = positions_.find(a_[i]); it != positions_.end()) {
        for (const std::size_t j : it->second) {
          if (j < r.b_begin) continue;
          if (j >= r.b_end) break;
          const std::size_t k = lengths_[j] + 1;  // the run that ends at (i - 1, j - 1), grown
          next_lengths_[j + 1] = k;
          next_touched_.push_back(j + 1);
          if (k > best.size) best = {i + 1 - k, j + 1 - k, k};
        }
      }
      for (const std::size_t j : touched_) lengths_[j] = 0;
      lengths_.swap(next_lengths_);
      touched_.swap(next_touched_);
    }
    for (const std::size_t j : touched_) lengths_[j] = 0;
    grow(best, r);
    return best;
  }

  void grow(Match& m, const Range& r) const {
    while (m.a > r.a_begin && m.b > r.b_begin && a_[m.a - 1] == b_[m.b - 1]) {
      --m.a;
      --m.b;
      ++m.size;
    }
    while (m.a + m.size < r.a_end && m.b + m.size < r.b_end &&
           a_[m.a + m.size] == b_[m.b + m.size]) {
      ++m.size;
    }
  }

  std::u32string_view a_, b_;
  std::unordered_map<char32_t, std::vector<std::size_t>> positions_;
  // By j + 1: length of the common run that ends at (i - 1, j).
  std::vector<std::size_t> lengths_, next_lengths_;
  std::vector<std::size_t> touched_, next_touched_;
};

std::size_t common_subsequence(std::u32string_view a, std::u32string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  for (const char32_t c : a) {
    std::size_t diagonal = 0;
    for (std::size_t j = 0; j < b.size(); ++j) {
      const std::size_t above = row[j + 1];
      row[j + 1] = c == b[j] ? diagonal + 1 : std::max(above, row[j]);
      diagonal = above;
    }
  }
  return row.back();
}

double percent(double share) { return std::nearbyint(100 * share); }

// What these two have in common at most: their characters in any order (difflib's quick_ratio).
std::size_t common_at_most(std::u32string_view a, std::u32string_view b) {
  std::unordered_map<char32_t, std::size_t> left;
  for (const char32_t c : b) ++left[c];
  std::size_t common = 0;
  for (const char32_t c : a) {
    const auto it = left.find(c);
    if (it == left.end() || it->second == 0) continue;
    --it->second;
    ++common;
  }
  return common;
}

double share(std::u32string_view a, std::u32string_view b, CodeSimilarity mode) {
  const auto total = static_cast<double>(a.size() + b.size());
  // What rounds to 0 anyway is not worth the search: of a runaway prediction it takes minutes.
  if (percent(2.0 * static_cast<double>(common_at_most(a, b)) / total) == 0) return 0;
  if (mode == CodeSimilarity::kDifflib) {
    return 2.0 * static_cast<double>(Matcher(a, b).matched()) / total;
  }
  return 1.0 - (total - 2.0 * static_cast<double>(common_subsequence(a, b))) / total;
}

}  // namespace

std::string_view to_string(CodeSimilarity mode) {
  return mode == CodeSimilarity::kDifflib ? "difflib" : "indel";
}

std::string_view first_code_line(std::string_view prediction) {
  prediction.remove_prefix(std::min(prediction.find_first_not_of('\n'), prediction.size()));
  for (const std::string_view line : split(prediction, '\n')) {
    if (line.find_first_of("`#") == std::string_view::npos &&
        line.find("//") == std::string_view::npos) {
      return line;
    }
  }
  return {};
}

double code_similarity(std::string_view prediction, std::string_view truth, CodeSimilarity mode) {
  const std::string_view line = first_code_line(prediction);
  if (line == truth) return 1;
  if (line.empty() || truth.empty()) return 0;
  return percent(share(code_points(line), code_points(truth), mode)) / 100;
}

}  // namespace elastic::tasks
