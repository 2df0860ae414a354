#include "datasets/transfer.h"

#include <curl/curl.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>

#include "base/error.h"
#include "base/interrupt.h"
#include "base/text.h"
#include "base/url.h"

namespace elastic::datasets {
namespace {

namespace fs = std::filesystem;

// Bytes a second that count as no transfer at all where no more come for `stall_seconds`.
constexpr long kStallSpeed = 1024;

struct CloseCurl {
  void operator()(CURL* handle) const { curl_easy_cleanup(handle); }
};
struct FreeList {
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};

// What the callbacks of one transfer share.
struct State {
  CURL* curl = nullptr;
  int fd = -1;
  std::int64_t offset = 0;  // bytes in the file when the transfer began
  std::int64_t done = 0;
  std::int64_t limit = 0;
  bool started = false;
  bool too_long = false;
  int write_error = 0;
  const PullOptions* options = nullptr;
};

long response_code(CURL* curl) {
  long code = 0;
  curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &code);
  return code;
}

// The first body bytes of a final answer: a server that ignored Range sends the whole file again,
// so the file starts over.
bool begin_body(State& state) {
  state.started = true;
  if (response_code(state.curl) == 206) return true;
  state.offset = 0;
  if (::ftruncate(state.fd, 0) == 0) return true;
  state.write_error = errno;
  return false;
}

std::size_t on_body(char* data, std::size_t size, std::size_t count, void* user) {
  State& state = *static_cast<State*>(user);
  const std::size_t bytes = size * count;
  if (!state.started && !begin_body(state)) return 0;
  state.done += static_cast<std::int64_t>(bytes);
  state.too_long = state.offset + state.done > state.limit;
  if (state.too_long) return 0;
  std::size_t written = 0;
  while (written < bytes) {
    const ssize_t n = ::write(state.fd, data + written, bytes - written);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) {
      state.write_error = errno;
      return 0;
    }
    written += static_cast<std::size_t>(n);
  }
  return bytes;
}

int on_progress(void* user, curl_off_t total, curl_off_t done, curl_off_t, curl_off_t) {
  const State& state = *static_cast<State*>(user);
  if (state.options->progress) {
    state.options->progress(state.offset + done, total > 0 ? state.offset + total : 0);
  }
  return interrupted() ? 1 : 0;  // 1 ends the transfer
}

CURL* new_handle() {
  static const CURLcode ready = curl_global_init(CURL_GLOBAL_DEFAULT);
  CURL* handle = ready == CURLE_OK ? curl_easy_init() : nullptr;
  if (handle == nullptr) throw Error(ErrorKind::kIo, "libcurl does not start");
  return handle;
}

void configure(CURL* curl, const TransferRequest& request, State& state) {
  const PullOptions& options = *request.options;
  curl_easy_setopt(curl, CURLOPT_URL, request.url.c_str());
  curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(curl, CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 1L);
  curl_easy_setopt(curl, CURLOPT_MAXREDIRS, static_cast<long>(options.max_redirects));
  curl_easy_setopt(curl, CURLOPT_FAILONERROR, 1L);
  curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(curl, CURLOPT_USERAGENT, "elastic-bench");
  curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(options.connect_timeout_ms));
  curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, kStallSpeed);
  curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME, static_cast<long>(options.stall_seconds));
  curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_body);
  curl_easy_setopt(curl, CURLOPT_WRITEDATA, &state);
  curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
  curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, on_progress);
  curl_easy_setopt(curl, CURLOPT_XFERINFODATA, &state);
}

TransferResult broken(std::string reason) { return {TransferOutcome::kBroken, std::move(reason)}; }
TransferResult refused(std::string reason) {
  return {TransferOutcome::kRefused, std::move(reason)};
}

TransferResult judge_status(long status, const State& state) {
  if (status == 416) {
    // The part is already whole, or longer than the file: then it is dropped.
    if (::ftruncate(state.fd, 0) != 0) return refused(std::strerror(errno));
    return broken("the server has no such range; starting over");
  }
  const bool busy = status >= 500 || status == 429 || status == 408;
  return {busy ? TransferOutcome::kBroken : TransferOutcome::kRefused,
          fmt::format("HTTP status {}", status)};
}

TransferResult judge(CURLcode code, const std::string& reason, const State& state,
                     const fs::path& file) {
  if (state.write_error != 0) {
    throw Error(ErrorKind::kIo, fmt::format("{}: cannot write: {}", file.string(),
                                            std::strerror(state.write_error)));
  }
  if (state.too_long) {
    if (::ftruncate(state.fd, 0) != 0) return refused(std::strerror(errno));
    const std::string what = fmt::format("more than the expected {} bytes came", state.limit);
    return state.offset > 0 ? broken(what) : refused(what);  // a part of other bytes: start over
  }
  switch (code) {
    case CURLE_OK:
      return {TransferOutcome::kComplete, ""};
    case CURLE_HTTP_RETURNED_ERROR:
      return judge_status(response_code(state.curl), state);
    case CURLE_PARTIAL_FILE:
    case CURLE_RECV_ERROR:
    case CURLE_SEND_ERROR:
    case CURLE_GOT_NOTHING:
    case CURLE_OPERATION_TIMEDOUT:
    case CURLE_HTTP2:
    case CURLE_HTTP2_STREAM:
      return broken(reason);
    case CURLE_TOO_MANY_REDIRECTS:
      return refused(fmt::format("more than {} redirects", state.options->max_redirects));
    default:
      return refused(reason);
  }
}

}  // namespace

TransferResult transfer(const TransferRequest& request) {
  State state{
      .limit = request.expected_bytes > 0 ? request.expected_bytes : request.options->max_bytes,
      .options = request.options};
  const std::unique_ptr<CURL, CloseCurl> curl(new_handle());
  state.curl = curl.get();
  state.fd =
      ::open(request.file.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0644);
  if (state.fd < 0) {
    throw Error(ErrorKind::kIo,
                fmt::format("{}: cannot write: {}", request.file.string(), std::strerror(errno)));
  }
  const auto close_file = [](const int* fd) { ::close(*fd); };
  const std::unique_ptr<const int, decltype(close_file)> closer(&state.fd, close_file);
  state.offset = ::lseek(state.fd, 0, SEEK_END);
  if (request.expected_bytes > 0 && state.offset >= request.expected_bytes) {
    return {TransferOutcome::kComplete, ""};  // whole already, or not this file: the hash decides
  }
  configure(curl.get(), request, state);
  char message[CURL_ERROR_SIZE] = {};
  curl_easy_setopt(curl.get(), CURLOPT_ERRORBUFFER, message);
  const std::string range = fmt::format("{}-", state.offset);
  if (state.offset > 0) curl_easy_setopt(curl.get(), CURLOPT_RANGE, range.c_str());
  std::unique_ptr<curl_slist, FreeList> headers;
  if (!request.token.empty()) {
    // libcurl drops this header itself where a redirect leaves the host.
    headers.reset(
        curl_slist_append(nullptr, fmt::format("Authorization: Bearer {}", request.token).c_str()));
    curl_easy_setopt(curl.get(), CURLOPT_HTTPHEADER, headers.get());
  }
  const CURLcode code = curl_easy_perform(curl.get());
  const bool synced = ::fsync(state.fd) == 0;
  if (!synced && state.write_error == 0) state.write_error = errno;
  // An empty body never reaches the callback: then what lay in the part is not its beginning.
  if (code == CURLE_OK && !state.started && state.offset > 0 && response_code(curl.get()) != 206 &&
      ::ftruncate(state.fd, 0) != 0) {
    state.write_error = errno;
  }
  stop_if_interrupted();
  // libcurl's own words may quote the URL, of which a part may be secret.
  const bool quotable = *message != '\0' && printable_url(request.url) == request.url;
  return judge(code, quotable ? message : curl_easy_strerror(code), state, request.file);
}

PartLock::PartLock(const fs::path& part) : path_(part.string() + ".lock") {
  fd_ = ::open(path_.c_str(), O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0644);
  if (fd_ < 0) {
    throw Error(ErrorKind::kIo,
                fmt::format("{}: cannot create: {}", path_.string(), std::strerror(errno)));
  }
  if (::flock(fd_, LOCK_EX | LOCK_NB) != 0) {
    ::close(fd_);
    throw Error(ErrorKind::kIo, fmt::format("{}: another fetch is writing it", part.string()));
  }
}

PartLock::~PartLock() {
  ::unlink(path_.c_str());
  ::close(fd_);
}

}  // namespace elastic::datasets
