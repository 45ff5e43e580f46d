// A listener on a Bus in memory, and ways to wait for it.
#pragma once

#include <poll.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <stdexcept>
#include <string>

#include "gateway/mqtt/listener.h"
#include "tests/mqtt/fake_bus.h"
#include "tests/mqtt/raw_client.h"

namespace marram::mqtt {

// False when `condition` has not come true in time.
template <class Condition>
bool eventually(Condition condition, std::chrono::seconds within = std::chrono::seconds(10)) {
  const auto deadline = std::chrono::steady_clock::now() + within;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    ::poll(nullptr, 0, 5);
  }
  return true;
}

struct TempDir {
  TempDir() {
    std::string pattern = (std::filesystem::temp_directory_path() / "marram-mqtt-XXXXXX").string();
    path = ::mkdtemp(pattern.data());
  }
  ~TempDir() { std::filesystem::remove_all(path); }
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;

  std::string write(const std::string& name, const std::string& text) const {
    std::ofstream(path / name) << text;
    return (path / name).string();
  }
  std::filesystem::path path;
};

struct ListenerFixture {
  explicit ListenerFixture(MqttOptions given = {}) : options(std::move(given)) {
    if (options.listen.empty()) options.listen = {"mqtt://127.0.0.1:0"};
    open();
  }
  void open() {
    auto opened = MqttListener::open(options, bus);
    if (!opened) std::abort();
    listener = std::move(*opened);
    at = listener->endpoints().front();
  }
  bool reports(std::string_view text) const {
    return listener->report_json().find(text) != std::string::npos;
  }

  MqttOptions options;
  FakeBus bus;
  std::unique_ptr<MqttListener> listener;
  std::string at;
};

}  // namespace marram::mqtt
