#include "gateway/cli/scene.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <set>
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

// A port that was free a moment ago: the node must come back on the same one.
std::uint16_t free_port() {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address = loopback(0);
  socklen_t size = sizeof address;
  ::bind(fd, reinterpret_cast<sockaddr*>(&address), size);
  ::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size);
  ::close(fd);
  return ntohs(address.sin_port);
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

Scene::Scene(SceneOptions options)
    : options_(std::move(options)), topics_("demo/" + random_hex(3)) {}

Scene::~Scene() {
  client_.reset();
  devices_.clear();
  collector_.reset();
  for (auto* process : {&node_, &broker_process_}) {
    if (!*process) continue;
    (*process)->signal(SIGTERM);
    const TimePoint until = Clock::system().now() + std::chrono::seconds(5);
    while (!(*process)->exit_code() && Clock::system().now() < until) ::usleep(10'000);
    process->reset();
  }
  std::error_code ignored;
  if (!folder_.empty()) std::filesystem::remove_all(folder_, ignored);
}

Result<std::unique_ptr<Scene>> Scene::open(SceneOptions options) {
  std::unique_ptr<Scene> scene(new Scene(std::move(options)));
  if (auto status = scene->prepare(); !status) return tl::unexpected(status.error());
  return scene;
}

Status Scene::prepare() {
  std::string pattern = (std::filesystem::temp_directory_path() / "marram-XXXXXX").string();
  if (::mkdtemp(pattern.data()) == nullptr) {
    return fail(Errc::Io, fmt::format("scene: cannot make {} (set TMPDIR)", pattern));
  }
  folder_ = pattern;
  node_port_ = free_port();
  broker_ = options_.broker;
  if (broker_.empty()) {
    if (auto status = start_broker(); !status) return status;
  }
  const auto target = parse_route_target(broker_);
  if (!target) return tl::unexpected(target.error());
  if (target->tls) {
    return fail(Errc::Unsupported,
                "scene: the uplink is a relay, which TLS would not let pass "
                "(give the broker as mqtt://HOST:PORT)");
  }
  auto uplink = Relay::open(target->host, target->port);
  if (!uplink) return tl::unexpected(uplink.error());
  uplink_ = std::move(*uplink);
  if (auto status = start_collector(); !status) return status;
  return start_node();
}

Result<Process> Scene::start_run(const std::string& name, std::uint16_t port,
                                 const std::string& routes) {
  const std::filesystem::path config = folder_ / (name + ".toml");
  const std::filesystem::path log = folder_ / (name + ".log");
  std::ofstream(config) << fmt::format(
      "[node]\nname = \"{0}\"\ndata_dir = \"{1}/{0}\"\n\n"
      "[mqtt]\nlisten = [\"mqtt://127.0.0.1:{2}\"]\n\n{3}",
      name, folder_.string(), port, routes);
  auto process = Process::start(
      {.arguments = {own_executable(), "run", "-c", config.string()}, .stderr_file = log.string()});
  if (!process) return process;
  const TimePoint until = Clock::system().now() + kStartWithin;
  while (!answers(port)) {
    if (process->exit_code() || Clock::system().now() > until) {
      return fail(Errc::TimedOut,
                  fmt::format("scene: the node \"{}\" does not start:\n{}", name, tail_of(log)));
    }
    ::usleep(20'000);
  }
  return process;
}

Status Scene::start_broker() {
  const std::uint16_t port = free_port();
  broker_ = fmt::format("mqtt://127.0.0.1:{}", port);
  auto process = start_run("outside", port, "");
  if (!process) return tl::unexpected(process.error());
  broker_process_ = std::move(*process);
  return {};
}

Status Scene::start_node() {
  const std::string route =
      fmt::format("[[route]]\nname = \"cloud\"\nfrom = [\"{}/#\"]\nto = \"mqtt://127.0.0.1:{}\"\n",
                  topics_, uplink_->port());
  auto process = start_run("gateway", node_port_, route);
  if (!process) return tl::unexpected(process.error());
  node_ = std::move(*process);
  return {};
}

void Scene::kill_node() {
  client_.reset();
  if (!node_) return;
  node_->signal(SIGKILL);
  node_->wait();
  node_.reset();
}

Status Scene::start_collector() {
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

Status Scene::start_devices() {
  for (std::size_t i = 1; i <= options_.devices; ++i) {
    const std::string name = fmt::format("dev-{:02}", i);
    auto process =
        Process::start({.arguments = {own_executable(), "device", "publish", "--url",
                                      fmt::format("mqtt://127.0.0.1:{}", node_port_), "--client",
                                      name, "--topic", fmt::format("{}/{}/reading", topics_, name),
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

void Scene::stop_devices() {
  for (Process& device : devices_) device.close_stdin();
}

bool Scene::devices_done() {
  for (Process& device : devices_) {
    if (!device.exit_code() || !device.stdout_ended()) return false;
  }
  return true;
}

void Scene::poll(Duration at_most) {
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
    for (const std::string& line : devices_[i].take_lines()) tally_.on_line(device_names_[i], line);
  }
}

Client* Scene::client() {
  if (client_ || !node_) return client_.get();
  auto client =
      Client::connect({.endpoint = "ipc://" + (folder_ / "gateway" / "marram.sock").string(),
                       .name = "scene",
                       .connect_timeout = std::chrono::milliseconds(500)});
  if (client) client_ = std::move(*client);
  return client_.get();
}

Backlog Scene::backlog() {
  const TimePoint now = Clock::system().now();
  if (now < backlog_at_ + std::chrono::milliseconds(250)) return backlog_;
  backlog_at_ = now;
  Client* const node = client();
  const auto text = node != nullptr ? node->status_json() : Result<std::string>("{}");
  const auto status = nlohmann::json::parse(text.value_or("{}"), nullptr, false);
  if (!status.is_object() || !status.contains("consumers")) return backlog_;
  for (const auto& consumer : status["consumers"]) {
    if (consumer.value("name", "") != route_consumer("cloud")) continue;
    backlog_.events = consumer.value("backlog", std::uint64_t{0});
    const auto age = consumer.find("oldest_age_s");
    backlog_.oldest_age_s = age != consumer.end() && age->is_number() ? age->get<double>() : 0;
  }
  return backlog_;
}

Result<std::uint64_t> Scene::count_stored() {
  Client* const node = client();
  if (node == nullptr) return fail(Errc::Unreachable, "scene: the node does not answer");
  auto reader = node->subscribe({.filters = {topics_ + "/#"},
                                 .start = Start{.at = Start::At::Earliest},
                                 .auto_settle = true});
  if (!reader) return tl::unexpected(reader.error());
  std::set<std::string> readings;
  for (;;) {
    const auto events = (*reader)->fetch(1000, std::chrono::seconds(1));
    if (!events) return tl::unexpected(events.error());
    if (events->empty()) return readings.size();
    for (const Delivery& delivery : *events) {
      const std::string_view payload = delivery.event->payload;
      readings.emplace(payload.substr(0, payload.find(",\"celsius\"")));
    }
  }
}

}  // namespace marram::cli
