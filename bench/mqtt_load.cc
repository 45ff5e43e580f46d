// An MQTT 3.1.1 load generator: one thread, epoll, QoS 1, any broker.
//
//     marram_mqtt_load --port 1883 --connections 10 --window 20 --count 1000000
//     marram_mqtt_load --port 1883 --connections 10 --window 20 --count 1000000 --subscriber
//     marram_mqtt_load --port 1883 --connections 10 --window 100 --count 200000 --rate 10000
//
// Prints one JSON line: messages acknowledged a second, those received a second by
// one subscriber (until the last has come), and the time from send to PUBACK.
#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;

struct Options {
  std::uint16_t port = 1883;
  std::size_t connections = 1;
  std::size_t window = 20;
  std::uint64_t count = 100'000;
  std::size_t payload = 256;
  double rate = 0;
  bool subscriber = false;
  int subscriber_qos = 1;
};

[[noreturn]] void give_up(const std::string& why) {
  fmt::print(stderr, "mqtt_load: {}\n", why);
  std::exit(1);
}

std::string text(std::string_view value) {
  std::string out{static_cast<char>(value.size() >> 8), static_cast<char>(value.size() & 0xFF)};
  return out.append(value);
}

std::string packet(int type_and_flags, const std::string& body) {
  std::string out(1, static_cast<char>(type_and_flags));
  std::size_t left = body.size();
  do {
    out += static_cast<char>((left & 0x7F) | (left > 0x7F ? 0x80 : 0));
    left >>= 7;
  } while (left > 0);
  return out + body;
}

// A socket with bytes to send and bytes that are no whole packet yet.
class Connection {
 public:
  Connection(std::uint16_t port, int epoll, std::size_t index) {
    fd_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(port);
    if (::connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
      give_up(fmt::format("cannot connect to port {}", port));
    }
    const int on = 1;
    ::setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    epoll_event wanted{};
    wanted.events = EPOLLIN;
    wanted.data.u64 = index;
    ::epoll_ctl(epoll, EPOLL_CTL_ADD, fd_, &wanted);
    epoll_ = epoll;
    index_ = index;
    queue(packet(0x10, text("MQTT") + std::string("\x04\x02\x00\x00", 4) +
                           text(fmt::format("load-{}-{}", ::getpid(), index))));
  }
  ~Connection() { ::close(fd_); }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  void queue(std::string_view bytes) { out_ += bytes; }

  void flush() {
    while (sent_ < out_.size()) {
      const auto done =
          ::send(fd_, out_.data() + sent_, out_.size() - sent_, MSG_NOSIGNAL | MSG_DONTWAIT);
      if (done < 0 && errno != EAGAIN) give_up("the broker closed a connection");
      if (done < 0) break;
      sent_ += static_cast<std::size_t>(done);
    }
    if (sent_ == out_.size()) {
      out_.clear();
      sent_ = 0;
    }
    const bool blocked = !out_.empty();
    if (blocked == blocked_) return;
    blocked_ = blocked;
    epoll_event wanted{};
    wanted.events = EPOLLIN | (blocked ? static_cast<unsigned>(EPOLLOUT) : 0U);
    wanted.data.u64 = index_;
    ::epoll_ctl(epoll_, EPOLL_CTL_MOD, fd_, &wanted);
  }

  // Calls handle(type and flags, body) for each whole packet that has come.
  template <class Handle>
  void read(std::vector<char>& buffer, Handle handle) {
    const std::size_t kept = in_.size();
    std::copy(in_.begin(), in_.end(), buffer.begin());
    const auto got = ::recv(fd_, buffer.data() + kept, buffer.size() - kept, MSG_DONTWAIT);
    if (got == 0 || (got < 0 && errno != EAGAIN)) give_up("the broker closed a connection");
    if (got < 0) return;
    const char* at = buffer.data();
    const char* const end = at + kept + got;
    while (end - at >= 2) {
      std::size_t size = 0;
      const char* body = at + 1;
      for (int shift = 0; body < end; shift += 7) {
        size |= static_cast<std::size_t>(*body & 0x7F) << shift;
        if ((*body++ & 0x80) == 0) break;
      }
      if (static_cast<std::size_t>(end - body) < size) break;
      handle(static_cast<unsigned char>(*at), std::string_view(body, size));
      at = body + size;
    }
    in_.assign(at, end);
  }

 private:
  int fd_ = -1;
  int epoll_ = -1;
  std::size_t index_ = 0;
  std::string out_;
  std::size_t sent_ = 0;
  bool blocked_ = false;
  std::string in_;
};

struct Publisher {
  std::unique_ptr<Connection> connection;
  std::string publish;  // a whole packet; the packet id stands at `id_at`
  std::size_t id_at = 0;
  std::uint16_t next_id = 1;
  std::size_t in_flight = 0;
  bool ready = false;
  std::vector<Clock::time_point> sent_at = std::vector<Clock::time_point>(65536);
};

class Load {
 public:
  explicit Load(const Options& options) : options_(options), epoll_(::epoll_create1(0)) {
    if (options.subscriber) {
      subscriber_ = std::make_unique<Connection>(options.port, epoll_, options.connections);
      subscriber_->flush();
    }
    for (std::size_t i = 0; i < options.connections; ++i) publishers_.push_back(make_publisher(i));
  }

  void run() {
    while (ready_ < options_.connections || (subscriber_ && !subscribed_)) turn();
    start_ = Clock::now();
    for (Publisher& publisher : publishers_) fill(publisher);
    while (acked_ < options_.count) {
      turn();
      if (options_.rate > 0) {
        for (Publisher& publisher : publishers_) fill(publisher);
      }
    }
    acked_in_ = std::chrono::duration<double>(Clock::now() - start_).count();
    while (subscriber_ && received_ < options_.count) turn();
    received_in_ = std::chrono::duration<double>(Clock::now() - start_).count();
  }

  void print() {
    std::sort(latencies_.begin(), latencies_.end());
    const auto at = [&](double share) {
      if (latencies_.empty()) return 0U;
      return latencies_[static_cast<std::size_t>(share *
                                                 static_cast<double>(latencies_.size() - 1))];
    };
    const auto count = static_cast<double>(options_.count);
    fmt::print(
        "{{\"connections\":{},\"window\":{},\"count\":{},\"acked_per_s\":{:.0f},"
        "\"received_per_s\":{:.0f},\"p50_us\":{},\"p99_us\":{}}}\n",
        options_.connections, options_.window, options_.count, count / acked_in_,
        subscriber_ ? count / received_in_ : 0.0, at(0.5), at(0.99));
  }

 private:
  Publisher make_publisher(std::size_t index) {
    Publisher publisher;
    publisher.connection = std::make_unique<Connection>(options_.port, epoll_, index);
    const std::string topic = text(fmt::format("bench/{}", index));
    const std::size_t body = topic.size() + 2 + options_.payload;
    publisher.publish =
        packet(0x32, topic + std::string(2, '\0') + std::string(options_.payload, 'x'));
    publisher.id_at = publisher.publish.size() - body + topic.size();
    publisher.connection->flush();
    return publisher;
  }

  void turn() {
    std::array<epoll_event, 256> events;
    // Between two messages it sleeps, so that the broker has both cores.
    const auto pause = options_.rate > 0 ? static_cast<long>(1e9 / options_.rate) : 999'999'999L;
    const timespec timeout{.tv_sec = 0, .tv_nsec = std::min(pause, 999'999'999L)};
    const int count =
        ::epoll_pwait2(epoll_, events.data(), static_cast<int>(events.size()), &timeout, nullptr);
    for (int i = 0; i < count; ++i) {
      const std::size_t index = events[static_cast<std::size_t>(i)].data.u64;
      if (index == options_.connections) {
        on_subscriber();
      } else {
        on_publisher(publishers_[index]);
      }
    }
  }

  void on_publisher(Publisher& publisher) {
    publisher.connection->read(buffer_, [&](unsigned char type, std::string_view body) {
      if (type == 0x20) {
        if (body.size() != 2 || body[1] != 0) give_up("the broker refused a connection");
        publisher.ready = true;
        ++ready_;
      } else if (type == 0x40 && body.size() == 2) {
        on_ack(publisher, static_cast<std::uint16_t>(static_cast<unsigned char>(body[0]) << 8 |
                                                     static_cast<unsigned char>(body[1])));
      }
    });
    if (start_ != Clock::time_point()) fill(publisher);
    publisher.connection->flush();
  }

  void on_ack(Publisher& publisher, std::uint16_t id) {
    ++acked_;
    --publisher.in_flight;
    if (options_.rate > 0) {
      latencies_.push_back(
          static_cast<std::uint32_t>(std::chrono::duration_cast<std::chrono::microseconds>(
                                         Clock::now() - publisher.sent_at[id])
                                         .count()));
    }
  }

  void fill(Publisher& publisher) {
    const auto now = Clock::now();
    auto allowed = options_.count;
    if (options_.rate > 0) {
      const double elapsed = std::chrono::duration<double>(now - start_).count();
      allowed = std::min(allowed, static_cast<std::uint64_t>(elapsed * options_.rate));
    }
    const std::uint64_t before = sent_;
    while (publisher.in_flight < options_.window && sent_ < allowed) {
      const std::uint16_t id = publisher.next_id;
      publisher.next_id = id == 0xFFFF ? 1 : static_cast<std::uint16_t>(id + 1);
      publisher.publish[publisher.id_at] = static_cast<char>(id >> 8);
      publisher.publish[publisher.id_at + 1] = static_cast<char>(id & 0xFF);
      publisher.sent_at[id] = now;
      publisher.connection->queue(publisher.publish);
      ++publisher.in_flight;
      ++sent_;
      if (options_.rate > 0) break;  // one at a time, round the connections
    }
    if (sent_ != before) publisher.connection->flush();
  }

  void on_subscriber() {
    subscriber_->read(buffer_, [&](unsigned char type, std::string_view body) {
      if (type == 0x20) {
        subscriber_->queue(packet(0x82, std::string("\0\1", 2) + text("bench/#") +
                                            static_cast<char>(options_.subscriber_qos)));
      } else if (type == 0x90) {
        subscribed_ = true;
      } else if ((type & 0xF0) == 0x30) {
        ++received_;
        if ((type & 0x06) == 0x02 && (type & 0x08) == 0) acknowledge(body);
      }
    });
    subscriber_->flush();
  }

  void acknowledge(std::string_view body) {
    const std::size_t topic = static_cast<std::size_t>(static_cast<unsigned char>(body[0])) << 8 |
                              static_cast<unsigned char>(body[1]);
    const char ack[] = {0x40, 0x02, body[2 + topic], body[3 + topic]};
    subscriber_->queue({ack, 4});
  }

  Options options_;
  int epoll_;
  std::vector<Publisher> publishers_;
  std::unique_ptr<Connection> subscriber_;
  std::vector<char> buffer_ = std::vector<char>(512 << 10);
  std::size_t ready_ = 0;
  bool subscribed_ = false;
  std::uint64_t sent_ = 0;
  std::uint64_t acked_ = 0;
  std::uint64_t received_ = 0;
  Clock::time_point start_{};
  double acked_in_ = 0;
  double received_in_ = 0;
  std::vector<std::uint32_t> latencies_;
};

}  // namespace

int main(int argc, char** argv) {
  Options options;
  CLI::App app("MQTT load generator");
  app.add_option("--port", options.port);
  app.add_option("--connections", options.connections);
  app.add_option("--window", options.window);
  app.add_option("--count", options.count);
  app.add_option("--payload", options.payload);
  app.add_option("--rate", options.rate, "messages a second, of all connections; 0: unlimited");
  app.add_flag("--subscriber", options.subscriber);
  app.add_option("--subscriber-qos", options.subscriber_qos);
  CLI11_PARSE(app, argc, argv);
  Load load(options);
  load.run();
  load.print();
  return 0;
}
