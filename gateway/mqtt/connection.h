// What the server keeps for one client's connection.
#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/event/bus.h"
#include "gateway/mqtt/channel.h"
#include "gateway/mqtt/deadlines.h"
#include "gateway/mqtt/session.h"

namespace marram::mqtt {

// Events with the packet ids that wait for them, 0 at QoS 0.
struct Parcel {
  std::unique_ptr<EventBatch> events = std::make_unique<EventBatch>();
  std::vector<std::uint16_t> packet_ids;
};

// A full store holds a 3.1.1 client back: what was refused is tried again, and
// what comes later waits behind it.
struct Held {
  Parcel refused;
  Parcel later;
  bool trying = false;  // `refused` is with the store
};

struct Connection {
  Connection(boost::asio::ip::tcp::socket connected, const SessionRules& rules, TimePoint now)
      : socket(std::move(connected)), session(rules, "auto-" + random_hex(8), now) {}

  Handle handle;
  boost::asio::ip::tcp::socket socket;
  boost::asio::ip::address address;
  std::unique_ptr<Channel> channel;
  Session session;

  std::string unfinished;              // the beginning of a packet
  std::size_t unfinished_counted = 0;  // in the server's sum
  std::string unsent;
  std::size_t sent = 0;  // of `unsent`
  SubscriptionId subscription = 0;
  std::uint32_t in_air = 0;  // events with the store, without answer
  std::unique_ptr<Held> held;
  TimePoint looked_at = TimePoint::max();  // the deadline that is in the heap
  TimePoint linger_until{};

  bool anonymous_ok : 1 = false;
  bool waits_readable : 1 = false;
  bool waits_writable : 1 = false;
  bool dirty : 1 = false;    // has something to be done at the end of the round
  bool paused : 1 = false;   // `unfinished` may hold whole packets
  bool more : 1 = false;     // the channel has bytes that no descriptor tells of
  bool owns_id : 1 = false;  // the client id is this connection's
  bool closing : 1 = false;  // once all is sent
  bool linger : 1 = false;   // then wait for the other side to read it
  bool lingering : 1 = false;
};

}  // namespace marram::mqtt
