#include "gateway/connectors/supervisor.h"

#include <doctest/doctest.h>
#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>
#include <string>

#include "core/base/mailbox.h"
#include "gateway/connectors/process.h"
#include "gateway/connectors/route_status.h"
#include "tests/connectors/broker.h"

namespace marram {
namespace {

TEST_SUITE_BEGIN("connectors/supervisor");

using namespace std::chrono_literals;
using nlohmann::json;
using test::eventually;

// This program again, as a child that runs one test case only.
std::vector<std::string> child_command(const std::string& test_case) {
  return {own_executable(), "--no-skip", "-tc=child: " + test_case};
}

std::vector<RouteOptions> one_route() {
  return {{.name = "cloud", .from = {"a/#"}, .to = "mqtt://h", .password = "secret"}};
}

SupervisorOptions options_for(const std::string& test_case) {
  SupervisorOptions options;
  options.command = child_command(test_case);
  options.restart_least = 10ms;
  options.stop_within = 300ms;
  return options;
}

json report(RouteSupervisor& supervisor) { return json::parse(supervisor.report_json())[0]; }

bool is_running(int pid) {
  std::ifstream stat(fmt::format("/proc/{}/stat", pid));
  std::string number, name, state;
  return stat >> number >> name >> state && state != "Z" && state != "X";
}

TEST_CASE("a child that crashes is started again, and what it counted is kept") {
  const auto supervisor = RouteSupervisor::start(options_for("crashes"), one_route());

  CHECK(eventually([&] { return report(*supervisor)["restarts"] >= 3; }));

  const json last = report(*supervisor);
  CHECK(last["acked"] >= 3);
  CHECK(last["last_error"].get<std::string>().find("killed by signal") != std::string::npos);
}

TEST_CASE("a route is reported with what its child says, without secrets") {
  const auto supervisor = RouteSupervisor::start(options_for("lives"), one_route());

  CHECK(eventually([&] { return report(*supervisor)["state"] == "connected"; }));

  const json last = report(*supervisor);
  CHECK(last["name"] == "cloud");
  CHECK(last["direction"] == "out");
  CHECK(last["to"] == "mqtt://h:1883");
  CHECK(last["consumer"] == "route:cloud");
  CHECK(last["acked"] == 1);
  CHECK(last["connected_since"] == "1970-01-01T00:00:01.000000Z");
  CHECK(supervisor->report_json().find("secret") == std::string::npos);
}

TEST_CASE("the configuration reaches the child on stdin only") {
  const auto supervisor = RouteSupervisor::start(options_for("lives"), one_route());
  REQUIRE(eventually([&] { return report(*supervisor)["state"] == "connected"; }));
  const int pid = report(*supervisor)["pid"];

  for (const std::string file : {"cmdline", "environ"}) {
    std::ifstream in(fmt::format("/proc/{}/{}", pid, file));
    const std::string text{std::istreambuf_iterator<char>(in), {}};
    CHECK(text.find("secret") == std::string::npos);
  }
}

TEST_CASE("a child ends when it is asked to, and is killed when it does not") {
  for (const std::string child : {"lives", "ignores SIGTERM"}) {
    const auto supervisor = RouteSupervisor::start(options_for(child), one_route());
    REQUIRE(eventually([&] { return report(*supervisor)["state"] == "connected"; }));
    const int pid = report(*supervisor)["pid"];

    supervisor->close();

    CHECK_FALSE(is_running(pid));
    CHECK(report(*supervisor)["state"] == "stopped");
  }
}

TEST_CASE("a program that cannot be started is reported and tried again") {
  SupervisorOptions options = options_for("");
  options.command = {"/nonexistent/program"};
  const auto supervisor = RouteSupervisor::start(options, one_route());

  CHECK(eventually([&] { return report(*supervisor)["last_error"] != ""; }));
  CHECK(report(*supervisor)["state"] == "connecting");
}

TEST_CASE("a child dies with its parent, also on kill -9") {
  auto parent = Process::start({.arguments = child_command("supervises"), .stderr_file = {}});
  REQUIRE(parent);
  int grandchild = 0;
  REQUIRE(eventually([&] {
    for (const std::string& line : parent->take_lines()) {
      if (line.starts_with("pid ")) grandchild = std::stoi(line.substr(4));
    }
    return grandchild != 0;
  }));
  CHECK(is_running(grandchild));

  parent->signal(SIGKILL);

  CHECK(eventually([&] { return !is_running(grandchild); }));
}

// --- what the children do ---

void say_connected() {
  RouteStatus status;
  status.state = RouteState::Connected;
  status.connected_since = WallTime(1s);
  status.acked = 1;
  std::cout << status_line(status) << std::endl;
}

TEST_CASE("child: crashes" * doctest::skip()) {
  say_connected();
  ::signal(SIGSEGV, SIG_DFL);
  ::raise(SIGSEGV);
}

TEST_CASE("child: lives" * doctest::skip()) {
  die_with_parent(::getppid());
  ::signal(SIGTERM, SIG_DFL);
  say_connected();
  const Signal never;
  never.wait({});
}

TEST_CASE("child: ignores SIGTERM" * doctest::skip()) {
  die_with_parent(::getppid());
  ::signal(SIGTERM, SIG_IGN);
  say_connected();
  const Signal never;
  never.wait({});
}

TEST_CASE("child: supervises" * doctest::skip()) {
  die_with_parent(::getppid());
  const auto supervisor = RouteSupervisor::start(options_for("lives"), one_route());
  eventually([&] { return report(*supervisor)["state"] == "connected"; });
  std::cout << "pid " << report(*supervisor)["pid"] << std::endl;
  const Signal never;
  never.wait({});
}

TEST_SUITE_END();

}  // namespace
}  // namespace marram
