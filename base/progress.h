#pragma once

// How far a long loop is and when it will end. The estimate is by work (tokens), not by items: one
// sample of 128k weighs as much as 32 of 4k; without work given, items weigh alike. One moving line
// on a terminal, else plain lines at a bounded rate.
//
//   Progress progress("run", samples, tokens);
//   for (...) { ...; progress.advance(sample_tokens, "fa ruler/vt 4k"); }

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "base/clock.h"

namespace elastic {

struct ProgressState {
  std::string_view name;
  std::int64_t items = 0, total_items = 0;
  std::int64_t items_before = 0;  // of `items`, done before the start
  double work = 0, total_work = 0;
  double seconds = 0;  // since the start
  std::string_view label;
};

/// "run 12/60  4% of tokens  8.1 s, 2 min 3 s left  fa ruler/vt 4k"; no estimate before any work.
std::string progress_text(const ProgressState& state);

class Progress {
 public:
  /// `items_before` of the total were done by an earlier command.
  Progress(std::string name, std::int64_t total_items, double total_work,
           std::int64_t items_before = 0);
  ~Progress();  // leaves the terminal on a clean line
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  /// One item of `work` is done; `label` says what comes or came.
  void advance(double work, std::string_view label);

 private:
  std::string name_;
  std::int64_t items_, items_before_, total_items_;
  double work_ = 0, total_work_;
  bool moving_;  // a terminal: one line, redrawn
  double next_ = 0;
  Stopwatch watch_;
};

/// Bytes of one download: one moving line on a terminal, else a line every quarter.
class ByteProgress {
 public:
  explicit ByteProgress(std::string name) : name_(std::move(name)) {}
  ~ByteProgress();  // leaves the terminal on a clean line
  ByteProgress(const ByteProgress&) = delete;
  ByteProgress& operator=(const ByteProgress&) = delete;

  /// `total` is 0 where it is not known.
  void update(std::int64_t done, std::int64_t total);

 private:
  std::string name_;
  std::int64_t quarter_ = 0;
  bool shown_ = false;
};

}  // namespace elastic
