// marram sub
#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>
#include <CLI/CLI.hpp>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <map>
#include <memory>

#include "gateway/cli/commands.h"
#include "gateway/cli/connection.h"
#include "gateway/cli/duration_option.h"
#include "gateway/cli/event_text.h"
#include "gateway/cli/exit_code.h"
#include "gateway/cli/signals.h"

namespace marram::cli {

namespace {

struct Options {
  ConnectionOptions connection;
  std::vector<std::string> filters;
  std::string name;
  std::string from;
  std::string ack_wait = "30s";
  std::uint64_t count = 0;
  std::size_t in_flight = 1000;
  bool take_over = false;
  bool json = false;
};

Result<std::optional<Start>> parse_start(const std::string& from) {
  if (from.empty()) return std::optional<Start>();
  if (from == "new") return Start{.at = Start::At::New};
  if (from == "earliest") return Start{.at = Start::At::Earliest};
  const auto time = parse_time(from, Clock::system().wall());
  if (!time) {
    return fail(Errc::Invalid, fmt::format("sub: --from: cannot read \"{}\" (write earliest, new, "
                                           "a time such as 2026-11-24T05:00:00Z, or -1h)",
                                           from));
  }
  return Start{.at = Start::At::Time, .time = *time};
}

Result<SubscribeOptions> subscribe_options(const Options& options) {
  const auto start = parse_start(options.from);
  if (!start) return tl::unexpected(start.error());
  const auto ack_wait = duration_option("sub: --ack-wait", options.ack_wait);
  if (!ack_wait) return tl::unexpected(ack_wait.error());
  SubscribeOptions out;
  out.filters = options.filters;
  out.name = options.name;
  out.start = *start;
  out.in_flight_max = options.in_flight;
  out.ack_wait = *ack_wait;
  out.take_over = options.take_over;
  return out;
}

// Prints events and settles each when its line is out.
class Printer {
 public:
  Printer(Bus& bus, Subscription& subscription, const Options& options)
      : bus_(bus),
        subscription_(subscription),
        options_(options),
        terminal_(::isatty(STDOUT_FILENO) != 0) {}

  // Errors: Io      the output cannot be written; nothing of this round is settled
  //         Closed  nobody reads it any more
  Status print(const std::vector<Delivery>& deliveries) {
    std::vector<Position> printed;
    for (const Delivery& delivery : deliveries) {
      const EventView& event = *delivery.event;
      const std::string line =
          options_.json ? event_json(event, log_name(event.position.log()), delivery.attempt)
                        : event_line(event, terminal_);
      std::fwrite(line.data(), 1, line.size(), stdout);
      std::fputc('\n', stdout);
      printed.push_back(event.position);
    }
    if (std::fflush(stdout) != 0 || std::ferror(stdout) != 0) {
      return fail(errno == EPIPE ? Errc::Closed : Errc::Io,
                  fmt::format("sub: cannot write to standard output: {}", std::strerror(errno)));
    }
    subscription_.ack(printed);
    printed_ += printed.size();
    return {};
  }

  void print_gaps(const std::vector<Gap>& gaps) {
    for (const Gap& gap : gaps) {
      fmt::print(stderr, "marram: sub: gap: events {} to {} of {} are gone: {}\n", gap.from, gap.to,
                 log_name(gap.log), gap.reason);
    }
  }

  std::uint64_t printed() const { return printed_; }

 private:
  std::string log_name(std::uint32_t log) {
    const auto known = names_.find(log);
    if (known != names_.end()) return known->second;
    const auto id = bus_.log_id(log);
    return id ? names_.emplace(log, id->text()).first->second : fmt::to_string(log);
  }

  Bus& bus_;
  Subscription& subscription_;
  const Options& options_;
  std::map<std::uint32_t, std::string> names_;
  std::uint64_t printed_ = 0;
  bool terminal_;
};

// False: a signal came, or nobody reads our output any more.
bool wait_readable(const Subscription& subscription, const SignalQueue& signals) {
  std::array<pollfd, 3> fds = {
      {{subscription.fd(), POLLIN, 0}, {signals.fd(), POLLIN, 0}, {STDOUT_FILENO, 0, 0}}};
  while (::poll(fds.data(), fds.size(), -1) < 0 && errno == EINTR) {
  }
  return fds[1].revents == 0 && (fds[2].revents & POLLERR) == 0;
}

Status follow(Bus& bus, Subscription& subscription, const Options& options,
              const SignalQueue& signals) {
  constexpr std::size_t kFetch = 500;
  Printer printer(bus, subscription, options);
  while (options.count == 0 || printer.printed() < options.count) {
    const std::size_t left = options.count == 0 ? kFetch : options.count - printer.printed();
    const auto events = subscription.fetch(std::min(kFetch, left), Duration(0));
    printer.print_gaps(subscription.take_gaps());
    if (!events) return tl::unexpected(events.error());
    if (!events->empty()) {
      if (auto status = printer.print(*events); !status) return status;
      if (signals.take()) return {};
      continue;
    }
    if (!wait_readable(subscription, signals)) return {};
  }
  return {};
}

int sub(const Options& options) {
  const auto subscribe = subscribe_options(options);
  if (!subscribe) return complain(subscribe.error());
  const SignalQueue signals({SIGINT, SIGTERM, SIGHUP, SIGPIPE});
  auto connection = connect(options.connection);
  if (!connection) return complain(connection.error());
  Client& client = *connection->client;
  auto subscription = client.subscribe(*subscribe);
  if (!subscription) return complain(subscription.error());

  const auto status = follow(client, **subscription, options, signals);
  subscription->reset();
  client.close();
  // As `marram sub ... | head` ends: what was not printed comes again.
  const bool reader_left =
      !status && std::ferror(stdout) != 0 && status.error().code == Errc::Closed;
  return status || reader_left ? kOk : complain(status.error());
}

}  // namespace

void add_sub_command(CLI::App& app, Action& chosen) {
  CLI::App* command = app.add_subcommand("sub", "Print events as they come");
  const auto options = std::make_shared<Options>();
  command->add_option("filters", options->filters, "Filters, as in MQTT: plant/+/temp, plant/#")
      ->required();
  command->add_option("--name", options->name,
                      "Durable consumer: goes on where it was, an event is settled when printed");
  command->add_option("--from", options->from,
                      "Where a new consumer starts: earliest, new, a time, -1h (default: new; "
                      "with --name earliest)");
  command->add_option("-n,--count", options->count, "End after so many events");
  command->add_option("--in-flight", options->in_flight, "Events handed out and not yet settled")
      ->check(CLI::Range(1, 65'535));
  command->add_option("--ack-wait", options->ack_wait,
                      "Unsettled events come again after this long");
  command->add_flag("--take-over", options->take_over, "End another reader of the same --name");
  command->add_flag("--json", options->json, "Print each event as a line of JSON");
  add_connection_options(*command, options->connection);
  command->callback([&chosen, options] { chosen = [options] { return sub(*options); }; });
}

}  // namespace marram::cli
