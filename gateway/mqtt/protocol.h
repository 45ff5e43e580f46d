// The words of MQTT 3.1.1 and 5.0: versions, packet types, reason codes.
#pragma once

#include <cstdint>
#include <string_view>

namespace marram::mqtt {

enum class Version : std::uint8_t { V311 = 4, V5 = 5 };

enum class PacketType : std::uint8_t {
  Connect = 1,
  ConnAck,
  Publish,
  PubAck,
  PubRec,
  PubRel,
  PubComp,
  Subscribe,
  SubAck,
  Unsubscribe,
  UnsubAck,
  PingReq,
  PingResp,
  Disconnect,
  Auth,
};

// MQTT 5.0, section 2.4.  MQTT 3.1.1 knows none of them on the wire, but a
// session decides in these words for both versions.
enum class Reason : std::uint8_t {
  Success = 0x00,
  GrantedQos1 = 0x01,
  DisconnectWithWill = 0x04,
  NoMatchingSubscribers = 0x10,
  NoSubscriptionExisted = 0x11,
  Unspecified = 0x80,
  MalformedPacket = 0x81,
  ProtocolError = 0x82,
  ImplementationSpecific = 0x83,
  UnsupportedVersion = 0x84,
  ClientIdNotValid = 0x85,
  BadUserOrPassword = 0x86,
  NotAuthorized = 0x87,
  ServerUnavailable = 0x88,
  ServerBusy = 0x89,
  ServerShuttingDown = 0x8B,
  BadAuthenticationMethod = 0x8C,
  KeepAliveTimeout = 0x8D,
  SessionTakenOver = 0x8E,
  FilterInvalid = 0x8F,
  TopicInvalid = 0x90,
  ReceiveMaximumExceeded = 0x93,
  TopicAliasInvalid = 0x94,
  PacketTooLarge = 0x95,
  QuotaExceeded = 0x97,
  PayloadFormatInvalid = 0x99,
  RetainNotSupported = 0x9A,
  QosNotSupported = 0x9B,
  SharedSubscriptionsNotSupported = 0x9E,
  ConnectionRateExceeded = 0x9F,
};

constexpr bool is_error(Reason reason) { return static_cast<std::uint8_t>(reason) >= 0x80; }

// "not_authorized"; "0x42" style codes that we never use are "other".
std::string_view name(Reason reason);
std::string_view name(PacketType type);

// The return code of a 3.1.1 CONNACK that is closest to `reason`.
std::uint8_t connack_code_311(Reason reason);

}  // namespace marram::mqtt
