#include "tests/connectors/broker.h"

#include <arpa/inet.h>
#include <doctest/doctest.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "core/base/mailbox.h"

namespace marram::test {
namespace {

sockaddr_in loopback(int port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

bool accepts(int port) {
  const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
  const sockaddr_in address = loopback(port);
  const bool ok = ::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  ::close(fd);
  return ok;
}

Process started(std::vector<std::string> command, const std::string& stderr_file) {
  auto process = Process::start({.arguments = std::move(command), .stderr_file = stderr_file});
  REQUIRE(process);
  return std::move(*process);
}

}  // namespace

TempDir::TempDir() {
  std::string pattern = (std::filesystem::temp_directory_path() / "marram-test-XXXXXX").string();
  REQUIRE(::mkdtemp(pattern.data()) != nullptr);
  path_ = pattern;
}

TempDir::~TempDir() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

int free_port() {
  const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address = loopback(0);
  socklen_t size = sizeof address;
  REQUIRE(::bind(fd, reinterpret_cast<const sockaddr*>(&address), size) == 0);
  REQUIRE(::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) == 0);
  ::close(fd);
  return ntohs(address.sin_port);
}

bool eventually(const std::function<bool()>& condition, Duration within) {
  const TimePoint deadline = Clock::system().now() + within;
  const Signal never;
  while (!condition()) {
    if (Clock::system().now() > deadline) return false;
    never.wait(std::chrono::milliseconds(5));
  }
  return true;
}

Broker::Broker(const std::string& config) : port_(free_port()) {
  std::string text =
      fmt::format("user root\nlistener {} 127.0.0.1\nmax_queued_messages 0\n{}", port_, config);
  const std::string folder = dir_.file("");
  for (std::size_t at; (at = text.find("{dir}")) != std::string::npos;) text.replace(at, 5, folder);
  std::ofstream(dir_.file("mosquitto.conf")) << text;
}

void Broker::start() {
  process_ = started({"/usr/sbin/mosquitto", "-c", dir_.file("mosquitto.conf")},
                     dir_.file("mosquitto.log"));
  REQUIRE(eventually([&] { return accepts(port_); }));
}

void Broker::stop() {
  process_->signal(SIGTERM);
  process_->wait();
  process_.reset();
}

void Broker::kill() {
  process_->signal(SIGKILL);
  process_->wait();
  process_.reset();
}

std::string Broker::url(const std::string& scheme, const std::string& host) const {
  return fmt::format("{}://{}:{}", scheme, host, port_);
}

Observer::Observer(const Broker& broker, const std::string& filter,
                   const std::vector<std::string>& more) {
  std::vector<std::string> command{"/usr/bin/mosquitto_sub",
                                   "-h",
                                   "127.0.0.1",
                                   "-p",
                                   std::to_string(broker.port()),
                                   "-q",
                                   "1",
                                   "-t",
                                   filter,
                                   "-t",
                                   "ready",
                                   "-F",
                                   "%t %p"};
  command.insert(command.end(), more.begin(), more.end());
  process_ = started(command, broker.dir().file("observer.log"));
  // It is subscribed when it hears us.
  REQUIRE(eventually([&] {
    publish(broker, "ready", "now");
    return !lines().empty();
  }));
  ready_ = true;
  lines_.clear();
}

const std::vector<std::string>& Observer::lines() {
  for (std::string& line : process_->take_lines()) {
    if (!line.starts_with("ready ") || !ready_) lines_.push_back(std::move(line));
  }
  return lines_;
}

int publish(const Broker& broker, const std::string& topic, const std::string& payload,
            const std::vector<std::string>& more) {
  std::vector<std::string> command{"/usr/bin/mosquitto_pub",
                                   "-h",
                                   "127.0.0.1",
                                   "-p",
                                   std::to_string(broker.port()),
                                   "-q",
                                   "1",
                                   "-t",
                                   topic,
                                   "-m",
                                   payload};
  command.insert(command.end(), more.begin(), more.end());
  return started(command, broker.dir().file("publisher.log")).wait();
}

}  // namespace marram::test
