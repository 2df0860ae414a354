#include "engine/distributed/addresses.h"

#include <fmt/format.h>
#include <netdb.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <chrono>
#include <memory>
#include <thread>

#include "base/clock.h"
#include "base/error.h"
#include "base/interrupt.h"

namespace elastic::engine {
namespace {

using AddressList = std::unique_ptr<addrinfo, decltype(&freeaddrinfo)>;

AddressList look_up(const std::string& address, int port, int kind) {
  addrinfo hints{};
  hints.ai_socktype = kind;
  addrinfo* found = nullptr;
  const int code = getaddrinfo(address.c_str(), std::to_string(port).c_str(), &hints, &found);
  if (code != 0) {
    throw Error(ErrorKind::kInvalidArgument,
                fmt::format("MASTER_ADDR is `{}`: {}; name the host of rank 0, 127.0.0.1 for "
                            "processes of one machine",
                            address, gai_strerror(code)));
  }
  return {found, freeaddrinfo};
}

class Socket {
 public:
  explicit Socket(const addrinfo& peer)
      : number_(socket(peer.ai_family, peer.ai_socktype | SOCK_CLOEXEC, 0)) {}
  ~Socket() {
    if (number_ >= 0) close(number_);
  }
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;

  // False also where nothing answers within a second.
  bool connects_to(const addrinfo& peer) const {
    const timeval limit{.tv_sec = 1, .tv_usec = 0};
    return number_ >= 0 &&
           setsockopt(number_, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)) == 0 &&
           connect(number_, peer.ai_addr, peer.ai_addrlen) == 0;
  }
  // The numeric address of its own end; empty where it has none.
  std::string own_end() const {
    sockaddr_storage own{};
    socklen_t size = sizeof(own);
    char text[NI_MAXHOST] = "";
    auto* const name = reinterpret_cast<sockaddr*>(&own);
    const bool known = getsockname(number_, name, &size) == 0 &&
                       getnameinfo(name, size, text, sizeof(text), nullptr, 0, NI_NUMERICHOST) == 0;
    return known ? text : "";
  }

 private:
  int number_;
};

}  // namespace

std::string own_address(const std::string& address, int port) {
  const AddressList list = look_up(address, port, SOCK_DGRAM);
  for (const addrinfo* peer = list.get(); peer != nullptr; peer = peer->ai_next) {
    const Socket way(*peer);
    if (!way.connects_to(*peer)) continue;
    if (std::string own = way.own_end(); !own.empty()) return own;
  }
  throw Error(
      ErrorKind::kIo,
      fmt::format("MASTER_ADDR is `{}`: this host has no way there; name an address of rank "
                  "0 in a network of both",
                  address));
}

bool wait_for_server(const std::string& address, int port, double seconds) {
  constexpr auto kPause = std::chrono::milliseconds(100);
  const AddressList list = look_up(address, port, SOCK_STREAM);
  const Stopwatch watch;
  while (true) {
    for (const addrinfo* peer = list.get(); peer != nullptr; peer = peer->ai_next) {
      if (Socket(*peer).connects_to(*peer)) return true;
    }
    if (watch.seconds() > seconds) return false;
    stop_if_interrupted();
    std::this_thread::sleep_for(kPause);
  }
}

}  // namespace elastic::engine
