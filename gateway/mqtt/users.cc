#include "gateway/mqtt/users.h"

#include <fmt/format.h>
#include <sodium.h>
#include <toml++/toml.h>

#include <fstream>
#include <sstream>

#include "core/event/topic.h"

namespace marram::mqtt {

namespace {

constexpr unsigned long long kOperations = 2;
constexpr std::size_t kMemoryBytes = 16 << 20;

tl::unexpected<Error> at(const std::string& file, const toml::source_region& where,
                         std::string_view what) {
  return fail(Errc::Config,
              fmt::format("{}:{}:{}: {}", file, where.begin.line, where.begin.column, what));
}

Status take_text(const std::string& file, const toml::node& node, std::string_view key,
                 std::string& out) {
  const auto text = node.value<std::string>();
  if (!text || !node.is_string()) {
    return at(file, node.source(), fmt::format("{} must be text in quotes", key));
  }
  out = *text;
  return {};
}

// A pattern is a filter once its %u and %c are names.
std::string fill_in(std::string_view pattern, std::string_view user, std::string_view client_id) {
  std::string out;
  for (std::size_t i = 0; i < pattern.size(); ++i) {
    const std::string_view two = pattern.substr(i, 2);
    if (two != "%u" && two != "%c") {
      out += pattern[i];
      continue;
    }
    out += two == "%u" ? user : client_id;
    ++i;
  }
  return out;
}

Status take_filters(const std::string& file, const toml::node& node, std::string_view key,
                    std::vector<std::string>& out) {
  const toml::array* list = node.as_array();
  if (list == nullptr) {
    return at(file, node.source(),
              fmt::format("{} must be a list of filters, like [\"a/#\"]", key));
  }
  for (const toml::node& item : *list) {
    std::string filter;
    if (auto status = take_text(file, item, key, filter); !status) return status;
    if (const auto status = check_filter(fill_in(filter, "u", "c"), Limits()); !status) {
      return at(file, item.source(), status.error().message);
    }
    out.push_back(std::move(filter));
  }
  return {};
}

Status take_hash(const std::string& file, const toml::node& node, std::string& out) {
  if (auto status = take_text(file, node, "password_hash", out); !status) return status;
  if (out.size() < crypto_pwhash_STRBYTES && out.starts_with(crypto_pwhash_STRPREFIX)) return {};
  return at(file, node.source(), "password_hash must be an argon2id hash, \"$argon2id$...\"");
}

Status take_key(const std::string& file, const toml::key& where, const toml::node& node,
                std::string& name, User& user) {
  const std::string_view key = where.str();
  if (key == "name") return take_text(file, node, key, name);
  if (key == "password_hash") return take_hash(file, node, user.password_hash);
  if (key == "publish") return take_filters(file, node, key, user.publish);
  if (key == "subscribe") return take_filters(file, node, key, user.subscribe);
  return at(file, where.source(),
            fmt::format("unknown key {} (there are name, password_hash, publish, subscribe)", key));
}

Status take_user(const std::string& file, const toml::node& node,
                 std::map<std::string, User, std::less<>>& out) {
  const toml::table* table = node.as_table();
  if (table == nullptr) return at(file, node.source(), "a user must be a table, [[user]]");
  std::string name;
  User user;
  for (const auto& [key, value] : *table) {
    if (auto status = take_key(file, key, value, name, user); !status) return status;
  }
  if (const auto status = check_name("name", name, Limits()); !status) {
    return at(file, node.source(), status.error().message);
  }
  if (user.password_hash.empty()) return at(file, node.source(), "password_hash is missing");
  if (!out.emplace(name, std::move(user)).second) {
    return at(file, node.source(), fmt::format("user \"{}\" is here twice", name));
  }
  return {};
}

}  // namespace

Result<Users> Users::load(const std::string& file) {
  std::ifstream stream(file, std::ios::binary);
  std::ostringstream text;
  if (!stream || !(text << stream.rdbuf() || stream.peek() == std::ifstream::traits_type::eof())) {
    return fail(Errc::Config,
                fmt::format("{}:1:1: cannot read the users file (mqtt.users_file)", file));
  }
  return parse(text.str(), file);
}

Result<Users> Users::parse(std::string_view text, const std::string& file) {
  Users users;
  try {
    const toml::table document = toml::parse(text, file);
    for (const auto& [key, value] : document) {
      if (key.str() != "user") {
        return at(file, key.source(), fmt::format("unknown key {} (there is [[user]])", key.str()));
      }
      const toml::array* list = value.as_array();
      if (list == nullptr) return at(file, value.source(), "users are written as [[user]]");
      for (const toml::node& item : *list) {
        if (auto status = take_user(file, item, users.users_); !status) {
          return tl::unexpected(status.error());
        }
      }
    }
  } catch (const toml::parse_error& error) {
    return at(file, error.source(), error.description());
  }
  return users;
}

const User* Users::find(std::string_view name) const {
  const auto found = users_.find(name);
  return found == users_.end() ? nullptr : &found->second;
}

AccessPtr access_of(const User& user, std::string_view name, std::string_view client_id) {
  std::vector<std::string> publish;
  std::vector<std::string> subscribe;
  publish.reserve(user.publish.size());
  subscribe.reserve(user.subscribe.size());
  for (const auto& filter : user.publish) publish.push_back(fill_in(filter, name, client_id));
  for (const auto& filter : user.subscribe) subscribe.push_back(fill_in(filter, name, client_id));
  return std::make_shared<const Access>(std::move(publish), std::move(subscribe));
}

Result<std::string> hash_password(std::string_view password) {
  char hash[crypto_pwhash_STRBYTES];
  if (sodium_init() < 0 ||
      crypto_pwhash_str(hash, password.data(), password.size(), kOperations, kMemoryBytes) != 0) {
    return fail(Errc::Io, "users: cannot hash the password: not enough memory (16 MiB are needed)");
  }
  return std::string(hash);
}

bool verify_password(const std::string& hash, std::string_view password) {
  return sodium_init() >= 0 &&
         crypto_pwhash_str_verify(hash.c_str(), password.data(), password.size()) == 0;
}

}  // namespace marram::mqtt
