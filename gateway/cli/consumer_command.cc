// marram consumer ls | rm
#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>

#include "core/base/quantity.h"
#include "gateway/cli/commands.h"
#include "gateway/cli/connection.h"
#include "gateway/cli/exit_code.h"
#include "gateway/cli/table.h"

namespace marram::cli {

namespace {

struct Options {
  ConnectionOptions connection;
  std::vector<std::string> names;
  bool json = false;
};

nlohmann::ordered_json as_json(const ConsumerInfo& consumer) {
  return {{"name", consumer.name},
          {"filters", consumer.filters},
          {"attached", consumer.attached},
          {"backlog", consumer.backlog},
          {"oldest", consumer.oldest ? nlohmann::ordered_json(iso_text(*consumer.oldest))
                                     : nlohmann::ordered_json()},
          {"in_flight", consumer.in_flight},
          {"redelivered", consumer.redelivered},
          {"created", iso_text(consumer.created)}};
}

std::string as_table(const std::vector<ConsumerInfo>& consumers) {
  Table table({"name", "attached", ">backlog", ">oldest", ">in flight", ">redelivered", "filters"});
  const WallTime now = Clock::system().wall();
  for (const ConsumerInfo& consumer : consumers) {
    const std::string age =
        consumer.oldest ? duration_text(std::max(Duration(0), now - *consumer.oldest)) : "-";
    table.add({consumer.name, consumer.attached ? "yes" : "no", fmt::to_string(consumer.backlog),
               age, fmt::to_string(consumer.in_flight), fmt::to_string(consumer.redelivered),
               fmt::format("{}", fmt::join(consumer.filters, " "))});
  }
  return table.text();
}

int list(const Options& options) {
  auto connection = connect(options.connection);
  if (!connection) return complain(connection.error());
  const auto consumers = connection->client->consumers();
  if (!consumers) return complain(consumers.error());
  if (!options.json) {
    fmt::print("{}", as_table(*consumers));
    return kOk;
  }
  auto all = nlohmann::ordered_json::array();
  for (const ConsumerInfo& consumer : *consumers) all.push_back(as_json(consumer));
  fmt::print("{}\n", all.dump(2));
  return kOk;
}

int remove(const Options& options) {
  auto connection = connect(options.connection);
  if (!connection) return complain(connection.error());
  int code = kOk;
  for (const std::string& name : options.names) {
    if (auto status = connection->client->remove_consumer(name); !status) {
      code = complain(status.error());
    }
  }
  return code;
}

}  // namespace

void add_consumer_command(CLI::App& app, Action& chosen) {
  CLI::App* consumer = app.add_subcommand("consumer", "List or remove durable consumers");
  consumer->require_subcommand(1);
  const auto options = std::make_shared<Options>();
  CLI::App* ls = consumer->add_subcommand("ls", "List them, with what is owed to each");
  ls->add_flag("--json", options->json, "Print JSON");
  add_connection_options(*ls, options->connection);
  ls->callback([&chosen, options] { chosen = [options] { return list(*options); }; });
  CLI::App* rm = consumer->add_subcommand("rm", "Forget consumers and what is owed to them");
  rm->add_option("names", options->names, "Their names")->required();
  add_connection_options(*rm, options->connection);
  rm->callback([&chosen, options] { chosen = [options] { return remove(*options); }; });
}

}  // namespace marram::cli
