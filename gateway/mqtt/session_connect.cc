// The way in: CONNECT and all its checks, up to the CONNACK.
#include <algorithm>

#include "core/event/topic.h"
#include "gateway/mqtt/session.h"

namespace marram::mqtt {

namespace {

Reason check_will(const std::optional<Will>& will) {
  if (!will) return Reason::Success;
  if (will->qos == 2) return Reason::QosNotSupported;
  if (will->retain) return Reason::RetainNotSupported;
  return Reason::ImplementationSpecific;
}

Reason check_authentication(const Properties& properties) {
  if (properties.has(PropertyId::AuthenticationMethod)) return Reason::BadAuthenticationMethod;
  if (properties.has(PropertyId::AuthenticationData)) return Reason::ProtocolError;
  return Reason::Success;
}

std::string_view why(Reason reason) {
  switch (reason) {
    case Reason::ImplementationSpecific:
      return "will messages are not supported";
    case Reason::BadAuthenticationMethod:
      return "only user and password are supported";
    case Reason::ClientIdNotValid:
      return "client ids have no '/', '+', '#' or control characters, and a session that is kept "
             "needs one";
    default:
      return {};
  }
}

}  // namespace

void Session::on_connect(const Frame& frame, Actions& out) {
  Connect packet;
  const Reason decoded = decode(frame, packet);
  version_ = packet.version;
  if (decoded == Reason::MalformedPacket && version_ == Version::V311) {
    return end(false, decoded, out);  // 3.1.1 has no code for it
  }
  const Reason reason = decoded == Reason::Success ? take_connect(packet, out) : decoded;
  if (reason != Reason::Success) refuse_connect(reason, why(reason), out);
}

Reason Session::take_connect(const Connect& packet, Actions& out) {
  Reason reason = check_authentication(packet.properties);
  if (reason == Reason::Success) reason = check_will(packet.will);
  if (reason != Reason::Success) return reason;

  assigned_id_ = packet.client_id.empty();
  if (!assigned_id_) client_id_ = packet.client_id;
  const bool nameless = assigned_id_ && version_ == Version::V311 && !packet.clean_start;
  if (nameless || !check_name("client id", consumer_name(client_id_), rules_.limits)) {
    return Reason::ClientIdNotValid;
  }
  take_session_options(packet);
  state_ = State::Proving;
  Authenticate request{.client_id = client_id_, .user = {}, .password = {}};
  if (packet.user) request.user = std::string(*packet.user);
  request.password = packet.password.value_or("");
  // A password without a user name (MQTT 5) is a user without a name: nobody.
  if (!packet.user && packet.password) request.user.emplace();
  out.commands.emplace_back(std::move(request));
  return Reason::Success;
}

void Session::take_session_options(const Connect& packet) {
  const MqttLimits& mqtt = rules_.mqtt;
  const auto expiry_max = static_cast<std::uint32_t>(mqtt.session_expiry_max.count());
  clean_start_ = packet.clean_start;
  if (version_ == Version::V5) {
    const auto asked = packet.properties.number(PropertyId::SessionExpiry).value_or(0);
    expiry_s_ = std::min(asked, expiry_max);
    tell_expiry_ = expiry_s_ != asked;
  } else {
    expiry_s_ = packet.clean_start ? 0 : expiry_max;
  }

  const auto window = packet.properties.number(PropertyId::ReceiveMaximum).value_or(65'535);
  in_flight_max_ = static_cast<std::uint16_t>(
      std::min<std::size_t>({window, mqtt.in_flight_max, rules_.limits.in_flight_max, 32'767}));
  sendable_bytes_max_ =
      packet.properties.number(PropertyId::MaximumPacketSize).value_or(kVarintMax + 5);

  asked_keep_alive_s_ = keep_alive_s_ = packet.keep_alive;
  const auto keep_alive_max = static_cast<std::size_t>(mqtt.keep_alive_max.count());
  // Only MQTT 5 can tell the client that it must be livelier than it meant to.
  if (version_ == Version::V5 && keep_alive_max != 0 &&
      (keep_alive_s_ == 0 || keep_alive_s_ > keep_alive_max)) {
    keep_alive_s_ = static_cast<std::uint16_t>(std::min<std::size_t>(keep_alive_max, 65'535));
  }
}

void Session::refuse_connect(Reason reason, std::string_view text, Actions& out) {
  std::string properties;
  if (!text.empty() && version_ == Version::V5) {
    PropertyWriter(properties).text(PropertyId::ReasonString, text);
  }
  encode(ConnAck{.reason = reason, .properties = Properties(properties)}, version_, out.bytes);
  end(true, reason, out);
}

void Session::on_authenticated(AccessPtr access, Reason refusal, Actions& out) {
  if (state_ != State::Proving) return;
  if (!access) return refuse_connect(refusal, {}, out);
  access_ = std::move(access);
  state_ = State::Claiming;
  out.commands.push_back(Claim{client_id_, clean_start_, expiry_s_ > 0});
}

void Session::on_claim_refused(Reason reason, Actions& out) {
  if (state_ == State::Claiming) refuse_connect(reason, {}, out);
}

void Session::on_claimed(std::optional<StoredSession> stored, Actions& out) {
  if (state_ != State::Claiming) return;
  claimed_ = true;
  if (!stored || stored->subscriptions.empty()) return accept(stored.has_value(), out);
  subscriptions_.restore(std::move(stored->subscriptions));
  durable_ = open_ = true;
  state_ = State::Resuming;
  out.commands.push_back(Open{subscribe_options()});
}

SubscribeOptions Session::subscribe_options() const {
  SubscribeOptions options;
  options.filters = subscriptions_.filters();
  options.start = Start{.at = Start::At::New};
  options.in_flight_max = in_flight_max_;
  options.in_flight_bytes_max = rules_.mqtt.unsent_bytes_max;
  options.ack_wait = Duration(0);  // MQTT sends again when the client comes back
  if (durable_) {
    options.name = consumer_name(client_id_);
    options.take_over = true;
    options.attributes = to_attributes(expiry_s_, subscriptions_.table());
  }
  return options;
}

void Session::accept(bool session_present, Actions& out) {
  state_ = State::Connected;
  ++out.tally->connects;
  std::string properties;
  if (version_ == Version::V5) {
    PropertyWriter writer(properties);
    if (tell_expiry_) writer.number(PropertyId::SessionExpiry, expiry_s_);
    writer.number(PropertyId::ReceiveMaximum,
                  static_cast<std::uint32_t>(rules_.mqtt.receive_maximum));
    writer.number(PropertyId::MaximumQos, 1);
    writer.number(PropertyId::RetainAvailable, 0);
    writer.number(PropertyId::MaximumPacketSize,
                  static_cast<std::uint32_t>(rules_.mqtt.packet_bytes_max));
    if (assigned_id_) writer.text(PropertyId::AssignedClientId, client_id_);
    writer.number(PropertyId::SharedAvailable, 0);
    if (keep_alive_s_ != asked_keep_alive_s_) {
      writer.number(PropertyId::ServerKeepAlive, keep_alive_s_);
    }
  }
  encode(ConnAck{.session_present = session_present, .properties = Properties(properties)},
         version_, out.bytes);
}

}  // namespace marram::mqtt
