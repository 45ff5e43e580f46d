// A node in a directory of its own, with clients' endpoints; it can be stopped
// and started again.
#pragma once

#include <unistd.h>

#include <filesystem>
#include <memory>
#include <string>

#include "core/base/assert.h"
#include "core/client/client.h"
#include "core/node/node.h"

namespace marram::test {

class RunningNode {
 public:
  explicit RunningNode(Limits limits = {}) : limits_(limits) {
    std::string name = (std::filesystem::temp_directory_path() / "marram-XXXXXX").string();
    MARRAM_ASSERT(::mkdtemp(name.data()) != nullptr, "a directory for the test can be made");
    dir_ = name;
    start();
  }
  ~RunningNode() {
    stop();
    std::filesystem::remove_all(dir_);
  }
  RunningNode(const RunningNode&) = delete;
  RunningNode& operator=(const RunningNode&) = delete;

  void start() {
    auto node = Node::open({.name = "gw-3",
                            .data_dir = dir_ / "data",
                            .durability = Durability::Os,
                            .limits = limits_,
                            .listen = {ipc(), "tcp://127.0.0.1:0"}});
    if (!node) throw_away(node.error());
    node_ = std::move(*node);
  }
  void stop() { node_.reset(); }

  Node& node() { return *node_; }
  std::string ipc() const { return "ipc://" + (dir_ / "marram.sock").string(); }
  std::string tcp() const { return node_->endpoints().at(1); }
  const std::filesystem::path& dir() const { return dir_; }

  std::unique_ptr<Client> client(ClientOptions options = {}) {
    options.endpoint = ipc();
    auto client = Client::connect(std::move(options));
    if (!client) throw_away(client.error());
    return std::move(*client);
  }

 private:
  static void throw_away(const Error& error) {
    assertion_failed("open", error.message.c_str(), __FILE__, __LINE__);
  }

  Limits limits_;
  std::filesystem::path dir_;
  std::unique_ptr<Node> node_;
};

}  // namespace marram::test
