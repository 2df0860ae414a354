#pragma once

// What `run`, `plan` and `preview` are asked, flag by flag (defaults are the flags' defaults).

#include <cstdint>
#include <optional>
#include <string>

namespace elastic::harness {

struct RunOptions {
  std::string model;   // as model_path() takes it
  std::string router;  // folder of routers for it alone; empty: its own, if any
  std::string tasks;   // comma-separated lists, as typed
  std::string modes;
  std::string lengths;  // empty: 4k..128k capped by the model's window
  std::string profiles;
  std::string output;
  std::optional<std::int64_t> limit;  // samples per task and length; empty: the task's own
  std::optional<double> limit_share;  // instead: share of the task's own, in (0, 1)
  std::uint64_t seed = 42;
  std::string device = "auto";
  std::string dtype = "auto";
  std::optional<std::int64_t> batch_size;      // samples in flight at most; empty: by the device
  bool timing = false;                         // one at a time: times are latencies
  std::optional<std::int64_t> max_new_tokens;  // empty: the task's answer budget
  std::optional<std::int64_t> max_length;      // prompt tokens; empty: the task's own rule
  std::string model_template = "base";         // RULER's wrapper, or "checkpoint"
  bool chat_template = true;
  std::string bos = "single";
  std::string thinking;  // "", "on", "off"
  std::optional<std::int64_t> thinking_tokens;
  std::string data_dir, cache_dir;
  bool log_prompts = false;
  bool strict = false;
  bool resume = true;
  bool dry_run = false;
};

}  // namespace elastic::harness
