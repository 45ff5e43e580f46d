#include "core/wire/address.h"

#include <doctest/doctest.h>

TEST_SUITE_BEGIN("wire/address");

using namespace marram;

namespace {

std::string why(const std::string& text) {
  const auto address = wire::parse_address("client", text);
  return address ? "accepted" : address.error().message;
}

}  // namespace

TEST_CASE("an ipc address is its path") {
  const auto address = wire::parse_address("client", "ipc://data/marram.sock");

  REQUIRE(address);
  CHECK(address->is_ipc());
  CHECK(address->path == "data/marram.sock");
}

TEST_CASE("a tcp address is host and port, and knows loopback") {
  CHECK(wire::parse_address("client", "tcp://127.0.0.1:7410")->port == 7410);
  CHECK(wire::parse_address("client", "tcp://127.9.9.9:0")->is_loopback());
  CHECK(wire::parse_address("client", "tcp://[::1]:7410")->host == "::1");
  CHECK(wire::parse_address("client", "tcp://[::1]:7410")->is_loopback());
  CHECK(wire::parse_address("client", "tcp://localhost:1")->is_loopback());
  CHECK_FALSE(wire::parse_address("client", "tcp://0.0.0.0:7410")->is_loopback());
  CHECK_FALSE(wire::parse_address("client", "tcp://hub:7410")->is_loopback());
  CHECK_FALSE(wire::parse_address("client", "tcp://127.example.com:1")->is_loopback());
}

TEST_CASE("what is no address is refused, with an example") {
  CHECK(why("http://x").find("ipc://PATH or tcp://HOST:PORT") != std::string::npos);
  CHECK(why("ipc://").find("names no path") != std::string::npos);
  CHECK(why("ipc://*").find("names no path") != std::string::npos);
  for (const char* text : {"tcp://", "tcp://host", "tcp://host:", "tcp://host:x", "tcp://:1",
                           "tcp://h:-1", "tcp://::1:7410", "tcp://h:1x"}) {
    CAPTURE(std::string(text));
    CHECK(why(text).find("no host and port") != std::string::npos);
  }
  CHECK(why("tcp://h:65536").find("the port of \"tcp://h:65536\" is over 65535") !=
        std::string::npos);
}

TEST_CASE("a socket path over the system's limit says so and what to do") {
  const std::string message = why("ipc:///" + std::string(120, 'x'));

  CHECK(message.find("has 121 bytes, over the system's limit of 107") != std::string::npos);
  CHECK(message.find("ipc:///run/marram/marram.sock") != std::string::npos);
  CHECK(why("ipc:///" + std::string(106, 'x')) == "accepted");
}

TEST_SUITE_END();
