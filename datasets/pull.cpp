#include "datasets/pull.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <thread>

#include "base/error.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/interrupt.h"
#include "base/log.h"
#include "base/text.h"
#include "base/url.h"
#include "datasets/transfer.h"

namespace elastic::datasets {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kHub = "https://huggingface.co/";

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

bool is_set(const char* name) {
  const std::string value = environment(name);
  return value == "1" || value == "true" || value == "TRUE" || value == "yes" || value == "on" ||
         value == "True" || value == "ON" || value == "YES";
}

// Where the bytes of `file` do not fit: what is wrong. Empty where they do.
std::string mismatch(const PullRequest& request, const fs::path& file) {
  const auto size = static_cast<std::int64_t>(fs::file_size(file));
  if (request.bytes > 0 && size != request.bytes) {
    return fmt::format("{} bytes came, expected {}", size, request.bytes);
  }
  if (request.sha256.empty()) return "";
  const std::string found = sha256_file(file);
  return found == request.sha256
             ? ""
             : fmt::format("sha256 {} came, expected {}", found, request.sha256);
}

// The verified part becomes the file; other bytes under that name are kept aside.
void install(const fs::path& part, const fs::path& target) {
  std::error_code code;
  if (fs::exists(target, code)) {
    const std::string old = sha256_file(target);
    if (old == sha256_file(part)) {
      fs::remove(part, code);
      return;
    }
    const fs::path aside = target.string() + ".replaced-" + old.substr(0, 8);
    fs::rename(target, aside, code);
    log_warning(fmt::format("{}: other bytes were there; moved to {}", target.string(),
                            aside.filename().string()));
  }
  if (!code) fs::rename(part, target, code);
  if (code) {
    throw Error(ErrorKind::kIo,
                fmt::format("{}: cannot put in place: {}", target.string(), code.message()));
  }
}

struct Mirror {
  std::string url;
  std::string token;  // sent to the hub only
};

Mirror mirror_of(const std::string& url) {
  if (!url.starts_with(kHub)) return {url, ""};
  std::string endpoint = environment("HF_ENDPOINT");
  if (endpoint.empty()) endpoint = kHub;
  if (!endpoint.ends_with('/')) endpoint += '/';
  return {endpoint + url.substr(kHub.size()), environment("HF_TOKEN")};
}

void pause_before(int attempt, const PullOptions& options) {
  constexpr double kSlice = 0.1;  // seconds until a signal is heard
  double left = options.pause_seconds * static_cast<double>(1 << (attempt - 1));
  for (; left > 0; left -= kSlice) {
    stop_if_interrupted();
    std::this_thread::sleep_for(std::chrono::duration<double>(std::min(left, kSlice)));
  }
}

std::int64_t bytes_there(const fs::path& file) {
  std::error_code code;
  const auto size = fs::file_size(file, code);
  return code ? 0 : static_cast<std::int64_t>(size);
}

// One mirror, with retries: attempts are counted since the last one that brought the file further.
// Empty on success, else why not. `wrong_bytes`: what came was whole but not the file.
std::string try_mirror(const Mirror& mirror, const PullRequest& request, const fs::path& part,
                       const PullOptions& options, bool& wrong_bytes) {
  constexpr std::int64_t kProgress = 1 << 16;
  std::string reason;
  std::int64_t furthest = bytes_there(part);
  for (int attempt = 0; attempt < options.attempts; ++attempt) {
    if (attempt > 0) pause_before(attempt, options);
    std::error_code ignored;
    if (request.sha256.empty()) fs::remove(part, ignored);
    const bool continued = bytes_there(part) > 0;
    const TransferResult result = transfer({.url = mirror.url,
                                            .token = mirror.token,
                                            .file = part,
                                            .expected_bytes = request.bytes,
                                            .options = &options});
    if (result.outcome == TransferOutcome::kRefused) return result.reason;
    if (result.outcome == TransferOutcome::kBroken) {
      reason = result.reason;
      log_info(fmt::format("{}: {}", request.target.filename().string(), reason));
      if (!request.sha256.empty() && bytes_there(part) > furthest + kProgress) {
        furthest = bytes_there(part);
        attempt = 0;
      }
      continue;
    }
    reason = mismatch(request, part);
    if (reason.empty()) {
      wrong_bytes = false;
      return "";
    }
    wrong_bytes = true;
    fs::remove(part, ignored);
    if (!continued) return reason;  // a continued file may have begun as another: once more
  }
  return reason;
}

bool copy_from_hub_cache(const PullRequest& request, const fs::path& part) {
  for (const std::string& url : request.urls) {
    const fs::path cached = hub_cached_file(url);
    if (cached.empty() || request.sha256.empty() || !mismatch(request, cached).empty()) continue;
    copy_file_atomic(cached, part);
    if (mismatch(request, part).empty()) return true;
  }
  return false;
}

}  // namespace

bool offline() { return is_set("HF_HUB_OFFLINE") || is_set("HF_DATASETS_OFFLINE"); }

fs::path hub_cached_file(std::string_view url) {
  constexpr std::string_view kDatasets = "datasets/";
  if (!url.starts_with(kHub)) return {};
  url.remove_prefix(kHub.size());
  if (!url.starts_with(kDatasets)) return {};
  const auto parts = split(url.substr(kDatasets.size()), '/');
  if (parts.size() < 5 || parts[2] != "resolve") return {};
  fs::path root = environment("HF_HUB_CACHE");
  if (root.empty() && !environment("HF_HOME").empty())
    root = fs::path(environment("HF_HOME")) / "hub";
  if (root.empty()) root = fs::path(environment("HOME")) / ".cache/huggingface/hub";
  fs::path file =
      root / fmt::format("datasets--{}--{}", parts[0], parts[1]) / "snapshots" / parts[3];
  for (std::size_t i = 4; i < parts.size(); ++i) file /= parts[i];
  std::error_code ignored;
  return fs::is_regular_file(file, ignored) ? file : fs::path();
}

bool pull(const PullRequest& request, const PullOptions& options) {
  std::error_code ignored;
  if (fs::exists(request.target, ignored) && !request.sha256.empty() &&
      mismatch(request, request.target).empty()) {
    return false;
  }
  create_folders(request.target.parent_path());
  const fs::path part = request.target.string() + ".part";
  const PartLock lock(part);
  if (copy_from_hub_cache(request, part)) {
    install(part, request.target);
    return true;
  }
  if (offline()) {
    throw Error(ErrorKind::kNotFound,
                fmt::format("{}: not there, and HF_HUB_OFFLINE or HF_DATASETS_OFFLINE forbids "
                            "downloads",
                            request.target.string()));
  }
  std::string reasons;
  bool all_wrong = !request.urls.empty();
  for (const std::string& url : request.urls) {
    bool wrong_bytes = false;
    const std::string reason = try_mirror(mirror_of(url), request, part, options, wrong_bytes);
    if (reason.empty()) {
      install(part, request.target);
      return true;
    }
    all_wrong = all_wrong && wrong_bytes;
    reasons += fmt::format("\n  {}: {}", printable_url(mirror_of(url).url), reason);
  }
  throw Error(
      all_wrong ? ErrorKind::kCorrupt : ErrorKind::kNotFound,
      fmt::format("{}: could not be fetched (expected sha256 {}, {} bytes){}",
                  request.target.string(), request.sha256.empty() ? "not pinned" : request.sha256,
                  request.bytes == 0 ? "unknown" : std::to_string(request.bytes), reasons));
}

}  // namespace elastic::datasets
