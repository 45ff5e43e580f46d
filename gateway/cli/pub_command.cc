// marram pub
#include <fmt/format.h>
#include <unistd.h>
#include <CLI/CLI.hpp>

#include <cstdio>
#include <memory>
#include <optional>
#include <utility>

#include "gateway/cli/commands.h"
#include "gateway/cli/connection.h"
#include "gateway/cli/duration_option.h"
#include "gateway/cli/exit_code.h"
#include "gateway/cli/publish_pump.h"
#include "gateway/cli/read_file.h"

#include <nlohmann/json.hpp>

namespace marram::cli {

namespace {

struct Options {
  ConnectionOptions connection;
  Event event;
  std::string message;
  std::string file;
  std::vector<std::string> headers;
  std::string timeout = "30s";
  std::string wait = "stored";
  std::string expires;
  std::uint64_t count = 1;
  bool has_message = false;
  bool lines = false;
  bool json = false;
};

Result<HeaderPairs> parse_headers(const std::vector<std::string>& texts) {
  HeaderPairs pairs;
  for (const std::string& text : texts) {
    const std::size_t equals = text.find('=');
    if (equals == std::string::npos || equals == 0) {
      return fail(Errc::Invalid,
                  fmt::format("pub: header \"{}\" has no name (write NAME=VALUE)", text));
    }
    pairs.emplace_back(text.substr(0, equals), text.substr(equals + 1));
  }
  return pairs;
}

Result<std::unique_ptr<PayloadSource>> open_source(const Options& options, const Limits& limits) {
  if (options.lines) {
    return std::make_unique<LinePayloads>(STDIN_FILENO, limits.payload_bytes_max);
  }
  if (options.has_message) {
    return std::make_unique<RepeatedPayload>(options.message, options.count);
  }
  auto payload = options.file.empty() || options.file == "-"
                     ? read_stdin(limits.payload_bytes_max)
                     : read_file(options.file, limits.payload_bytes_max);
  if (!payload) {
    const bool too_large = payload.error().code == Errc::TooLarge;
    return fail(payload.error().code,
                fmt::format("pub: {}{}", payload.error().message,
                            too_large ? " (raise limits.payload_bytes_max)" : ""));
  }
  return std::make_unique<RepeatedPayload>(std::move(*payload), options.count);
}

Status check(const Options& options) {
  const int sources =
      (options.has_message ? 1 : 0) + (options.lines ? 1 : 0) + (options.file.empty() ? 0 : 1);
  if (sources > 1) {
    return fail(Errc::Invalid,
                "pub: give one of -m, -l and -f; without any, all of standard "
                "input is one payload");
  }
  if (options.lines && options.count != 1) {
    return fail(Errc::Invalid, "pub: -n repeats a payload and does not go with -l");
  }
  if (!options.event.id.empty() && (options.lines || options.count != 1)) {
    return fail(Errc::Invalid, "pub: --id names one event: it goes neither with -l nor with -n");
  }
  return {};
}

Status complete(Options& options) {
  if (auto status = check(options); !status) return status;
  auto headers = parse_headers(options.headers);
  if (!headers) return tl::unexpected(headers.error());
  options.event.headers = std::move(*headers);
  if (options.expires.empty()) return {};
  const auto after = duration_option("pub: --expires", options.expires);
  if (!after) return tl::unexpected(after.error());
  options.event.expires = Clock::system().wall() + *after;
  return {};
}

void print_receipt(const EventView& event, const std::string& level, bool pending) {
  nlohmann::ordered_json json = {{"id", event.id_text()},
                                 {"topic", event.topic},
                                 {"seq", event.position.seq()},
                                 {"recorded", iso_text(event.recorded)}};
  if (level != "stored") {
    json["level"] = level;
    json["pending"] = pending;
  }
  fmt::print("{}\n", json.dump());
}

// What was stored and has not come further in time is no loss, and not what was asked for.
int tell_pending(const Options& options, const PublishPump::Totals& totals) {
  if (totals.pending == 0) return kOk;
  const bool replicas = options.wait.starts_with("replicated");
  fmt::print(
      stderr,
      "marram: pub: {} of {} events are stored, but were not {} within {} (they go on "
      "their way all the same{})\n",
      totals.pending, totals.stored, options.wait, options.timeout,
      replicas ? "; a neighbour counts when it keeps the stream whole: mesh.carry there" : "");
  return kProblems;
}

int publish(const Options& options, Client& client) {
  const auto timeout = duration_option("pub: --timeout", options.timeout);
  if (!timeout) return complain(timeout.error());
  auto source = open_source(options, client.limits());
  if (!source) return complain(source.error());
  const auto level = parse_level(options.wait);
  if (!level) return complain(level.error());
  PublishPump::Options pump{.event = options.event, .timeout = *timeout, .level = *level};
  if (options.json) {
    std::setvbuf(stdout, nullptr, _IOLBF, BUFSIZ);  // whoever feeds lines waits for receipts
    pump.on_stored = [&](const EventView& event, bool pending) {
      print_receipt(event, options.wait, pending);
    };
  }
  std::optional<Errc> told;
  pump.on_refused = [&](std::uint64_t number, const Error& error) {
    // Of one payload it is mostly the same each time.
    if (std::exchange(told, error.code) == error.code && !options.lines) return;
    const std::string which = options.lines ? fmt::format("line {}: ", number) : "";
    fmt::print(stderr, "marram: pub: {}{}\n", which, error.message);
  };
  const auto totals = PublishPump(client, **source, std::move(pump)).run();
  if (!totals) return complain(totals.error());
  if (totals->refused > 1 && !options.lines) {
    fmt::print(stderr, "marram: pub: {} events are stored, {} were refused\n", totals->stored,
               totals->refused);
  }
  return totals->first_error ? exit_code(totals->first_error->code)
                             : tell_pending(options, *totals);
}

int pub(Options options) {
  if (auto status = complete(options); !status) return complain(status.error());
  auto connection = connect(options.connection);
  if (!connection) return complain(connection.error());
  const int code = publish(options, *connection->client);
  connection->client->close();
  return code;
}

}  // namespace

void add_pub_command(CLI::App& app, Action& chosen) {
  CLI::App* command = app.add_subcommand("pub", "Publish events; ends when they are stored");
  const auto options = std::make_shared<Options>();
  command->add_option("-t,--topic", options->event.topic, "Topic: plant/1/temp")->required();
  CLI::Option* message = command->add_option("-m,--message", options->message, "Payload");
  command->add_flag("-l,--lines", options->lines, "Each line of standard input is an event");
  command->add_option("-f,--file", options->file, "The file's content is the payload; - is stdin");
  command->add_option("-n,--count", options->count, "Publish it so many times")
      ->check(CLI::Range(std::uint64_t{1}, std::uint64_t{1'000'000'000}));
  command->add_option("-H,--header", options->headers, "NAME=VALUE; may be given again")
      ->allow_extra_args(false);
  command->add_option("--key", options->event.key, "What must stay in order (default: the topic)");
  command->add_option("--id", options->event.id, "Id of the event (default: a UUIDv7)");
  command->add_option("--content-type", options->event.content_type, "As text/plain");
  command->add_option("--expires", options->expires, "Worthless after this long: 1h");
  command->add_option("--timeout", options->timeout, "How long to wait for the node's answer");
  command->add_option("--wait", options->wait, "Until stored, replicated:N or delivered:ROUTE");
  command->add_flag("--json", options->json, "Print a receipt for each event");
  add_connection_options(*command, options->connection);
  command->callback([&chosen, options, message] {
    options->has_message = message->count() > 0;
    chosen = [options] { return pub(*options); };
  });
}

}  // namespace marram::cli
