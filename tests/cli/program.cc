#include "tests/cli/program.h"

#include <doctest/doctest.h>
#include <fmt/format.h>
#include <poll.h>

#include <filesystem>
#include <fstream>
#include <iterator>

namespace marram::cli {

namespace {

std::string content(const std::string& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

Process start_process(std::vector<std::string> arguments, const std::string& stderr_file) {
  arguments.insert(arguments.begin(), MARRAM_PROGRAM);
  auto process = Process::start({.arguments = std::move(arguments), .stderr_file = stderr_file});
  REQUIRE(process.has_value());
  return std::move(*process);
}

Process start_node(const TempDir& dir, const std::string& config,
                   const std::vector<std::string>& more) {
  const std::string file = dir.write(
      "node.toml",
      fmt::format("[node]\nname = \"n1\"\ndata_dir = \"{}\"\n{}\n", dir / "data", config));
  std::vector<std::string> arguments = {"run", "-c", file, "--set", "log.format=json"};
  if (config.find("[mqtt]") == std::string::npos) {
    arguments.insert(arguments.end(), {"--set", "mqtt.listen=mqtt://127.0.0.1:0"});
  }
  arguments.insert(arguments.end(), more.begin(), more.end());
  std::filesystem::remove(dir / "log");  // of an earlier run: it said "ready" too
  return start_process(std::move(arguments), dir / "log");
}

}  // namespace

Ran marram(const std::vector<std::string>& arguments, const std::string& input) {
  const TempDir dir;
  Process process = start_process(arguments, dir / "err");
  Ran ran;
  // A command that does not read its input may have ended by now.
  (void)process.write_stdin(input);
  process.close_stdin();
  while (!process.stdout_ended()) {
    pollfd wanted{process.stdout_fd(), POLLIN, 0};
    ::poll(&wanted, 1, 100);
    for (const std::string& line : process.take_lines()) ran.out += line + "\n";
  }
  ran.code = process.wait();
  ran.err = content(dir / "err");
  return ran;
}

bool eventually(const std::function<bool()>& condition) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    ::poll(nullptr, 0, 5);
  }
  return true;
}

RunningNode::RunningNode(const TempDir& dir, const std::string& config,
                         const std::vector<std::string>& arguments)
    : dir_(dir), process_(start_node(dir, config, arguments)) {}

bool RunningNode::ready() {
  bool is_ready = false;
  const bool known = eventually([&] {
    is_ready = log().find(R"("msg":"ready")") != std::string::npos;
    return is_ready || process_.exit_code().has_value();
  });
  return known && is_ready;
}

std::string RunningNode::log() const { return content(dir_ / "log"); }

std::string RunningNode::mqtt() const {
  const std::string text = log();
  const std::size_t begin = text.find("mqtt://", text.find(R"("msg":"ready")"));
  REQUIRE(begin != std::string::npos);
  return text.substr(begin, text.find_first_of(" \"", begin) - begin);
}

Ran RunningNode::run(std::vector<std::string> arguments, const std::string& input) const {
  arguments.insert(arguments.end(), {"--connect", endpoint()});
  return marram(arguments, input);
}

Process RunningNode::start(std::vector<std::string> arguments, const std::string& name) const {
  arguments.insert(arguments.end(), {"--connect", endpoint()});
  return start_process(std::move(arguments), dir_ / (name + ".err"));
}

}  // namespace marram::cli
