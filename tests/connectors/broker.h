// A real outside broker and its clients for tests: mosquitto, mosquitto_sub and
// mosquitto_pub as processes, started on free ports and stopped by their ids.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "core/base/clock.h"
#include "gateway/connectors/process.h"

namespace marram::test {

// A folder that goes away with its object.
class TempDir {
 public:
  TempDir();
  ~TempDir();
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;
  std::string file(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

int free_port();

// Looks again every few milliseconds; false when `condition` has not come true in time.
bool eventually(const std::function<bool()>& condition, Duration within = std::chrono::seconds(15));

class Broker {
 public:
  // `config`: further lines of mosquitto's configuration; {dir} stands for its folder.
  explicit Broker(const std::string& config = "allow_anonymous true\n");

  void start();  // listens when it returns
  void stop();   // SIGTERM
  void kill();   // SIGKILL
  std::string url(const std::string& scheme = "mqtt", const std::string& host = "127.0.0.1") const;
  int port() const { return port_; }
  const TempDir& dir() const { return dir_; }

 private:
  TempDir dir_;
  int port_;
  std::optional<Process> process_;
};

// mosquitto_sub: one line a message, "topic payload".
class Observer {
 public:
  Observer(const Broker& broker, const std::string& filter,
           const std::vector<std::string>& more = {});
  // All lines so far.
  const std::vector<std::string>& lines();

 private:
  std::optional<Process> process_;
  std::vector<std::string> lines_;
  bool ready_ = false;  // from then on what it was called with is not shown
};

// mosquitto_pub, QoS 1: returns its exit code.
int publish(const Broker& broker, const std::string& topic, const std::string& payload,
            const std::vector<std::string>& more = {});

}  // namespace marram::test
