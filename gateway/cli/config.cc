#include "gateway/cli/config.h"

#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <filesystem>

#include "core/event/topic.h"
#include "gateway/cli/config_mesh.h"
#include "gateway/cli/config_overrides.h"
#include "gateway/cli/config_routes.h"
#include "gateway/cli/read_file.h"

namespace marram::cli {

namespace {

constexpr std::size_t kConfigBytesMax = 1 << 20;
constexpr std::array<std::string_view, 3> kDurabilities = {"fsync", "os", "memory"};
constexpr std::array<std::string_view, 3> kPriorities = {"high", "normal", "low"};
constexpr std::array<std::string_view, 2> kOnFull = {"reject", "drop-oldest"};
constexpr std::array<std::string_view, 3> kLogFormats = {"auto", "text", "json"};
constexpr std::array<std::string_view, 4> kLogLevels = {"debug", "info", "warn", "error"};

// An enum whose values are in the order of `words`.
template <class Enum>
void read_enum(Section& section, std::string_view key, std::span<const std::string_view> words,
               Enum& out) {
  auto index = static_cast<std::size_t>(out);
  section.one_of(key, words, index);
  out = static_cast<Enum>(index);
}

std::string host_name() {
  std::string name(256, '\0');
  if (::gethostname(name.data(), name.size() - 1) != 0) return "marram";
  name.resize(name.find('\0'));
  return name.empty() ? "marram" : name;
}

void read_node(Section node, NodeOptions& out) {
  out.name = host_name();
  node.text("name", out.name);
  if (const auto status = check_name("node.name", out.name, out.limits); !status) {
    node.rejected("name", status.error());
  }
  std::string data_dir = out.data_dir.string();
  node.text("data_dir", data_dir);
  if (data_dir.empty()) node.problem("data_dir", "must not be empty");
  out.data_dir = data_dir;
  node.finish();
}

void read_store(Section store, NodeOptions& out) {
  constexpr std::size_t kStoreBytesLeast = 1 << 20;
  read_enum(store, "durability", kDurabilities, out.durability);
  std::size_t max_bytes = out.max_bytes;
  store.bytes("max_bytes", max_bytes, kStoreBytesLeast);
  out.max_bytes = max_bytes;
  store.share("reserve_free", out.reserve_free_share);
  store.finish();
}

StreamOptions read_stream(Section& stream, Durability durability) {
  StreamOptions out;
  stream.require("name");
  stream.text("name", out.name);
  stream.texts("topics", out.topics);
  Durability own = durability;
  read_enum(stream, "durability", kDurabilities, own);
  if (stream.has("durability")) out.durability = own;
  read_enum(stream, "priority", kPriorities, out.priority);
  Section retain = stream.table("retain");
  retain.duration("age", out.retain.age);
  std::optional<std::size_t> retain_bytes;
  retain.bytes("bytes", retain_bytes);
  out.retain.bytes = retain_bytes;
  retain.finish();
  stream.duration("ttl", out.ttl);
  read_enum(stream, "on_full", kOnFull, out.on_full);
  stream.finish();
  return out;
}

void read_streams(Section& root, ConfigReport& report, NodeOptions& out) {
  for (Section& section : root.tables("stream")) {
    const std::size_t problems = report.problems.size();
    StreamOptions stream = read_stream(section, out.durability);
    // With those before it, so that the problem is said of the right one.
    std::vector<StreamOptions> all = out.streams;
    all.push_back(stream);
    if (const auto table = StreamTable::make(all, out.durability); table) {
      out.streams.push_back(std::move(stream));
    } else if (report.problems.size() == problems) {
      section.rejected("topics", table.error());
    }
  }
}

void read_mqtt_limits(Section limits, mqtt::MqttLimits& out) {
  constexpr std::size_t kCountMax = 1'000'000;
  limits.integer("connections_max", out.connections_max, 1, kCountMax);
  limits.integer("connections_per_address_max", out.connections_per_address_max, 1, kCountMax);
  limits.integer("sessions_max", out.sessions_max, 1, kCountMax);
  limits.bytes("packet_bytes_max", out.packet_bytes_max, 128);
  limits.bytes("connect_bytes_max", out.connect_bytes_max, 128);
  limits.seconds("connect_within", out.connect_within);
  limits.integer("receive_maximum", out.receive_maximum, 1, 65'535);
  limits.seconds("session_expiry_max", out.session_expiry_max);
  limits.seconds("keep_alive_max", out.keep_alive_max);
  limits.bytes("unsent_bytes_max", out.unsent_bytes_max, 1024);
  limits.bytes("unfinished_bytes_max", out.unfinished_bytes_max, 64 << 10);
  limits.integer("in_flight_max", out.in_flight_max, 1, 32'767);
  limits.finish();
}

void check_mqtt_schemes(Section& section, const mqtt::MqttOptions& mqtt) {
  for (const std::string& endpoint : mqtt.listen) {
    const std::string scheme = endpoint.substr(0, endpoint.find("://"));
    if (scheme == "ws" || scheme == "wss") {
      section.problem("listen", fmt::format("has {}:// (not in this release)", scheme));
    } else if (scheme != "mqtt" && scheme != "mqtts") {
      section.problem("listen", fmt::format("must be mqtt://ADDRESS:PORT or "
                                            "mqtts://ADDRESS:PORT, not \"{}\"",
                                            endpoint));
    }
  }
}

void read_mqtt(Section section, mqtt::MqttOptions& out) {
  out.listen = {"mqtt://127.0.0.1:1883"};
  section.texts("listen", out.listen);
  check_mqtt_schemes(section, out);
  section.path("users_file", out.users_file);
  section.boolean("allow_anonymous", out.allow_anonymous);
  Section tls = section.table("tls");
  tls.path("certificate_file", out.tls.certificate_file);
  tls.path("key_file", out.tls.key_file);
  tls.path("client_ca_file", out.tls.client_ca_file);
  tls.finish();
  read_mqtt_limits(section.table("limits"), out.limits);
  section.finish();
}

void read_client(Section client, NodeOptions& out) {
  // sun_path of a unix socket, less its terminating zero.
  constexpr std::size_t kSocketPathMax = 107;
  out.listen = {fmt::format("ipc://{}", (out.data_dir / "marram.sock").string())};
  client.texts("listen", out.listen);
  for (const std::string& endpoint : out.listen) {
    constexpr std::string_view kIpc = "ipc://";
    if (endpoint.starts_with(kIpc)) {
      if (endpoint.size() - kIpc.size() <= kSocketPathMax) continue;
      client.problem("listen", fmt::format("has a socket path of {} bytes, over {} (set a shorter "
                                           "one: client.listen = \"ipc:///run/marram.sock\")",
                                           endpoint.size() - kIpc.size(), kSocketPathMax));
    } else if (!endpoint.starts_with("tcp://")) {
      client.problem("listen", fmt::format("must be ipc://PATH or tcp://127.0.0.1:PORT, not \"{}\"",
                                           endpoint));
    }
  }
  client.finish();
}

void read_limits(Section limits, Limits& out) {
  constexpr std::size_t kCountMax = 10'000'000;
  limits.bytes("topic_bytes_max", out.topic_bytes_max, 1);
  limits.integer("topic_levels_max", out.topic_levels_max, 1, kCountMax);
  limits.integer("filters_per_consumer_max", out.filters_per_consumer_max, 1, kCountMax);
  limits.bytes("payload_bytes_max", out.payload_bytes_max, 1);
  limits.integer("headers_max", out.headers_max, 0, kCountMax);
  limits.bytes("headers_bytes_max", out.headers_bytes_max, 0);
  limits.bytes("key_bytes_max", out.key_bytes_max, 1);
  limits.bytes("id_bytes_max", out.id_bytes_max, 36);
  limits.bytes("name_bytes_max", out.name_bytes_max, 1);
  limits.integer("consumers_max", out.consumers_max, 1, kCountMax);
  limits.bytes("frame_bytes_max", out.frame_bytes_max, 64 << 10);
  limits.integer("clients_max", out.clients_max, 1, kCountMax);
  limits.bytes("queued_bytes_max", out.queued_bytes_max, 64 << 10);
  limits.bytes("tail_bytes_max", out.tail_bytes_max, 0);
  limits.integer("in_flight_max", out.in_flight_max, 1, kCountMax);
  limits.bytes("in_flight_bytes_max", out.in_flight_bytes_max, 1);
  limits.finish();
}

void read_log(Section log, LogOptions& out) {
  read_enum(log, "format", kLogFormats, out.format);
  read_enum(log, "level", kLogLevels, out.level);
  log.finish();
}

void read_all(const ConfigValue& tree, const std::filesystem::path& folder, LoadedConfig& out) {
  Section root(out.report, &tree, "", folder);
  Config& config = out.config;
  read_limits(root.table("limits"), config.node.limits);
  read_node(root.table("node"), config.node);
  read_store(root.table("store"), config.node);
  read_streams(root, out.report, config.node);
  read_client(root.table("client"), config.node);
  read_mesh(root.table("mesh"), config.node);
  read_mqtt(root.table("mqtt"), config.mqtt);
  read_routes(root, out.report, config);
  read_log(root.table("log"), config.log);
  root.refuse_later("http");
  root.finish();
}

Result<ConfigValue> read_tree(const std::string& file) {
  if (file.empty()) return ConfigValue{.data = ConfigTable{}, .place = "default"};
  auto text = read_file(file, kConfigBytesMax);
  if (!text) return fail(Errc::Config, "config: " + text.error().message);
  return parse_toml(*text, file);
}

}  // namespace

std::vector<std::pair<std::string, std::string>> config_environment() {
  std::vector<std::pair<std::string, std::string>> out;
  for (char** variable = ::environ; *variable != nullptr; ++variable) {
    const std::string_view text(*variable);
    const std::size_t equals = text.find('=');
    const std::string_view name = text.substr(0, equals);
    if (!name.starts_with("MARRAM_") || name.find("__") == std::string_view::npos) continue;
    if (equals != std::string_view::npos) out.emplace_back(name, text.substr(equals + 1));
  }
  return out;
}

LoadedConfig load_config(const ConfigSources& sources) {
  LoadedConfig out;
  auto tree = read_tree(sources.file);
  if (!tree) {
    out.report.problems.push_back(tree.error().message);
    return out;
  }
  apply_environment(sources.environment, *tree, out.report.problems);
  apply_sets(sources.sets, *tree, out.report.problems);
  read_all(*tree, std::filesystem::path(sources.file).parent_path(), out);
  return out;
}

std::vector<std::string> known_config_keys() {
  const auto tree = parse_toml("[[stream]]\n[[route]]\n", "keys");
  LoadedConfig loaded;
  if (tree) read_all(*tree, {}, loaded);
  std::vector<std::string> keys;
  keys.reserve(loaded.report.effective.size());
  for (const EffectiveValue& value : loaded.report.effective) {
    keys.push_back(
        fmt::format("{}.{}", value.section.substr(0, value.section.find('[')), value.key));
  }
  return keys;
}

}  // namespace marram::cli
