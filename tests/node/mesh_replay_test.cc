// What was recorded of a link is worth nothing to whoever sends it again.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>

#include "core/wire/address.h"
#include "tests/node/mesh_sides.h"

TEST_SUITE_BEGIN("node/mesh_replay");

using namespace marram;
using test::Side;
using test::until;

namespace {

sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

class Socket {
 public:
  explicit Socket(int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) : fd_(fd) {}
  ~Socket() { ::close(fd_); }
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;

  void connect(const std::string& address) {
    const sockaddr_in to = loopback(wire::parse_address("test", address)->port);
    REQUIRE(::connect(fd_, reinterpret_cast<const sockaddr*>(&to), sizeof to) == 0);
  }
  void write(const std::string& bytes) {
    REQUIRE(::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL) ==
            static_cast<ssize_t>(bytes.size()));
  }
  // What is there; empty: nothing yet, or the end.
  std::string read() {
    std::array<char, 16'384> bytes{};
    const ssize_t got = ::recv(fd_, bytes.data(), bytes.size(), MSG_DONTWAIT);
    ended_ = got == 0 || (got < 0 && errno != EAGAIN && errno != EWOULDBLOCK);
    return {bytes.data(), got > 0 ? static_cast<std::size_t>(got) : 0};
  }
  bool ended() {
    while (!read().empty()) continue;
    return ended_;
  }
  int fd() const { return fd_; }

 private:
  int fd_;
  bool ended_ = false;
};

// Stands between a dialler and a listener, and keeps what the dialler says.
class Wiretap {
 public:
  explicit Wiretap(const std::string& listener) {
    const sockaddr_in any = loopback(0);
    REQUIRE(::bind(door_.fd(), reinterpret_cast<const sockaddr*>(&any), sizeof any) == 0);
    REQUIRE(::listen(door_.fd(), 1) == 0);
    REQUIRE(::fcntl(door_.fd(), F_SETFL, O_NONBLOCK) == 0);
    there_.connect(listener);
  }
  std::string address() const {
    sockaddr_in bound{};
    socklen_t size = sizeof bound;
    REQUIRE(::getsockname(door_.fd(), reinterpret_cast<sockaddr*>(&bound), &size) == 0);
    return fmt::format("tcp://127.0.0.1:{}", ntohs(bound.sin_port));
  }
  void carry() {
    if (!here_) {
      const int fd = ::accept4(door_.fd(), nullptr, nullptr, SOCK_CLOEXEC);
      if (fd < 0) return;
      here_ = std::make_unique<Socket>(fd);
    }
    if (const std::string said = here_->read(); !said.empty()) {
      heard += said;
      there_.write(said);
    }
    if (const std::string answer = there_.read(); !answer.empty()) here_->write(answer);
  }

  std::string heard;

 private:
  Socket door_;
  Socket there_;
  std::unique_ptr<Socket> here_;
};

}  // namespace

TEST_CASE("a session that was recorded and is sent again opens none, and harms no other") {
  Side a;
  Side b;
  a.trusts(b);
  b.trusts(a);
  REQUIRE(a.open());
  REQUIRE(b.open());
  Wiretap tap(b.address());
  const auto run = [&](const std::function<bool()>& condition) {
    return until(
        [&] {
          tap.carry();
          return condition();
        },
        {&a, &b});
  };
  a.transport->dial({tap.address(), b.options.key.public_key});
  REQUIRE(run([&] { return b.ups.size() == 1; }));
  a.send(wire::Stop{1});
  REQUIRE(run([&] { return b.stops.size() == 1; }));
  const std::string session = tap.heard;

  Socket replayed;
  replayed.connect(b.address());
  replayed.write(session);
  CHECK(run([&] { return replayed.ended(); }));
  CHECK(run([&] { return b.refused("handshake") == 1; }));

  CHECK(b.log.count("mesh: refused") == 1);
  CHECK(b.ups.size() == 1);
  CHECK(b.stops.size() == 1);
  CHECK(b.downs.empty());
  a.send(wire::Stop{2});
  CHECK(run([&] { return b.stops.size() == 2; }));
}

TEST_SUITE_END();
