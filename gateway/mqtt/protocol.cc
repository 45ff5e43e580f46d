#include "gateway/mqtt/protocol.h"

namespace marram::mqtt {

std::string_view name(Reason reason) {
  switch (reason) {
    case Reason::Success:
      return "success";
    case Reason::GrantedQos1:
      return "granted_qos_1";
    case Reason::DisconnectWithWill:
      return "disconnect_with_will";
    case Reason::NoMatchingSubscribers:
      return "no_matching_subscribers";
    case Reason::NoSubscriptionExisted:
      return "no_subscription_existed";
    case Reason::Unspecified:
      return "unspecified";
    case Reason::MalformedPacket:
      return "malformed_packet";
    case Reason::ProtocolError:
      return "protocol_error";
    case Reason::ImplementationSpecific:
      return "implementation_specific";
    case Reason::UnsupportedVersion:
      return "unsupported_version";
    case Reason::ClientIdNotValid:
      return "client_id_not_valid";
    case Reason::BadUserOrPassword:
      return "bad_user_or_password";
    case Reason::NotAuthorized:
      return "not_authorized";
    case Reason::ServerUnavailable:
      return "server_unavailable";
    case Reason::ServerBusy:
      return "server_busy";
    case Reason::ServerShuttingDown:
      return "server_shutting_down";
    case Reason::BadAuthenticationMethod:
      return "bad_authentication_method";
    case Reason::KeepAliveTimeout:
      return "keep_alive_timeout";
    case Reason::SessionTakenOver:
      return "session_taken_over";
    case Reason::FilterInvalid:
      return "filter_invalid";
    case Reason::TopicInvalid:
      return "topic_invalid";
    case Reason::ReceiveMaximumExceeded:
      return "receive_maximum_exceeded";
    case Reason::TopicAliasInvalid:
      return "topic_alias_invalid";
    case Reason::PacketTooLarge:
      return "packet_too_large";
    case Reason::QuotaExceeded:
      return "quota_exceeded";
    case Reason::PayloadFormatInvalid:
      return "payload_format_invalid";
    case Reason::RetainNotSupported:
      return "retain_not_supported";
    case Reason::QosNotSupported:
      return "qos_not_supported";
    case Reason::SharedSubscriptionsNotSupported:
      return "shared_subscriptions_not_supported";
    case Reason::ConnectionRateExceeded:
      return "connection_rate_exceeded";
  }
  return "other";
}

std::string_view name(PacketType type) {
  switch (type) {
    case PacketType::Connect:
      return "connect";
    case PacketType::ConnAck:
      return "connack";
    case PacketType::Publish:
      return "publish";
    case PacketType::PubAck:
      return "puback";
    case PacketType::PubRec:
      return "pubrec";
    case PacketType::PubRel:
      return "pubrel";
    case PacketType::PubComp:
      return "pubcomp";
    case PacketType::Subscribe:
      return "subscribe";
    case PacketType::SubAck:
      return "suback";
    case PacketType::Unsubscribe:
      return "unsubscribe";
    case PacketType::UnsubAck:
      return "unsuback";
    case PacketType::PingReq:
      return "pingreq";
    case PacketType::PingResp:
      return "pingresp";
    case PacketType::Disconnect:
      return "disconnect";
    case PacketType::Auth:
      return "auth";
  }
  return "reserved";
}

std::uint8_t connack_code_311(Reason reason) {
  switch (reason) {
    case Reason::Success:
      return 0;
    case Reason::UnsupportedVersion:
      return 1;
    case Reason::ClientIdNotValid:
      return 2;
    case Reason::ServerUnavailable:
    case Reason::ServerBusy:
    case Reason::ServerShuttingDown:
    case Reason::QuotaExceeded:
    case Reason::ConnectionRateExceeded:
      return 3;
    case Reason::BadUserOrPassword:
      return 4;
    default:
      return 5;
  }
}

}  // namespace marram::mqtt
