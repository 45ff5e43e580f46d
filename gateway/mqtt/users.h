// Who may connect: the users file, TOML.
//
//     [[user]]
//     name = "sensors"
//     password_hash = "$argon2id$..."        # made by hash_password()
//     publish = ["plant/%u/#"]               # filters; %u the user, %c the client id
//     subscribe = ["cmd/%c/#"]
//
// Empty means nobody: without users nobody gets in, without filters a user may
// not publish (or subscribe) at all.
//
// Threads: does not change; read by any.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"
#include "gateway/mqtt/access.h"

namespace marram::mqtt {

struct User {
  std::string password_hash;
  std::vector<std::string> publish;
  std::vector<std::string> subscribe;
};

class Users {
 public:
  // Errors: Config  with file:line:column
  static Result<Users> load(const std::string& file);
  static Result<Users> parse(std::string_view text, const std::string& file);

  // Null: no such user.
  const User* find(std::string_view name) const;
  std::size_t size() const { return users_.size(); }

 private:
  std::map<std::string, User, std::less<>> users_;
};

// The user's filters with %u and %c filled in.
AccessPtr access_of(const User& user, std::string_view name, std::string_view client_id);

// Argon2id, about 30 ms and 16 MiB: enough against guessing, little enough for a
// gateway.  Errors: Io  there is not enough memory
Result<std::string> hash_password(std::string_view password);
// Takes as long as hash_password().
bool verify_password(const std::string& hash, std::string_view password);

}  // namespace marram::mqtt
