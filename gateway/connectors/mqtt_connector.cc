#include "gateway/connectors/mqtt_connector.h"

#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "core/client/client.h"
#include "gateway/connectors/connector_config.h"
#include "gateway/connectors/connector_host.h"
#include "gateway/connectors/mqtt_inbound.h"
#include "gateway/connectors/mqtt_outbound.h"
#include "gateway/connectors/process.h"

namespace marram {
namespace {

constexpr int kTryAgain = 75;
constexpr int kNoConfig = 78;
constexpr std::size_t kConfigBytesMax = 1 << 20;

// Standard input up to the first newline; empty when there is none.
std::string read_line() {
  std::string line;
  std::array<char, 4096> buffer;
  while (line.size() < kConfigBytesMax) {
    const ssize_t got = ::read(STDIN_FILENO, buffer.data(), buffer.size());
    if (got <= 0) return {};
    line.append(buffer.data(), static_cast<std::size_t>(got));
    if (line.ends_with('\n')) return line;
  }
  return {};
}

void write_line(std::string line) {
  line += '\n';
  std::string_view rest = line;
  while (!rest.empty()) {
    const ssize_t wrote = ::write(STDOUT_FILENO, rest.data(), rest.size());
    if (wrote <= 0) return;  // the supervisor is gone; standard input ends too
    rest.remove_prefix(static_cast<std::size_t>(wrote));
  }
}

// Before the first thread, so that all inherit the mask.
int stop_signals() {
  ::signal(SIGPIPE, SIG_IGN);
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGINT);
  ::sigprocmask(SIG_BLOCK, &set, nullptr);
  return ::signalfd(-1, &set, SFD_CLOEXEC);
}

int complain(const Error& error, int code) {
  std::fprintf(stderr, "%s\n", error.message.c_str());
  return code;
}

Status run_route(Client& client, const ConnectorConfig& config, const ConnectorHost& host) {
  NodeIdentity node{client.node_name(), client.node_id()};
  if (config.route.direction == RouteDirection::Out) {
    return MqttOutbound(client, std::move(node), config, host).run();
  }
  // Never destroyed: its callback may be waiting for ever on Paho's thread.
  auto* inbound = new MqttInbound(client, std::move(node), config, host);
  const Status status = inbound->run();
  std::_Exit(status ? 0 : complain(status.error(), kTryAgain));
}

}  // namespace

int run_mqtt_connector() {
  // A parent that is gone before this line is told by the end of standard input.
  die_with_parent(::getppid());
  const int signals = stop_signals();
  const auto config = parse_config_line(read_line());
  if (!config) return complain(config.error(), kNoConfig);
  auto client =
      Client::connect({.endpoint = config->endpoint, .name = route_consumer(config->route.name)});
  if (!client) return complain(client.error(), kTryAgain);

  const ConnectorHost host{.stop_fds = {signals, STDIN_FILENO},
                           .report = [](const auto& status) { write_line(status_line(status)); }};
  const Status status = run_route(**client, *config, host);
  (*client)->close();
  return status ? 0 : complain(status.error(), kTryAgain);
}

}  // namespace marram
