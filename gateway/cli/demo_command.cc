// marram demo, marram drill outage|kill, and the hidden `marram device` that both play with.
#include <sys/prctl.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <csignal>
#include <iostream>
#include <memory>

#include "gateway/cli/commands.h"
#include "gateway/cli/demo.h"
#include "gateway/cli/drill.h"
#include "gateway/cli/exit_code.h"
#include "gateway/connectors/mqtt_device.h"

namespace marram::cli {

namespace {

int finish(const Result<bool>& good) {
  if (!good) return complain(good.error());
  return *good ? kOk : kProblems;
}

// With the scene goes what plays in it.
int play(const std::function<Status()>& part) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  const Status status = part();
  return status ? int{kOk} : complain(status.error());
}

void add_drill(CLI::App& drill, const std::string& name, const std::string& what, bool kill,
               Action& chosen) {
  const auto options = std::make_shared<DrillOptions>();
  options->kill = kill;
  CLI::App* one = drill.add_subcommand(name, what);
  one->add_option("--messages", options->messages, "Of all devices together")
      ->capture_default_str();
  one->add_option("--devices", options->devices, "So many publish at a time")
      ->capture_default_str();
  one->add_option("--window", options->window, "Unacknowledged messages of a device")
      ->capture_default_str();
  one->add_option("--rounds", options->rounds, "Again and again")->capture_default_str();
  one->add_option("--broker", options->broker,
                  "mqtt://HOST:PORT of the broker outside (default: a second node)");
  one->add_flag("--json", options->json, "Print JSON");
  one->callback([&chosen, options] {
    chosen = [options] { return finish(run_drill(*options, std::cout)); };
  });
}

}  // namespace

void add_demo_command(CLI::App& app, Action& chosen) {
  const auto options = std::make_shared<DemoOptions>();
  options->live = ::isatty(STDOUT_FILENO) == 1;
  CLI::App* demo =
      app.add_subcommand("demo", "Outages and a kill in a mesh before your eyes: lost 0");
  demo->add_option("--broker", options->broker,
                   "mqtt://HOST:PORT of the broker outside (default: a fourth node)");
  demo->add_option("--devices", options->devices, "So many publish")->capture_default_str();
  demo->add_option("--rate", options->rate_per_s, "Readings a second of each device")
      ->capture_default_str();
  demo->add_option("--pace", options->pace, "Length of the acts; 0.5 is twice as fast")
      ->capture_default_str();
  demo->callback(
      [&chosen, options] { chosen = [options] { return finish(run_demo(*options, std::cout)); }; });
}

void add_drill_command(CLI::App& app, Action& chosen) {
  CLI::App* drill = app.add_subcommand("drill", "Fail on purpose, and count what arrives");
  drill->require_subcommand(1);
  add_drill(*drill, "outage", "The uplink is cut while devices publish", false, chosen);
  add_drill(*drill, "kill", "The uplink is cut and the node killed with kill -9", true, chosen);
}

void add_device_command(CLI::App& app, Action& chosen) {
  CLI::App* device = app.add_subcommand("device", "A simulated device or collector")->group("");
  device->require_subcommand(1);
  const auto publisher = std::make_shared<DeviceOptions>();
  CLI::App* publish = device->add_subcommand("publish", "Publish readings");
  publish->add_option("--url", publisher->url)->required();
  publish->add_option("--client", publisher->client_id)->required();
  publish->add_option("--topic", publisher->topic)->required();
  publish->add_option("--count", publisher->count);
  publish->add_option("--rate", publisher->rate_per_s);
  publish->add_option("--window", publisher->window);
  publish->callback([&chosen, publisher] {
    chosen = [publisher] { return play([&] { return run_device(*publisher, std::cout); }); };
  });
  const auto collector = std::make_shared<CollectorOptions>();
  CLI::App* collect = device->add_subcommand("collect", "Report what comes");
  collect->add_option("--url", collector->url)->required();
  collect->add_option("--client", collector->client_id)->required();
  collect->add_option("--filter", collector->filter)->required();
  collect->callback([&chosen, collector] {
    chosen = [collector] { return play([&] { return run_collector(*collector, std::cout); }); };
  });
}

}  // namespace marram::cli
