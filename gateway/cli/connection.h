// How a command reaches a running node.
//
//     --connect ENDPOINT     ipc://PATH or tcp://HOST:PORT
//     -c FILE, --set ...     the first client.listen of that configuration
//     neither                the default data folder, ./marram-data
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "core/client/client.h"

namespace CLI {
class App;
}

namespace marram::cli {

struct ConnectionOptions {
  std::string connect;
  std::string config;
  std::vector<std::string> sets;
  double timeout_s = 5;
};

// --connect, -c, --set and --connect-timeout.
void add_connection_options(CLI::App& command, ConnectionOptions& out);

// A client and what it needs while it lives.
struct Connection {
  std::unique_ptr<Log> log;  // warnings on stderr: the node is away, is back
  std::unique_ptr<Client> client;
};

// Errors: Config  -c names a configuration with problems, or without a client endpoint
//         as Client::connect()
Result<Connection> connect(const ConnectionOptions& options);

}  // namespace marram::cli
