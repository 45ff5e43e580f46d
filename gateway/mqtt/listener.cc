#include "gateway/mqtt/listener.h"

#include <fmt/format.h>

#include "gateway/mqtt/server.h"

namespace marram::mqtt {

namespace {

tl::unexpected<Error> refuse(const Endpoint& endpoint, std::string_view why) {
  return fail(Errc::Config, fmt::format("mqtt: will not listen on {}: {}", endpoint.text(), why));
}

// Closed by default: beyond this machine only with TLS, and only for clients that
// prove who they are, unless it is said that they need not.
Status check(const Endpoint& endpoint, const MqttOptions& options) {
  if (endpoint.loopback) return {};
  if (!endpoint.tls) {
    return refuse(endpoint,
                  "it is beyond loopback without TLS (write mqtts:// and set "
                  "mqtt.tls.certificate_file and mqtt.tls.key_file)");
  }
  const bool proven = !options.users_file.empty() || !options.tls.client_ca_file.empty();
  if (!proven && !options.allow_anonymous) {
    return refuse(endpoint,
                  "it is beyond loopback without authentication (set mqtt.users_file, "
                  "mqtt.tls.client_ca_file or mqtt.allow_anonymous = true)");
  }
  return {};
}

Result<std::vector<Endpoint>> check_all(const MqttOptions& options) {
  std::vector<Endpoint> endpoints;
  for (const std::string& text : options.listen) {
    auto endpoint = parse_endpoint(text);
    if (!endpoint) return tl::unexpected(endpoint.error());
    if (auto status = check(*endpoint, options); !status) return tl::unexpected(status.error());
    endpoints.push_back(std::move(*endpoint));
  }
  return endpoints;
}

// What the options name, read and checked.
struct Prepared {
  std::vector<Endpoint> endpoints;
  std::optional<Users> users;
  std::optional<TlsContext> tls;
};

Result<Prepared> prepare(const MqttOptions& options) {
  Prepared out;
  auto endpoints = check_all(options);
  if (!endpoints) return tl::unexpected(endpoints.error());
  out.endpoints = std::move(*endpoints);
  if (!options.users_file.empty()) {
    auto loaded = Users::load(options.users_file);
    if (!loaded) return tl::unexpected(loaded.error());
    out.users = std::move(*loaded);
  }
  for (const Endpoint& endpoint : out.endpoints) {
    if (!endpoint.tls || out.tls) continue;
    auto made = TlsContext::make(options.tls);
    if (!made) return tl::unexpected(made.error());
    out.tls = std::move(*made);
  }
  return out;
}

}  // namespace

Status MqttListener::check(const MqttOptions& options) {
  const auto prepared = prepare(options);
  return prepared ? Status() : tl::unexpected(prepared.error());
}

Result<std::unique_ptr<MqttListener>> MqttListener::open(MqttOptions options, Bus& bus) {
  auto prepared = prepare(options);
  if (!prepared) return tl::unexpected(prepared.error());
  auto server = std::make_unique<Server>(std::move(options), bus, std::move(prepared->users),
                                         std::move(prepared->tls));
  if (auto status = server->bind(prepared->endpoints); !status) {
    return tl::unexpected(status.error());
  }
  if (auto status = server->load_sessions(); !status) return tl::unexpected(status.error());
  server->start();
  return server;
}

}  // namespace marram::mqtt
