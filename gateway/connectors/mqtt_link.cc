#include "gateway/connectors/mqtt_link.h"

#include <fmt/format.h>
#include <mqtt/async_client.h>

#include <atomic>

#include "gateway/connectors/mqtt_fault.h"

namespace marram {
namespace {

constexpr std::uint32_t kNeverExpires = 0xFFFFFFFF;

std::string uri_of(const RouteTarget& target) {
  const bool v6 = target.host.find(':') != std::string::npos;
  return fmt::format("{}://{}{}{}:{}", target.tls ? "ssl" : "tcp", v6 ? "[" : "", target.host,
                     v6 ? "]" : "", target.port);
}

// What the receiver of a message sees of it.
MqttMessage to_message(const mqtt::message& from) {
  MqttMessage message;
  message.topic = from.get_topic();
  message.payload = from.get_payload_str();
  const mqtt::properties& properties = from.get_properties();
  using Code = mqtt::property;
  if (properties.contains(Code::CONTENT_TYPE)) {
    message.content_type = mqtt::get<std::string>(properties, Code::CONTENT_TYPE);
  }
  if (properties.contains(Code::MESSAGE_EXPIRY_INTERVAL)) {
    message.expiry_s = mqtt::get<std::uint32_t>(properties, Code::MESSAGE_EXPIRY_INTERVAL);
  }
  const std::size_t count = properties.count(Code::USER_PROPERTY);
  for (std::size_t i = 0; i < count; ++i) {
    auto [name, value] = mqtt::get<mqtt::string_pair>(properties, Code::USER_PROPERTY, i);
    message.properties.emplace_back(std::move(name), std::move(value));
  }
  return message;
}

mqtt::properties to_properties(MqttMessage& message) {
  mqtt::properties properties;
  if (!message.content_type.empty()) {
    properties.add({mqtt::property::CONTENT_TYPE, std::move(message.content_type)});
  }
  if (message.expiry_s) {
    properties.add(
        {mqtt::property::MESSAGE_EXPIRY_INTERVAL, static_cast<std::int32_t>(*message.expiry_s)});
  }
  for (auto& [name, value] : message.properties) {
    properties.add({mqtt::property::USER_PROPERTY, std::move(name), std::move(value)});
  }
  return properties;
}

// Debian's bundle of the certificate authorities it trusts (ca-certificates).
const std::string kSystemCaFile = "/etc/ssl/certs/ca-certificates.crt";

class PahoLink final : public MqttLink, private mqtt::callback, private mqtt::iaction_listener {
 public:
  PahoLink(const MqttLinkOptions& options, OnMessage on_message)
      : v5_(options.protocol == MqttVersion::V5),
        tls_(options.target.tls),
        on_message_(std::move(on_message)),
        client_(uri_of(options.target), options.client_id,
                // The version here as well as in the connect options: with one of
                // them alone Paho refuses MQTT 5.
                mqtt::create_options(static_cast<int>(options.protocol))) {
    fill(options);
    client_.set_callback(*this);
    if (v5_) {
      // Paho says nothing more after a DISCONNECT of the broker's.
      client_.set_disconnected_handler([this](const mqtt::properties&, mqtt::ReasonCode reason) {
        const int code = static_cast<int>(reason);
        lose(true, code, "the broker disconnected: " + mqtt_code_text(code));
      });
    }
  }

  ~PahoLink() override {
    closing_ = true;
    try {
      if (client_.is_connected()) client_.disconnect(0);
    } catch (const mqtt::exception&) {  // NOLINT(bugprone-empty-catch): it has just been lost
    }
  }

  void dial() { client_.connect(connect_, nullptr, *this); }

  Status publish(std::uint64_t serial, MqttMessage message) override {
    try {
      auto properties = v5_ ? to_properties(message) : mqtt::properties();
      const auto out = mqtt::message::create(std::move(message.topic), std::move(message.payload),
                                             1, false, properties);
      // The library only hands it back.  NOLINTNEXTLINE(performance-no-int-to-ptr)
      client_.publish(out, reinterpret_cast<void*>(serial), *this);
      return {};
    } catch (const mqtt::exception& error) {
      return fail(Errc::Closed, error.to_string());
    }
  }

  Status subscribe(const std::vector<std::string>& filters) override {
    try {
      // Retained messages only for a subscription that is new.
      const mqtt::subscribe_options once(false, false,
                                         mqtt::subscribe_options::SEND_RETAINED_ON_NEW);
      unanswered_ = filters.size();
      // One by one: Paho 1.2.0 loses the options of all but the first filter of a list, and
      // reads them afterwards.
      for (const std::string& filter : filters) {
        client_.subscribe(filter, 1, nullptr, *this, v5_ ? once : mqtt::subscribe_options());
      }
      return {};
    } catch (const mqtt::exception& error) {
      return fail(Errc::Closed, error.to_string());
    }
  }

  bool take(std::vector<LinkEvent>& out) override { return events_.take(out); }
  int fd() const override { return events_.fd(); }

 private:
  void fill(const MqttLinkOptions& options) {
    connect_.set_mqtt_version(static_cast<int>(options.protocol));
    connect_.set_automatic_reconnect(false);
    connect_.set_connect_timeout(options.connect_within);
    connect_.set_keep_alive_interval(options.keep_alive);
    connect_.set_max_inflight(static_cast<int>(options.in_flight));
    if (!options.user.empty()) connect_.set_user_name(options.user);
    if (!options.password.empty()) connect_.set_password(options.password);
    if (options.target.tls) fill_tls(options.tls);
    if (!v5_) {
      connect_.set_clean_session(options.clean_start);
      return;
    }
    connect_.set_clean_start(options.clean_start);
    mqtt::properties properties;
    if (!options.clean_start) {
      properties.add(
          {mqtt::property::SESSION_EXPIRY_INTERVAL, static_cast<std::int32_t>(kNeverExpires)});
    }
    connect_.set_properties(std::move(properties));
  }

  void fill_tls(const RouteTls& tls) {
    mqtt::ssl_options ssl;
    // A file in either case: Paho 1.2.0 forgets a folder (ca_path) when it copies its
    // options, and reads it afterwards (eclipse-paho/paho.mqtt.cpp, issue 337).
    ssl.set_trust_store(tls.ca_file.empty() ? kSystemCaFile : tls.ca_file);
    if (!tls.certificate_file.empty()) {
      ssl.set_key_store(tls.certificate_file);
      ssl.set_private_key(tls.key_file);
    }
    ssl.set_enable_server_cert_auth(true);
    ssl.set_verify(true);  // the host name too
    // No error handler: Paho would call it through a copy that is gone by then.
    connect_.set_ssl(std::move(ssl));
  }

  // --- on Paho's threads, which an exception would end ---

  void on_success(const mqtt::token& token) override {
    switch (token.get_type()) {
      case mqtt::token::Type::CONNECT:
        // Paho says it twice.
        if (!connected_.exchange(true)) events_.post(connected_with(token));
        break;
      case mqtt::token::Type::SUBSCRIBE:
        answer_filter(refusal_in(token));
        break;
      case mqtt::token::Type::PUBLISH:
        events_.post(LinkAcked{serial_of(token)});
        break;
      default:
        break;
    }
  }

  void on_failure(const mqtt::token& token) override {
    int code = token.get_return_code();
    if (v5_) code = std::max(code, static_cast<int>(token.get_reason_code()));
    switch (token.get_type()) {
      case mqtt::token::Type::CONNECT:
        lose(false, std::max(code, 0), connect_error(code));
        break;
      case mqtt::token::Type::SUBSCRIBE:
        answer_filter(std::max(code, 1));
        break;
      case mqtt::token::Type::PUBLISH:
        // Without a code of the broker's it is the connection that is lost.
        if (code >= 0x80) events_.post(LinkRefused{serial_of(token), code});
        break;
      default:
        break;
    }
  }

  void connection_lost(const std::string&) override { lose(true, 0, "the connection was lost"); }

  void message_arrived(mqtt::const_message_ptr message) override {
    if (message && on_message_ && !closing_) on_message_(to_message(*message));
  }

  // ---

  static std::uint64_t serial_of(const mqtt::token& token) {
    return reinterpret_cast<std::uint64_t>(token.get_user_context());
  }

  void lose(bool was_connected, int code, std::string text) {
    if (lost_.exchange(true)) return;
    events_.post(LinkLost{was_connected, code, std::move(text)});
  }

  std::string connect_error(int code) const {
    if (code > 0) return "the broker refused the connection: " + mqtt_code_text(code);
    // Paho says no more than that.
    return tls_ ? "cannot connect, or the certificate is not for this host or of no CA in "
                  "tls.ca_file"
                : "cannot connect";
  }

  LinkConnected connected_with(const mqtt::token& token) const {
    LinkConnected connected;
    const auto response = token.get_connect_response();
    connected.session_present = response.is_session_present();
    const auto& properties = response.get_properties();
    if (properties.contains(mqtt::property::RECEIVE_MAXIMUM)) {
      connected.receive_maximum =
          mqtt::get<std::uint16_t>(properties, mqtt::property::RECEIVE_MAXIMUM);
    }
    if (properties.contains(mqtt::property::MAXIMUM_PACKET_SIZE)) {
      connected.packet_bytes_max =
          mqtt::get<std::uint32_t>(properties, mqtt::property::MAXIMUM_PACKET_SIZE);
    }
    return connected;
  }

  // Says it once for all filters, with the first refusal.
  void answer_filter(int refusal) {
    int none = 0;
    if (refusal != 0) refused_.compare_exchange_strong(none, refusal);
    if (--unanswered_ == 0) events_.post(LinkSubscribed{refused_});
  }

  static int refusal_in(const mqtt::token& token) {
    const auto response = token.get_subscribe_response();
    for (const auto code : response.get_reason_codes()) {
      if (static_cast<int>(code) >= 0x80) return static_cast<int>(code);
    }
    return 0;
  }

  const bool v5_;
  const bool tls_;
  const OnMessage on_message_;
  // Kept and passed by reference: copies of connect options lose their properties.
  mqtt::connect_options connect_;
  Mailbox<LinkEvent> events_;
  std::atomic<bool> connected_ = false;
  std::atomic<bool> lost_ = false;
  std::atomic<bool> closing_ = false;
  std::atomic<std::size_t> unanswered_ = 0;  // filters of subscribe()
  std::atomic<int> refused_ = 0;             // the first refusal of one
  mqtt::async_client client_;                // last: its destructor still calls back
};

}  // namespace

Result<std::unique_ptr<MqttLink>> MqttLink::dial(const MqttLinkOptions& options,
                                                 OnMessage on_message) {
  try {
    auto link = std::make_unique<PahoLink>(options, std::move(on_message));
    link->dial();
    return link;
  } catch (const mqtt::exception& error) {
    return fail(Errc::Io, "cannot dial: " + error.to_string());
  }
}

}  // namespace marram
