// marram mqtt hash: the password_hash of a user, for mqtt.users_file.
#include <fmt/format.h>
#include <termios.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <iostream>
#include <string>

#include "gateway/cli/commands.h"
#include "gateway/cli/exit_code.h"
#include "gateway/mqtt/users.h"

namespace marram::cli {

namespace {

// One line of standard input, which a terminal does not show.
std::string ask_password() {
  termios before{};
  const bool terminal = ::tcgetattr(STDIN_FILENO, &before) == 0;
  if (terminal) {
    fmt::print(stderr, "password: ");
    termios silent = before;
    silent.c_lflag &= ~static_cast<tcflag_t>(ECHO);
    ::tcsetattr(STDIN_FILENO, TCSAFLUSH, &silent);
  }
  std::string password;
  std::getline(std::cin, password);
  if (terminal) {
    ::tcsetattr(STDIN_FILENO, TCSAFLUSH, &before);
    fmt::print(stderr, "\n");
  }
  return password;
}

int hash() {
  const std::string password = ask_password();
  if (password.empty()) return complain({Errc::Invalid, "mqtt: the password is empty"});
  const auto hashed = mqtt::hash_password(password);
  if (!hashed) return complain(hashed.error());
  fmt::print("{}\n", *hashed);
  return kOk;
}

}  // namespace

void add_mqtt_command(CLI::App& app, Action& chosen) {
  CLI::App* mqtt = app.add_subcommand("mqtt", "Tools for the MQTT listener");
  mqtt->require_subcommand(1);
  mqtt->add_subcommand("hash", "Print the password_hash of the password on standard input")
      ->callback([&chosen] { chosen = hash; });
}

}  // namespace marram::cli
