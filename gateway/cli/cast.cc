#include "gateway/cli/cast.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <utility>

#include "core/base/ids.h"
#include "gateway/connectors/route.h"

namespace marram::cli {

namespace {

constexpr Duration kStartWithin = std::chrono::seconds(20);

sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  return address;
}

bool answers(std::uint16_t port) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const sockaddr_in address = loopback(port);
  const bool connected =
      ::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  ::close(fd);
  return connected;
}

std::string tail_of(const std::filesystem::path& file) {
  std::ifstream in(file);
  std::string text{std::istreambuf_iterator<char>(in), {}};
  return text.size() > 2000 ? text.substr(text.size() - 2000) : text;
}

}  // namespace

std::uint16_t free_port() {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address = loopback(0);
  socklen_t size = sizeof address;
  const bool bound = ::bind(fd, reinterpret_cast<sockaddr*>(&address), size) == 0;
  ::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size);
  ::close(fd);
  return bound ? ntohs(address.sin_port) : 0;
}

Cast::Cast(CastOptions options)
    : options_(std::move(options)), topics_("demo/" + random_hex(3)), broker_(options_.broker) {}

Cast::~Cast() {
  devices_.clear();
  collector_.reset();
  for (const auto& [name, node] : nodes_) node.signal(SIGTERM);
  const TimePoint until = Clock::system().now() + std::chrono::seconds(5);
  for (auto& [name, node] : nodes_) {
    while (!node.exit_code() && Clock::system().now() < until) ::usleep(10'000);
  }
  nodes_.clear();
  std::error_code ignored;
  if (!folder_.empty()) std::filesystem::remove_all(folder_, ignored);
}

Result<std::unique_ptr<Cast>> Cast::open(CastOptions options) {
  std::unique_ptr<Cast> cast(new Cast(std::move(options)));
  if (auto status = cast->prepare(); !status) return tl::unexpected(status.error());
  return cast;
}

Status Cast::prepare() {
  std::string pattern = (std::filesystem::temp_directory_path() / "marram-XXXXXX").string();
  if (::mkdtemp(pattern.data()) == nullptr) {
    return fail(Errc::Io, fmt::format("scene: cannot make {} (set TMPDIR)", pattern));
  }
  folder_ = pattern;
  if (broker_.empty()) {
    if (auto status = start_broker(); !status) return status;
  }
  return start_collector();
}

Result<std::unique_ptr<Relay>> Cast::open_uplink() const {
  const auto target = parse_route_target(broker_);
  if (!target) return tl::unexpected(target.error());
  if (target->tls) {
    return fail(Errc::Unsupported,
                "scene: the uplink is a relay, which TLS would not let pass "
                "(give the broker as mqtt://HOST:PORT)");
  }
  return Relay::open(target->host, target->port);
}

Status Cast::start_broker() {
  const std::uint16_t port = free_port();
  broker_ = fmt::format("mqtt://127.0.0.1:{}", port);
  return start_node("outside", port, fmt::format("[mqtt]\nlisten = [\"{}\"]\n", broker_));
}

Status Cast::start_node(const std::string& name, std::uint16_t port, const std::string& config) {
  const std::filesystem::path file = folder_ / (name + ".toml");
  const std::filesystem::path log = folder_ / (name + ".log");
  std::ofstream(file) << fmt::format("[node]\nname = \"{}\"\ndata_dir = \"{}\"\n\n{}", name,
                                     data_dir(name).string(), config);
  auto process = Process::start(
      {.arguments = {own_executable(), "run", "-c", file.string()}, .stderr_file = log.string()});
  if (!process) return tl::unexpected(process.error());
  const TimePoint until = Clock::system().now() + kStartWithin;
  while (!answers(port)) {
    if (process->exit_code() || Clock::system().now() > until) {
      return fail(Errc::TimedOut,
                  fmt::format("scene: the node \"{}\" does not start:\n{}", name, tail_of(log)));
    }
    ::usleep(20'000);
  }
  nodes_.emplace(name, std::move(*process));
  return {};
}

void Cast::kill_node(const std::string& name) {
  const auto node = nodes_.find(name);
  if (node == nodes_.end()) return;
  node->second.signal(SIGKILL);
  node->second.wait();
  nodes_.erase(node);
}

Status Cast::start_collector() {
  auto process = Process::start(
      {.arguments = {own_executable(), "device", "collect", "--url", broker_, "--client",
                     "collector-" + topics_.substr(5), "--filter", topics_ + "/#"},
       .stderr_file = (folder_ / "collector.log").string()});
  if (!process) return tl::unexpected(process.error());
  collector_ = std::move(*process);
  const TimePoint until = Clock::system().now() + kStartWithin;
  while (Clock::system().now() < until && !collector_->exit_code()) {
    for (const std::string& line : collector_->take_lines()) {
      if (line == "up") return {};
    }
    ::usleep(20'000);
  }
  return fail(Errc::TimedOut,
              fmt::format("scene: cannot subscribe at {} (is the broker there?)\n{}", broker_,
                          tail_of(folder_ / "collector.log")));
}

Status Cast::start_devices(std::uint16_t port) {
  for (std::size_t i = 1; i <= options_.devices; ++i) {
    const std::string name = fmt::format("dev-{:02}", i);
    auto process =
        Process::start({.arguments = {own_executable(), "device", "publish", "--url",
                                      fmt::format("mqtt://127.0.0.1:{}", port), "--client", name,
                                      "--topic", fmt::format("{}/{}/reading", topics_, name),
                                      "--count", std::to_string(options_.readings), "--rate",
                                      std::to_string(options_.rate_per_s), "--window",
                                      std::to_string(options_.window)},
                        .stderr_file = (folder_ / "devices.log").string()});
    if (!process) return tl::unexpected(process.error());
    devices_.push_back(std::move(*process));
    device_names_.push_back(name);
  }
  return {};
}

void Cast::stop_devices() {
  for (Process& device : devices_) device.close_stdin();
}

bool Cast::devices_done() {
  for (Process& device : devices_) {
    if (!device.exit_code() || !device.stdout_ended()) return false;
  }
  return true;
}

void Cast::poll(Duration at_most, Tally* also) {
  std::vector<pollfd> wanted;
  const auto want = [&](const Process& process) {
    const int fd = process.stdout_ended() ? -1 : process.stdout_fd();
    wanted.push_back({.fd = fd, .events = POLLIN, .revents = 0});
  };
  want(*collector_);
  for (const Process& device : devices_) want(device);
  ::poll(wanted.data(), wanted.size(), static_cast<int>(at_most.count() / 1000));
  for (const std::string& line : collector_->take_lines()) tally_.on_line("", line);
  for (std::size_t i = 0; i < devices_.size(); ++i) {
    for (const std::string& line : devices_[i].take_lines()) {
      tally_.on_line(device_names_[i], line);
      if (also != nullptr) also->on_line(device_names_[i], line);
    }
  }
}

}  // namespace marram::cli
