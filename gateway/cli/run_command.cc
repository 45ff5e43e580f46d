// marram run: the daemon.
#include <fmt/format.h>
#include <poll.h>
#include <sys/resource.h>
#include <unistd.h>
#include <CLI/CLI.hpp>

#include <algorithm>
#include <csignal>
#include <ctime>
#include <filesystem>
#include <memory>
#include <optional>

#include "core/base/heap.h"
#include "gateway/cli/commands.h"
#include "gateway/cli/config_reload.h"
#include "gateway/cli/exit_code.h"
#include "gateway/cli/service_notifier.h"
#include "gateway/cli/signals.h"

namespace marram::cli {

namespace {

constexpr Duration kHealthEvery = std::chrono::seconds(5);
constexpr Duration kHealthWithin = std::chrono::seconds(10);
constexpr Duration kFailingAtMost = std::chrono::seconds(60);
constexpr unsigned kLeaveWithinSeconds = 30;

struct Options {
  std::string file;
  std::vector<std::string> sets;
};

Result<std::vector<RouteOptions>> fetch_secrets(const Config& config) {
  std::vector<RouteOptions> routes;
  for (const RouteConfig& route : config.routes) {
    auto complete = with_secrets(route);
    if (!complete) return tl::unexpected(complete.error());
    routes.push_back(std::move(*complete));
  }
  return routes;
}

// The usual soft limit of 1,024 is for programs that select(); devices alone may be more.
// Where even the hard one is small, devices do not get the last descriptors: files, routes
// and clients need some.
void share_descriptors(Config& config, Log& log) {
  constexpr std::size_t kOwn = 64;
  rlimit files{};
  if (::getrlimit(RLIMIT_NOFILE, &files) != 0) return;
  files.rlim_cur = files.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &files);
  const std::size_t kept = kOwn + config.node.limits.clients_max;
  const std::size_t left = files.rlim_cur > kept ? files.rlim_cur - kept : 1;
  std::size_t& most = config.mqtt.limits.connections_max;
  if (config.mqtt.listen.empty() || left >= most) return;
  log.warn(
      "run", "fewer MQTT connections than mqtt.limits.connections_max (raise ulimit -n)",
      {{"descriptors", std::to_string(files.rlim_cur)}, {"connections", std::to_string(left)}});
  most = left;
}

Duration processor_time() {
  timespec used{};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
  return std::chrono::seconds(used.tv_sec) + Duration(used.tv_nsec / 1000);
}

// Runs until a signal says stop.  Errors: Io  the store has failed for good
class Service {
 public:
  Service(Daemon& daemon, ConfigReload& reload, const SignalQueue& signals,
          const ServiceNotifier& notifier, Log& log)
      : daemon_(daemon), reload_(reload), signals_(signals), notifier_(notifier), log_(log) {}

  Status run() {
    const Duration every =
        std::min(kHealthEvery, notifier_.watchdog_every().value_or(kHealthEvery));
    for (;;) {
      pollfd wanted{signals_.fd(), POLLIN, 0};
      ::poll(&wanted, 1, static_cast<int>(every.count() / 1000));
      while (const auto signal = signals_.take()) {
        if (*signal != SIGHUP) {
          log_.info("run", "stopping", {{"signal", ::sigabbrev_np(*signal)}});
          return {};
        }
        on_hangup();
      }
      if (auto status = look_at_health(); !status) return status;
      if (rest_.came_to_rest(Clock::system().now(), processor_time())) return_freed_memory();
    }
  }

 private:
  void on_hangup() {
    notifier_.reloading();
    reload_.reload(daemon_);
    notifier_.ready(daemon_.endpoints());
  }

  // A loop or writer that hangs is not fed for.  A store that fails tries again by
  // itself, also when the disk was full; one that has not come back is given up.
  Status look_at_health() {
    const auto health = daemon_.node().health(kHealthWithin);
    if (health || health.error().code == Errc::Full) {
      failing_since_.reset();
      notifier_.watchdog();
      return {};
    }
    log_.error("run", health.error().message);
    if (health.error().code == Errc::TimedOut) return {};
    notifier_.watchdog();
    const TimePoint now = Clock::system().now();
    if (!failing_since_) failing_since_ = now;
    return now - *failing_since_ < kFailingAtMost ? Status() : health;
  }

  Daemon& daemon_;
  ConfigReload& reload_;
  const SignalQueue& signals_;
  const ServiceNotifier& notifier_;
  Log& log_;
  std::optional<TimePoint> failing_since_;
  RestWatch rest_;
};

int serve(const ConfigSources& sources, LoadedConfig loaded) {
  keep_freed_memory();
  auto routes = fetch_secrets(loaded.config);
  if (!routes) return complain(routes.error());
  std::signal(SIGPIPE, SIG_IGN);
  auto signals = std::make_unique<SignalQueue>(std::initializer_list<int>{SIGTERM, SIGINT, SIGHUP});
  const ServiceNotifier notifier = ServiceNotifier::from_environment();
  const LogOptions& wanted = loaded.config.log;
  LevelLog log(Log::to_stderr(wanted.format, LogLevel::Debug, loaded.config.node.name),
               wanted.level);
  share_descriptors(loaded.config, log);

  auto daemon = Daemon::open(loaded.config, std::move(*routes), log);
  if (!daemon) return complain(daemon.error());
  const std::string data = std::filesystem::absolute(loaded.config.node.data_dir).string();
  log.info("run", "ready",
           {{"config", sources.file.empty() ? "none" : sources.file},
            {"data", data},
            {"endpoints", (*daemon)->endpoints()},
            {"version", MARRAM_VERSION}});
  notifier.ready((*daemon)->endpoints());
  ConfigReload reload(sources, std::move(loaded.report), log);
  const auto status = Service(**daemon, reload, *signals, notifier, log).run();

  notifier.stopping();
  if (!status) log.error("run", status.error().message);
  // From here on a second signal, or the end of patience, ends the process at once.
  signals.reset();
  ::alarm(kLeaveWithinSeconds);
  (*daemon)->close();
  log.info("run", "stopped");
  return status ? kOk : exit_code(status.error().code);
}

int run(const Options& options) {
  const ConfigSources sources{options.file, config_environment(), options.sets};
  LoadedConfig loaded = load_config(sources);
  for (const std::string& problem : loaded.report.problems) {
    fmt::print(stderr, "marram: {}\n", problem);
  }
  return loaded.report.problems.empty() ? serve(sources, std::move(loaded)) : kConfig;
}

}  // namespace

void add_run_command(CLI::App& app, Action& chosen) {
  CLI::App* command = app.add_subcommand("run", "Run a node until SIGTERM or Ctrl-C");
  const auto options = std::make_shared<Options>();
  command->add_option("-c,--config", options->file,
                      "Config file (default: none; data in ./marram-data, MQTT on 127.0.0.1:1883)");
  command->add_option("--set", options->sets, "Override a key: node.name=gw-3")
      ->allow_extra_args(false);
  command->callback([&chosen, options] { chosen = [options] { return run(*options); }; });
}

}  // namespace marram::cli
