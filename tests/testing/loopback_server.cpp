#include "tests/testing/loopback_server.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <stdexcept>

namespace elastic::testing {
namespace {

constexpr int kPollMs = 20;

bool readable(int fd, int timeout_ms) {
  pollfd waiting{fd, POLLIN, 0};
  return ::poll(&waiting, 1, timeout_ms) > 0;
}

void send_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (n <= 0) return;
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
}

std::string header_value(const std::string& request, std::string_view name) {
  const std::size_t at = request.find(fmt::format("\r\n{}: ", name));
  if (at == std::string::npos) return "";
  const std::size_t begin = at + name.size() + 4;
  return request.substr(begin, request.find("\r\n", begin) - begin);
}

// "bytes=100-" -> 100
std::size_t range_begin(const std::string& range) {
  return range.empty() ? 0 : std::strtoull(range.c_str() + 6, nullptr, 10);
}

std::string head(int status, std::size_t length, std::string_view more = "") {
  return fmt::format("HTTP/1.1 {} X\r\nContent-Length: {}\r\nConnection: close\r\n{}\r\n", status,
                     length, more);
}

void send_body(int client, const std::string& body, const std::string& range, const Reply& reply) {
  const std::size_t begin = reply.kind == Reply::kIgnoreRange ? 0 : range_begin(range);
  if (begin >= body.size() && begin > 0) return send_all(client, head(416, 0));
  const std::string part = body.substr(begin);
  const bool ranged = begin > 0;
  const std::string more =
      ranged ? fmt::format("Content-Range: bytes {}-{}/{}\r\n", begin, body.size() - 1, body.size())
             : "";
  const bool cut = reply.kind == Reply::kTruncate;
  const bool stops = cut || reply.kind == Reply::kBreak || reply.kind == Reply::kSlow ||
                     reply.kind == Reply::kDrip;
  const std::string sent = stops ? part.substr(0, reply.bytes) : part;
  send_all(client, head(ranged ? 206 : 200, cut ? sent.size() : part.size(), more) + sent);
}

}  // namespace

LoopbackServer::LoopbackServer(std::string body, std::vector<Reply> replies, bool forever)
    : body_(std::move(body)), replies_(std::move(replies)), forever_(forever) {
  listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  if (::bind(listener_, reinterpret_cast<sockaddr*>(&address), size) != 0 ||
      ::listen(listener_, 8) != 0 ||
      ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
    throw std::runtime_error("the loopback server cannot listen");
  }
  port_ = ntohs(address.sin_port);
  thread_ = std::thread([this] { serve(); });
}

LoopbackServer::~LoopbackServer() {
  stop_ = true;
  thread_.join();
  ::close(listener_);
}

std::string LoopbackServer::url(std::string_view path) const {
  return fmt::format("http://127.0.0.1:{}/{}", port_, path);
}

std::vector<ServedRequest> LoopbackServer::requests() const {
  const std::lock_guard lock(mutex_);
  return requests_;
}

void LoopbackServer::serve() {
  while (!stop_) {
    if (!readable(listener_, kPollMs)) continue;
    const int client = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (client < 0) continue;
    answer(client);
    ::close(client);
  }
}

Reply LoopbackServer::next_reply() {
  if (next_ < replies_.size()) return replies_[next_++];
  return forever_ && !replies_.empty() ? replies_.back() : Reply{};
}

void LoopbackServer::answer(int client) {
  std::string request;
  char buffer[4096];
  while (request.find("\r\n\r\n") == std::string::npos && !stop_) {
    if (!readable(client, kPollMs)) continue;
    const ssize_t n = ::recv(client, buffer, sizeof buffer, 0);
    if (n <= 0) return;
    request.append(buffer, static_cast<std::size_t>(n));
  }
  const std::size_t path = request.find(' ') + 1;
  const std::string range = header_value(request, "Range");
  {
    const std::lock_guard lock(mutex_);
    requests_.push_back({request.substr(path, request.find(' ', path) - path), range,
                         header_value(request, "Authorization")});
  }
  const Reply reply = next_reply();
  switch (reply.kind) {
    case Reply::kDrop:
      return;
    case Reply::kStatus:
      return send_all(client, head(reply.status, 0));
    case Reply::kRedirect:
      return send_all(client, head(302, 0, fmt::format("Location: {}\r\n", reply.text)));
    case Reply::kBody:
      return send_all(client, head(200, reply.text.size()) + reply.text);
    default:
      send_body(client, body_, range, reply);
  }
  // A stalled or dripping connection stays open until the client or the test gives up.
  const bool drips = reply.kind == Reply::kDrip;
  std::size_t sent = reply.bytes;
  for (int waited = 0; (drips || reply.kind == Reply::kSlow) && !stop_; waited += kPollMs) {
    if (readable(client, kPollMs) && ::recv(client, buffer, sizeof buffer, 0) <= 0) return;
    if (!drips || waited % 1000 != 0) continue;
    send_all(client, std::string_view(body_).substr(std::min(sent, body_.size()), reply.bytes));
    sent += reply.bytes;
  }
}

}  // namespace elastic::testing
