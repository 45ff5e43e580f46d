#include "gateway/connectors/mqtt_device.h"

#include <fmt/format.h>
#include <mqtt/async_client.h>
#include <poll.h>
#include <unistd.h>

#include <charconv>
#include <deque>
#include <memory>
#include <ostream>
#include <set>
#include <variant>

#include "core/base/clock.h"
#include "core/base/mailbox.h"
#include "gateway/connectors/route.h"

namespace marram {

namespace {

constexpr Duration kRedialAfter = std::chrono::milliseconds(300);

struct Connected {};
struct Lost {};
struct Acked {
  std::uint64_t number;
};
struct Refused {
  std::uint64_t number;
};
struct Got {
  std::string topic;
  std::string payload;
};
using Happening = std::variant<Connected, Lost, Acked, Refused, Got>;

// One connection; a new one for each dial, so that nothing of an old one stays.
// Its callbacks run on Paho's threads and only post.
class Connection : mqtt::callback, mqtt::iaction_listener {
 public:
  Connection(const RouteTarget& target, const std::string& client_id, bool keep_session,
             Mailbox<Happening>& happenings)
      : client_(fmt::format("tcp://{}:{}", target.host, target.port), client_id,
                mqtt::create_options(MQTTVERSION_5)),
        happenings_(happenings) {
    options_.set_mqtt_version(MQTTVERSION_5);
    options_.set_clean_start(!keep_session);
    options_.set_keep_alive_interval(5);
    options_.set_connect_timeout(3);
    if (keep_session) {
      options_.set_properties({{mqtt::property::SESSION_EXPIRY_INTERVAL, 3600}});
    }
    client_.set_callback(*this);
    // Paho says nothing more after a DISCONNECT of the broker's.
    client_.set_disconnected_handler(
        [this](const mqtt::properties&, mqtt::ReasonCode) { happenings_.post(Lost{}); });
  }

  void dial(const std::string& filter) {
    filter_ = filter;
    try {
      client_.connect(options_, nullptr, *this);
    } catch (const mqtt::exception&) {
      happenings_.post(Lost{});
    }
  }

  bool publish(const std::string& topic, const std::string& payload, const std::string& id,
               std::uint64_t number) {
    try {
      auto message = mqtt::make_message(topic, payload, 1, false);
      message->set_properties({{mqtt::property::USER_PROPERTY, "id", id},
                               {mqtt::property::CONTENT_TYPE, "application/json"}});
      // The library only hands it back.  NOLINTNEXTLINE(performance-no-int-to-ptr)
      client_.publish(message, reinterpret_cast<void*>(number), *this);
      return true;
    } catch (const mqtt::exception&) {
      return false;
    }
  }

 private:
  void connection_lost(const std::string&) override { happenings_.post(Lost{}); }
  void message_arrived(mqtt::const_message_ptr message) override {
    happenings_.post(Got{message->get_topic(), message->to_string()});
  }
  void on_success(const mqtt::token& token) override {
    if (token.get_type() == mqtt::token::Type::PUBLISH) {
      happenings_.post(Acked{number_of(token)});
    } else if (token.get_type() == mqtt::token::Type::CONNECT && !filter_.empty()) {
      subscribe();
    } else {
      happenings_.post(Connected{});
    }
  }
  void on_failure(const mqtt::token& token) override {
    if (token.get_type() == mqtt::token::Type::PUBLISH) {
      happenings_.post(Refused{number_of(token)});
    } else {
      happenings_.post(Lost{});
    }
  }
  void subscribe() {
    try {
      client_.subscribe(filter_, 1, nullptr, *this);
    } catch (const mqtt::exception&) {
      happenings_.post(Lost{});
    }
  }
  static std::uint64_t number_of(const mqtt::token& token) {
    return reinterpret_cast<std::uint64_t>(token.get_user_context());
  }

  mqtt::async_client client_;
  mqtt::connect_options options_;
  std::string filter_;
  Mailbox<Happening>& happenings_;
};

// What devices and collectors share: dialling, redialling, waiting.
class Dialler {
 public:
  Dialler(RouteTarget target, std::string client_id, std::string filter)
      : target_(std::move(target)), client_id_(std::move(client_id)), filter_(std::move(filter)) {}

  // Waits for something to happen, until `until`.  False when stdin has ended.
  bool wait(TimePoint until, std::vector<Happening>& out) {
    if (lost_ && Clock::system().now() >= redial_at_) dial();
    if (happenings_.take(out)) return !stdin_ended_;
    if (lost_) until = std::min(until, redial_at_);
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - Clock::system().now());
    pollfd wanted[] = {{.fd = happenings_.fd(), .events = POLLIN, .revents = 0},
                       {.fd = stdin_ended_ ? -1 : STDIN_FILENO, .events = POLLIN, .revents = 0}};
    ::poll(wanted, 2, static_cast<int>(std::max<std::int64_t>(0, left.count())));
    char ignored[256];
    if (wanted[1].revents != 0 && ::read(STDIN_FILENO, ignored, sizeof ignored) <= 0) {
      stdin_ended_ = true;
    }
    happenings_.take(out);
    return !stdin_ended_;
  }

  // The lost connection stays until the next dial: it may be in a callback still.
  void on_lost() {
    lost_ = true;
    redial_at_ = Clock::system().now() + kRedialAfter;
  }

  Connection* connection() { return connection_.get(); }

 private:
  void dial() {
    lost_ = false;
    connection_ = std::make_unique<Connection>(target_, client_id_, !filter_.empty(), happenings_);
    connection_->dial(filter_);
  }

  RouteTarget target_;
  std::string client_id_;
  std::string filter_;
  Mailbox<Happening> happenings_;
  std::unique_ptr<Connection> connection_;
  TimePoint redial_at_{};
  bool lost_ = true;
  bool stdin_ended_ = false;
};

class Device {
 public:
  Device(const DeviceOptions& options, RouteTarget target, std::ostream& out)
      : options_(options), dialler_(std::move(target), options.client_id, ""), out_(out) {}

  void run() {
    std::vector<Happening> happenings;
    bool more = true;
    while (more || !unacked_.empty()) {
      const bool open = dialler_.wait(next_at(), happenings);
      for (const Happening& happening : happenings) handle(happening);
      report();
      more = open && (options_.count == 0 || sent_ < options_.count);
      send(more);
    }
  }

 private:
  TimePoint next_at() const {
    const TimePoint now = Clock::system().now();
    if (!up_ || options_.rate_per_s <= 0) return now + std::chrono::seconds(1);
    return std::max(now, due_);
  }

  void handle(const Happening& happening) {
    if (std::holds_alternative<Connected>(happening)) {
      up_ = true;
      again_.assign(unacked_.begin(), unacked_.end());
      out_ << "up" << '\n' << std::flush;
    } else if (std::holds_alternative<Lost>(happening)) {
      up_ = false;
      dialler_.on_lost();
    } else if (const auto* acked = std::get_if<Acked>(&happening)) {
      if (unacked_.erase(acked->number) != 0) fresh_.push_back(acked->number);
    } else if (const auto* refused = std::get_if<Refused>(&happening)) {
      if (unacked_.contains(refused->number)) again_.push_back(refused->number);
    }
  }

  void report() {
    if (fresh_.empty()) return;
    out_ << "sent " << sent_ << " acked";
    for (const std::uint64_t number : fresh_) out_ << ' ' << number;
    out_ << '\n' << std::flush;
    fresh_.clear();
  }

  void send(bool more) {
    while (up_ && !again_.empty() && publish(again_.front())) again_.pop_front();
    const TimePoint now = Clock::system().now();
    while (more && up_ && unacked_.size() < options_.window &&
           (options_.count == 0 || sent_ < options_.count)) {
      if (options_.rate_per_s > 0) {
        if (now < due_) return;
        const Duration step(static_cast<std::int64_t>(1e6 / options_.rate_per_s));
        due_ = std::max(due_ + step, now - 10 * step);
      }
      unacked_.insert(++sent_);
      if (!publish(sent_)) return;
    }
  }

  bool publish(std::uint64_t number) {
    const std::string payload =
        fmt::format(R"({{"device":"{}","n":{},"celsius":{:.1f}}})", options_.client_id, number,
                    20 + static_cast<double>(number % 50) / 10);
    return dialler_.connection()->publish(options_.topic, payload,
                                          fmt::format("{}-{}", options_.client_id, number), number);
  }

  DeviceOptions options_;
  Dialler dialler_;
  std::ostream& out_;
  bool up_ = false;
  std::uint64_t sent_ = 0;
  TimePoint due_ = Clock::system().now();
  std::set<std::uint64_t> unacked_;
  std::deque<std::uint64_t> again_;
  std::vector<std::uint64_t> fresh_;
};

// "…/dev-3/reading" and {"device":"dev-3","n":17,…}
void report_reading(const Got& got, std::ostream& out) {
  const std::string_view payload = got.payload;
  constexpr std::string_view kDevice = "{\"device\":\"";
  constexpr std::string_view kNumber = "\",\"n\":";
  const std::size_t number = payload.find(kNumber);
  if (!payload.starts_with(kDevice) || number == std::string_view::npos) return;
  const std::string_view device = payload.substr(kDevice.size(), number - kDevice.size());
  const std::size_t begin = number + kNumber.size();
  out << "got " << device << ' ' << payload.substr(begin, payload.find(',', begin) - begin) << '\n'
      << std::flush;
}

}  // namespace

Status run_device(const DeviceOptions& options, std::ostream& out) {
  auto target = parse_route_target(options.url);
  if (!target) return tl::unexpected(target.error());
  Device(options, std::move(*target), out).run();
  return {};
}

Status run_collector(const CollectorOptions& options, std::ostream& out) {
  auto target = parse_route_target(options.url);
  if (!target) return tl::unexpected(target.error());
  Dialler dialler(std::move(*target), options.client_id, options.filter);
  std::vector<Happening> happenings;
  while (dialler.wait(Clock::system().now() + std::chrono::seconds(1), happenings)) {
    for (const Happening& happening : happenings) {
      if (std::holds_alternative<Connected>(happening)) out << "up" << '\n' << std::flush;
      if (std::holds_alternative<Lost>(happening)) dialler.on_lost();
      if (const auto* got = std::get_if<Got>(&happening)) report_reading(*got, out);
    }
  }
  return {};
}

}  // namespace marram
