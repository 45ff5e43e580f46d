// The built `marram`, as tests run it.
#pragma once

#include <chrono>
#include <cstdlib>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "gateway/connectors/process.h"
#include "tests/cli/temp_dir.h"

namespace marram::cli {

struct Ran {
  int code = 0;
  std::string out;
  std::string err;
};

// Runs it to its end.
Ran marram(const std::vector<std::string>& arguments, const std::string& input = "");

// False when `condition` has not come true within a generous time.
bool eventually(const std::function<bool()>& condition);

// A node of its own folder: data in DIR/data, MQTT on any port, log in DIR/log.
class RunningNode {
 public:
  // With the lines of `config` in its file, and further arguments of `marram run`.
  explicit RunningNode(const TempDir& dir, const std::string& config = "",
                       const std::vector<std::string>& arguments = {});

  // Waits for `ready` in the log; false when it ended before.
  bool ready();
  std::string endpoint() const { return "ipc://" + (dir_ / "data/marram.sock"); }
  // The first mqtt:// endpoint, from the log.
  std::string mqtt() const;
  std::string log() const;
  void signal(int number) { process_.signal(number); }
  int wait() { return process_.wait(); }
  pid_t pid() const { return process_.pid(); }

  // A command against it.
  Ran run(std::vector<std::string> arguments, const std::string& input = "") const;
  // Starts one that goes on, its stderr in DIR/NAME.err.
  Process start(std::vector<std::string> arguments, const std::string& name) const;

 private:
  const TempDir& dir_;
  Process process_;
};

}  // namespace marram::cli
