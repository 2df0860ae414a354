#pragma once

// The dictionary and the hidden Markov model of the PyPI package jieba 0.42.1, as segmentation
// (tasks/metrics/chinese_segmentation.h) needs them. Read from the package's own files, which are
// data of their own and never part of this program.
//
//   const ChineseModel model = load_chinese_model(find_chinese_model(data_dir));
//
// Keys form a trie: every prefix of a word is a node, with count 0 where it is no word itself.

#include <array>
#include <cstdint>
#include <filesystem>
#include <string_view>
#include <vector>

namespace elastic::datasets {

class ChineseWords {
 public:
  using Node = std::uint32_t;
  static constexpr Node kRoot = 0;
  static constexpr Node kNone = UINT32_MAX;

  ChineseWords();

  /// The node one character further down, or kNone.
  Node child(Node node, char32_t c) const;

  /// Count of the word that ends here; 0 for mere prefixes.
  std::int64_t count(Node node) const { return nodes_[node].count; }

  /// log(count) - log(total), a count of 0 taken as 1.
  double weight(Node node) const { return nodes_[node].weight; }
  double unknown_weight() const { return unknown_weight_; }

  std::int64_t total() const { return total_; }

  /// Later counts of the same word replace earlier ones; every count is part of the total.
  void add(std::u32string_view word, std::int64_t count);

  /// Computes the weights; call once after the last add().
  void finish();

 private:
  struct Entry {
    std::int64_t count = 0;
    double weight = 0;
  };
  struct Slot {
    std::uint64_t key = UINT64_MAX;  // parent node and character
    Node node = kNone;
  };
  std::size_t find_slot(std::uint64_t key) const;
  Node child_or_new(Node node, char32_t c);
  void grow();

  std::vector<Entry> nodes_;
  std::vector<Slot> slots_;  // open addressing, a power of two
  std::int64_t total_ = 0;
  double unknown_weight_ = 0;
};

/// States B, M, E, S (begin, middle, end, single) by their index here.
struct ChineseHmm {
  static constexpr std::size_t kStates = 4;
  static constexpr std::string_view kNames = "BMES";
  static constexpr double kImpossible = -3.14e100;
  static constexpr char32_t kFirst = 0x4e00, kLast = 0x9fd5;  // characters it is asked about

  std::array<double, kStates> start{};
  std::array<std::array<double, kStates>, kStates> transition{};  // [from][to]
  std::array<std::vector<double>, kStates> emission;              // by character - kFirst
};

struct ChineseModel {
  ChineseWords words;
  ChineseHmm hmm;
};

/// The texts of the four files, for dictionaries of any origin.
/// Throws kCorrupt naming file and line.
struct ChineseSources {
  std::string_view dictionary, start, transition, emission;
};
ChineseModel parse_chinese_model(const ChineseSources& sources);

/// The package's folder: DATA/jieba, else `data/jieba` beside the running program. Throws kNotFound
/// naming the command that brings it.
std::filesystem::path find_chinese_model(const std::filesystem::path& data_dir);

/// Throws kNotFound, and kCorrupt where a file is not the one of jieba 0.42.1, with both hashes.
ChineseModel load_chinese_model(const std::filesystem::path& folder);

}  // namespace elastic::datasets
