#pragma once

// Downloads that end in a verified file or in a clear error. The bytes go to TARGET.part, are
// continued there after a break (HTTP Range), checked by size and SHA-256, and renamed: a reader
// never sees a part, and a good file is never replaced by a worse one.
//
//   pull({.urls = {"https://a/x.json", "https://b/x.json"}, .target = data / "x.json",
//         .sha256 = "80a5...", .bytes = 4370528});
//
// Mirrors are tried in order. A break, a time-out or a 5xx answer is retried at the same mirror,
// any other refusal goes on to the next. Proxies: the usual variables (http_proxy, https_proxy,
// no_proxy). HF_ENDPOINT replaces https://huggingface.co, HF_TOKEN is sent there and nowhere else,
// and never appears in a message. HF_HUB_OFFLINE or HF_DATASETS_OFFLINE forbid every download.

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace elastic::datasets {

struct PullRequest {
  std::vector<std::string> urls;
  std::filesystem::path target;
  std::string sha256;      // empty: not pinned; the bytes are taken as they come, never continued
  std::int64_t bytes = 0;  // 0: not pinned
};

struct PullOptions {
  int attempts = 5;          // at one mirror
  double pause_seconds = 1;  // before the second attempt; doubles
  int max_redirects = 10;
  std::int64_t connect_timeout_ms = 30000;
  std::int64_t stall_seconds = 60;                 // at less than 1 KiB a second
  std::int64_t max_bytes = std::int64_t{4} << 30;  // where no size is pinned
  // Called now and then with bytes done and in all (0 = unknown).
  std::function<void(std::int64_t done, std::int64_t total)> progress;
};

/// True where bytes were downloaded or copied, false where the verified file was there already.
/// Throws kNotFound where no mirror gave the file (each with its reason), kCorrupt where all that
/// came had another hash, kIo where the disk refused, Interrupted. A target with other bytes is
/// moved aside to TARGET.replaced-HASH once the new file is verified.
bool pull(const PullRequest& request, const PullOptions& options = {});

/// Whether HF_HUB_OFFLINE or HF_DATASETS_OFFLINE is set to 1, true, yes or on.
bool offline();

/// A file of the local hub cache for a URL .../datasets/ORG/NAME/resolve/COMMIT/FILE; empty where
/// there is none ($HF_HUB_CACHE, $HF_HOME/hub, ~/.cache/huggingface/hub).
std::filesystem::path hub_cached_file(std::string_view url);

}  // namespace elastic::datasets
