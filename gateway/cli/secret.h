// A secret of the configuration: where it is kept, never what it is.
//
//     password = { file = "/etc/marram/broker.password" }
//     password = { env = "BROKER_PASSWORD" }
//     password = { credential = "broker" }      # systemd LoadCredential=
#pragma once

#include <string>

#include "core/base/result.h"

namespace marram::cli {

struct Secret {
  enum class Kind { Text, File, Env, Credential };
  Kind kind = Kind::Text;  // Text: said openly, as a user's name may be
  std::string value;       // the text, path, variable or credential's name
  std::string place;

  // `{ file = "..." }`, as the configuration shows it.
  std::string shown() const;
};

// Fetches it; one line end at the end of a file is not part of it.
//
// Errors: Config  with the place: no such file or variable, unreadable, over 64 KiB
Result<std::string> fetch_secret(const Secret& secret);

}  // namespace marram::cli
