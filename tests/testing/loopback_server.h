#pragma once

// A small HTTP server on 127.0.0.1 for tests of downloads: it serves one body under every path and
// misbehaves as told, one behaviour per request, in order.
//
//   LoopbackServer server("the bytes", {{.kind = Reply::kBreak, .bytes = 4}, {}});
//   pull({.urls = {server.url("x.json")}, ...});     // breaks after 4 bytes, then continues
//   server.requests()[1].range                       // "bytes=4-"

#include <atomic>
#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace elastic::testing {

struct Reply {
  enum Kind {
    kServe,        // the body, from the asked range on
    kBreak,        // announces all of it, sends `bytes` and closes
    kTruncate,     // announces and sends only `bytes`: a whole answer that is too short
    kIgnoreRange,  // the whole body with 200, whatever was asked
    kStatus,       // `status` with an empty body
    kRedirect,     // 302 to `text`
    kBody,         // `text` instead of the body
    kDrop,         // closes without an answer
    kDrip,         // announces all of it, sends `bytes` a second until the client leaves
    kSlow,         // announces all of it, sends `bytes` and then nothing until the client leaves
  };
  Kind kind = kServe;
  std::size_t bytes = 0;
  int status = 0;
  std::string text;
};

struct ServedRequest {
  std::string path;
  std::string range;          // value of the Range header, or ""
  std::string authorization;  // of the Authorization header, or ""
};

class LoopbackServer {
 public:
  /// After the last reply, kServe for ever. `forever` repeats the last one instead.
  LoopbackServer(std::string body, std::vector<Reply> replies, bool forever = false);
  ~LoopbackServer();
  LoopbackServer(const LoopbackServer&) = delete;
  LoopbackServer& operator=(const LoopbackServer&) = delete;

  std::string url(std::string_view path) const;  // "http://127.0.0.1:PORT/path"
  std::vector<ServedRequest> requests() const;

 private:
  void serve();
  void answer(int client);
  Reply next_reply();

  std::string body_;
  std::vector<Reply> replies_;
  bool forever_;
  std::size_t next_ = 0;
  int listener_ = -1;
  int port_ = 0;
  std::atomic<bool> stop_ = false;
  mutable std::mutex mutex_;
  std::vector<ServedRequest> requests_;
  std::thread thread_;
};

}  // namespace elastic::testing
