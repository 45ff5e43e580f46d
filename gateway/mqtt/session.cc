#include "gateway/mqtt/session.h"

namespace marram::mqtt {

namespace {

// For a password that waits behind many others, or behind a new users file.
constexpr Duration kProvingTakes = std::chrono::seconds(60);

}  // namespace

Reason reason_of(const Status& status) {
  if (status) return Reason::Success;
  switch (status.error().code) {
    case Errc::Full:
    case Errc::Overloaded:
      return Reason::QuotaExceeded;
    case Errc::Invalid:
      return Reason::TopicInvalid;
    case Errc::Refused:
      return Reason::NotAuthorized;
    case Errc::TooLarge:
    case Errc::Unsupported:
      return Reason::ImplementationSpecific;
    default:
      return Reason::Unspecified;
  }
}

std::string consumer_name(std::string_view client_id) { return "mqtt:" + std::string(client_id); }

Session::Session(const SessionRules& rules, std::string spare_id, TimePoint now)
    : rules_(rules), client_id_(std::move(spare_id)), last_packet_(now) {}

bool Session::takes_packets() const {
  constexpr std::size_t kRequestsMax = 64;
  return state_ == State::Silent || (state_ == State::Connected && waiting_.size() < kRequestsMax);
}

std::size_t Session::packet_bytes_max() const {
  return state_ == State::Silent ? rules_.mqtt.connect_bytes_max : rules_.mqtt.packet_bytes_max;
}

std::optional<TimePoint> Session::wake_at() const {
  if (state_ == State::Silent) return last_packet_ + rules_.mqtt.connect_within;
  if (state_ == State::Proving) return last_packet_ + kProvingTakes;
  if (state_ != State::Connected || keep_alive_s_ == 0) return {};
  return last_packet_ + std::chrono::milliseconds(1500) * keep_alive_s_;
}

void Session::on_tick(TimePoint now, Actions& out) {
  const auto at = wake_at();
  if (!at || *at > now) return;
  if (state_ == State::Connected) {
    disconnect(Reason::KeepAliveTimeout, "", out);
    return;
  }
  if (state_ == State::Proving) return refuse_connect(Reason::ServerBusy, {}, out);
  end(false, Reason::KeepAliveTimeout, out);
}

void Session::on_bad_frame(Reason reason, Actions& out) {
  if (state_ == State::Connected) {
    disconnect(reason, "", out);
    return;
  }
  end(false, reason, out);
}

void Session::on_frame(const Frame& frame, Now now, Actions& out) {
  last_packet_ = now.steady;
  if (state_ == State::Connected) {
    on_connected_frame(frame, now, out);
  } else if (state_ == State::Silent && frame.type == PacketType::Connect) {
    on_connect(frame, out);
  } else {
    end(false, Reason::ProtocolError, out);
  }
}

void Session::on_connected_frame(const Frame& frame, Now now, Actions& out) {
  switch (frame.type) {
    case PacketType::Publish:
      return on_publish(frame, now, out);
    case PacketType::PubAck:
      return on_puback(frame, out);
    case PacketType::Subscribe:
      return on_subscribe(frame, out);
    case PacketType::Unsubscribe:
      return on_unsubscribe(frame, out);
    case PacketType::Disconnect:
      return on_disconnect(frame, out);
    case PacketType::PingReq:
      if (check_empty(frame) != Reason::Success) break;
      return encode_empty(PacketType::PingResp, out.bytes);
    default:
      // A second CONNECT, AUTH that nobody asked for, QoS 2 that nobody began, or
      // what only servers send.
      return disconnect(Reason::ProtocolError, "this packet is not expected here", out);
  }
  disconnect(Reason::MalformedPacket, "", out);
}

void Session::on_disconnect(const Frame& frame, Actions& out) {
  Farewell packet;
  const Reason reason = decode(frame, version_, packet);
  if (reason != Reason::Success) return disconnect(reason, "", out);
  if (const auto expiry = packet.properties.number(PropertyId::SessionExpiry)) {
    if (expiry_s_ == 0 && *expiry != 0) {
      return disconnect(Reason::ProtocolError, "the session was to end with the connection", out);
    }
    const auto most = static_cast<std::uint32_t>(rules_.mqtt.session_expiry_max.count());
    expiry_s_ = std::min(*expiry, most);
    if (expiry_s_ != 0 && open_) {
      out.commands.push_back(
          Change{subscriptions_.filters(), to_attributes(expiry_s_, subscriptions_.table())});
    }
  }
  end(false, Reason::Success, out);
}

void Session::disconnect(Reason reason, std::string_view why, Actions& out) {
  if (state_ == State::Over) return;
  const bool can_tell = state_ == State::Connected && version_ == Version::V5;
  if (can_tell) {
    std::string properties;
    if (!why.empty()) PropertyWriter(properties).text(PropertyId::ReasonString, why);
    encode(Farewell{.reason = reason, .properties = Properties(properties)}, version_, out.bytes);
  }
  end(can_tell, reason, out);
}

void Session::end(bool linger, Reason reason, Actions& out) {
  if (state_ == State::Over) return;
  state_ = State::Over;
  if (is_error(reason)) out.refuse(reason);
  out.commands.push_back(Close{linger, reason});
}

}  // namespace marram::mqtt
