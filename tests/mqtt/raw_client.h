// An MQTT client of the tests' own: packets by hand over a plain socket.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/mqtt/packet.h"

namespace marram::mqtt {

class RawClient {
 public:
  // `endpoint` is "mqtt://127.0.0.1:PORT".  `receive_buffer`: SO_RCVBUF, 0: as it is.
  explicit RawClient(std::string_view endpoint, Version version = Version::V5,
                     int receive_buffer = 0);
  ~RawClient();
  RawClient(const RawClient&) = delete;
  RawClient& operator=(const RawClient&) = delete;

  // False when the other side has closed.
  bool send(std::string_view bytes);

  // The next packet in words, as "connack 0" or "publish a/b 21 qos1 id1"; "end" when
  // the other side has closed, "nothing" when the time has passed.
  std::string next(std::chrono::milliseconds within = std::chrono::seconds(5));
  // Bytes until the other side closes, or the time has passed.
  std::size_t drain(std::chrono::milliseconds within);
  void stop_reading();

  std::string connect(Connect packet);  // sends it and gives next()
  std::string connect(std::string_view client_id, bool clean_start = true);
  std::string subscribe(std::string_view filter, std::uint8_t qos);
  bool publish(std::string_view topic, std::string_view payload, std::uint16_t packet_id);
  bool ack(std::uint16_t packet_id);
  bool disconnect();

  int descriptor() const { return socket_; }

 private:
  int socket_;
  Version version_;
  std::string received_;
  std::uint16_t last_id_ = 100;
};

// One packet that a server sends, in words.
std::string word_of(const Frame& frame, Version version);
// All packets in `bytes`, with ", " between them.
std::string words_of(std::string_view bytes, Version version);

}  // namespace marram::mqtt
