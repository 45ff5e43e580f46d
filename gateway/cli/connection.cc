#include "gateway/cli/connection.h"

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include <chrono>
#include <filesystem>

#include "gateway/cli/config.h"

namespace marram::cli {

namespace {

constexpr std::string_view kIpc = "ipc://";

Result<std::string> find_endpoint(const ConnectionOptions& options) {
  if (!options.connect.empty()) return options.connect;
  const LoadedConfig loaded = load_config({options.config, config_environment(), options.sets});
  if (!loaded.report.problems.empty()) {
    return fail(Errc::Config, fmt::format("{}", fmt::join(loaded.report.problems, "\nmarram: ")));
  }
  if (loaded.config.node.listen.empty()) {
    return fail(Errc::Config, "config: client.listen is empty: this node takes no clients");
  }
  return loaded.config.node.listen.front();
}

// ZeroMQ would wait for a socket to appear; a missing file is said at once.
Status check_socket(const std::string& endpoint) {
  if (!endpoint.starts_with(kIpc)) return {};
  std::error_code ignored;
  const std::string path = endpoint.substr(kIpc.size());
  if (path.starts_with('@') || std::filesystem::exists(path, ignored)) return {};
  return fail(
      Errc::Unreachable,
      fmt::format("client: cannot reach {}: no such socket (start the node with marram run, "
                  "or name another with --connect or -c)",
                  endpoint));
}

}  // namespace

void add_connection_options(CLI::App& command, ConnectionOptions& out) {
  const std::string group = "How to reach the node";
  command.add_option("--connect", out.connect, "Endpoint: ipc://PATH or tcp://HOST:PORT")
      ->envname("MARRAM_CONNECT")
      ->group(group);
  command.add_option("-c,--config", out.config, "Config file of the node")->group(group);
  command.add_option("--set", out.sets, "Override a key: node.data_dir=PATH")
      ->group(group)
      ->allow_extra_args(false);
  command.add_option("--connect-timeout", out.timeout_s, "Seconds to wait for the node")
      ->check(CLI::Range(0.001, 86400.0))
      ->group(group);
}

Result<Connection> connect(const ConnectionOptions& options) {
  const auto endpoint = find_endpoint(options);
  if (!endpoint) return tl::unexpected(endpoint.error());
  if (auto status = check_socket(*endpoint); !status) return tl::unexpected(status.error());

  Connection connection;
  connection.log = Log::to_stderr(LogFormat::Auto, LogLevel::Warn, "");
  ClientOptions client;
  client.endpoint = *endpoint;
  client.name = "marram";
  client.connect_timeout =
      std::chrono::duration_cast<Duration>(std::chrono::duration<double>(options.timeout_s));
  client.log = connection.log.get();
  auto connected = Client::connect(std::move(client));
  if (!connected) return tl::unexpected(connected.error());
  connection.client = std::move(*connected);
  return connection;
}

}  // namespace marram::cli
