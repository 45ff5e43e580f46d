#include "tests/mqtt/raw_client.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <charconv>

namespace marram::mqtt {

namespace {

std::string publish_word(const Frame& frame, Version version) {
  Publish packet;
  if (decode(frame, version, packet) != Reason::Success) return "publish malformed";
  std::string word = fmt::format("publish {} {}", packet.topic, packet.payload.substr(0, 40));
  if (packet.qos > 0) word += fmt::format(" qos{} id{}", packet.qos, packet.packet_id);
  if (packet.dup) word += " dup";
  if (packet.retain) word += " retain";
  return word;
}

std::string answers_word(const Frame& frame, Version version) {
  FilterAnswers packet;
  if (decode(frame, version, packet) != Reason::Success) return "answers malformed";
  std::string word = fmt::format("{} id{}", name(frame.type), packet.packet_id);
  for (const Reason code : packet.codes) word += fmt::format(" {:x}", static_cast<unsigned>(code));
  return word;
}

std::string connack_word(const Frame& frame, Version version) {
  ConnAck packet;
  if (decode(frame, version, packet) != Reason::Success) return "connack malformed";
  const unsigned code =
      version == Version::V311 ? packet.code_311 : static_cast<unsigned>(packet.reason);
  return fmt::format("connack {:x}{}", code, packet.session_present ? " present" : "");
}

}  // namespace

std::string word_of(const Frame& frame, Version version) {
  switch (frame.type) {
    case PacketType::ConnAck:
      return connack_word(frame, version);
    case PacketType::Publish:
      return publish_word(frame, version);
    case PacketType::SubAck:
    case PacketType::UnsubAck:
      return answers_word(frame, version);
    case PacketType::PubAck: {
      Ack packet;
      if (decode(frame, version, packet) != Reason::Success) return "puback malformed";
      const auto code = static_cast<unsigned>(packet.reason);
      return fmt::format("puback id{}{}", packet.packet_id,
                         code == 0 ? "" : fmt::format(" {:x}", code));
    }
    case PacketType::Disconnect: {
      Farewell packet;
      if (decode(frame, version, packet) != Reason::Success) return "disconnect malformed";
      return fmt::format("disconnect {:x}", static_cast<unsigned>(packet.reason));
    }
    default:
      return std::string(name(frame.type));
  }
}

std::string words_of(std::string_view bytes, Version version) {
  std::string words;
  Frame frame;
  while (read_frame(bytes, kVarintMax, frame) == FrameState::Ready) {
    if (!words.empty()) words += ", ";
    words += word_of(frame, version);
    bytes.remove_prefix(frame.bytes);
  }
  return bytes.empty() ? words : words + ", and bytes that are no packet";
}

RawClient::RawClient(std::string_view endpoint, Version version, int receive_buffer)
    : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)), version_(version) {
  if (receive_buffer > 0) {
    ::setsockopt(socket_, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer);
  }
  std::uint16_t port = 0;
  const std::string_view digits = endpoint.substr(endpoint.rfind(':') + 1);
  std::from_chars(digits.data(), digits.data() + digits.size(), port);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::connect(socket_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
    ::shutdown(socket_, SHUT_RDWR);
  }
}

RawClient::~RawClient() { ::close(socket_); }

bool RawClient::send(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t count = ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (count <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(count));
  }
  return true;
}

std::string RawClient::next(std::chrono::milliseconds within) {
  const auto deadline = std::chrono::steady_clock::now() + within;
  Frame frame;
  while (read_frame(received_, kVarintMax, frame) != FrameState::Ready) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
        deadline - std::chrono::steady_clock::now());
    pollfd wanted{socket_, POLLIN, 0};
    if (left.count() <= 0 || ::poll(&wanted, 1, static_cast<int>(left.count())) == 0) {
      return "nothing";
    }
    char buffer[16'384];
    const ssize_t count = ::recv(socket_, buffer, sizeof buffer, 0);
    if (count <= 0) return "end";
    received_.append(buffer, static_cast<std::size_t>(count));
  }
  std::string word = word_of(frame, version_);
  received_.erase(0, frame.bytes);
  return word;
}

std::size_t RawClient::drain(std::chrono::milliseconds within) {
  const auto deadline = std::chrono::steady_clock::now() + within;
  std::size_t bytes = received_.size();
  received_.clear();
  for (;;) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
        deadline - std::chrono::steady_clock::now());
    pollfd wanted{socket_, POLLIN, 0};
    if (left.count() <= 0 || ::poll(&wanted, 1, static_cast<int>(left.count())) == 0) return bytes;
    char buffer[16'384];
    const ssize_t count = ::recv(socket_, buffer, sizeof buffer, 0);
    if (count <= 0) return bytes;
    bytes += static_cast<std::size_t>(count);
  }
}

std::string RawClient::connect(Connect packet) {
  packet.version = version_;
  std::string bytes;
  encode(packet, bytes);
  send(bytes);
  return next();
}

std::string RawClient::connect(std::string_view client_id, bool clean_start) {
  std::string properties;
  if (!clean_start && version_ == Version::V5) {
    PropertyWriter(properties).number(PropertyId::SessionExpiry, 3600);
  }
  return connect(Connect{
      .clean_start = clean_start, .client_id = client_id, .properties = Properties(properties)});
}

std::string RawClient::subscribe(std::string_view filter, std::uint8_t qos) {
  std::string bytes;
  encode(Subscribe{.packet_id = ++last_id_, .filters = {{.filter = filter, .qos = qos}}}, version_,
         bytes);
  send(bytes);
  return next();
}

bool RawClient::publish(std::string_view topic, std::string_view payload, std::uint16_t packet_id) {
  std::string bytes;
  encode(Publish{.topic = topic,
                 .payload = payload,
                 .packet_id = packet_id,
                 .qos = static_cast<std::uint8_t>(packet_id == 0 ? 0 : 1)},
         version_, bytes);
  return send(bytes);
}

bool RawClient::ack(std::uint16_t packet_id) {
  std::string bytes;
  encode(Ack{.packet_id = packet_id}, version_, bytes);
  return send(bytes);
}

bool RawClient::disconnect() {
  std::string bytes;
  encode(Farewell{}, version_, bytes);
  return send(bytes);
}

}  // namespace marram::mqtt
