#include "gateway/cli/secret.h"

#include <fmt/format.h>

#include <cstdlib>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "gateway/cli/read_file.h"

namespace marram::cli {

namespace {

constexpr std::size_t kSecretBytesMax = 64 << 10;

Result<std::string> from_file(const Secret& secret, const std::string& path) {
  auto text = read_file(path, kSecretBytesMax);
  if (!text) {
    return fail(Errc::Config, fmt::format("{}: secret: {}", secret.place, text.error().message));
  }
  if (text->ends_with('\n')) text->pop_back();
  if (text->ends_with('\r')) text->pop_back();
  return text;
}

}  // namespace

std::string Secret::shown() const {
  std::string quoted = nlohmann::json(value).dump();
  switch (kind) {
    case Kind::Text:
      return quoted;
    case Kind::File:
      return fmt::format("{{ file = {} }}", quoted);
    case Kind::Env:
      return fmt::format("{{ env = {} }}", quoted);
    case Kind::Credential:
      return fmt::format("{{ credential = {} }}", quoted);
  }
  return {};
}

Result<std::string> fetch_secret(const Secret& secret) {
  switch (secret.kind) {
    case Secret::Kind::Text:
      return secret.value;
    case Secret::Kind::File:
      return from_file(secret, secret.value);
    case Secret::Kind::Env:
      if (const char* text = std::getenv(secret.value.c_str())) return std::string(text);
      return fail(Errc::Config, fmt::format("{}: secret: environment variable {} is not set",
                                            secret.place, secret.value));
    case Secret::Kind::Credential:
      break;
  }
  const char* folder = std::getenv("CREDENTIALS_DIRECTORY");
  if (folder == nullptr) {
    return fail(Errc::Config,
                fmt::format("{}: secret: there are no credentials here (start marram by systemd "
                            "with LoadCredential={}:PATH)",
                            secret.place, secret.value));
  }
  return from_file(secret, (std::filesystem::path(folder) / secret.value).string());
}

}  // namespace marram::cli
