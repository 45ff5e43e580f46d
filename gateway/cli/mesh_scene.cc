#include "gateway/cli/mesh_scene.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <string_view>
#include <utility>

#include "core/node/key_file.h"

namespace marram::cli {

namespace {

std::string key_file(const Cast& cast, const std::string& name) {
  return (cast.folder() / (name + ".key")).string();
}

// As the collector prints what it got; empty when it is no reading.
std::string report_of(std::string_view payload) {
  const auto reading = nlohmann::json::parse(payload, nullptr, false);
  if (!reading.is_object()) return "";
  return fmt::format("got {} {}", reading.value("device", ""), reading.value("n", 0));
}

}  // namespace

MeshScene::MeshScene(std::unique_ptr<Cast> cast)
    : cast_(std::move(cast)),
      mqtt_port_(free_port()),
      a_(cast_->data_dir("a")),
      c_(cast_->data_dir("c")) {}

Result<std::unique_ptr<MeshScene>> MeshScene::open(CastOptions options) {
  auto cast = Cast::open(std::move(options));
  if (!cast) return tl::unexpected(cast.error());
  std::unique_ptr<MeshScene> scene(new MeshScene(std::move(*cast)));
  if (auto status = scene->prepare(); !status) return tl::unexpected(status.error());
  return scene;
}

Status MeshScene::prepare() {
  for (const char* name : {"a", "b", "c"}) {
    ports_[name] = free_port();
    const auto key = make_key_file(key_file(*cast_, name));
    if (!key) return tl::unexpected(key.error());
    keys_[name] = key->public_key;
  }
  auto link = Relay::open("127.0.0.1", ports_["b"]);
  if (!link) return tl::unexpected(link.error());
  link_ = std::move(*link);
  auto uplink = cast_->open_uplink();
  if (!uplink) return tl::unexpected(uplink.error());
  uplink_ = std::move(*uplink);
  if (auto status = start_b(); !status) return status;
  if (auto status = start_a(); !status) return status;
  return start_c();
}

std::string MeshScene::mesh_section(const std::string& name, const std::string& more) const {
  return fmt::format("[mesh]\nkey_file = \"{}\"\n{}\n", key_file(*cast_, name), more);
}

// It listens nowhere, and b calls the relay its address: both would find a way past the
// link that is cut.
Status MeshScene::start_a() {
  const std::string mesh =
      mesh_section("a", fmt::format("peers = [\"tcp://127.0.0.1:{}\"]\ntrust = [\"{}\"]\n",
                                    link_->port(), keys_["b"]));
  return cast_->start_node(
      "a", mqtt_port_,
      fmt::format("{}[mqtt]\nlisten = [\"mqtt://127.0.0.1:{}\"]\n", mesh, mqtt_port_));
}

Status MeshScene::start_b() {
  const std::string mesh = mesh_section(
      "b", fmt::format("listen = [\"tcp://127.0.0.1:{}\"]\nadvertise = [\"tcp://127.0.0.1:{}\"]\n"
                       "trust = [\"{}\", \"{}\"]\n",
                       ports_["b"], link_->port(), keys_["a"], keys_["c"]));
  return cast_->start_node("b", ports_["b"], mesh + "[mqtt]\nlisten = []\n");
}

Status MeshScene::start_c() {
  const std::string mesh = mesh_section(
      "c", fmt::format("listen = [\"tcp://127.0.0.1:{}\"]\npeers = [\"tcp://127.0.0.1:{}\"]\n"
                       "trust = [\"{}\"]\n",
                       ports_["c"], ports_["b"], keys_["b"]));
  const std::string rest = fmt::format(
      "[mqtt]\nlisten = []\n\n[[route]]\nname = \"cloud\"\nfrom = [\"{}/#\"]\n"
      "to = \"mqtt://127.0.0.1:{}\"\n",
      cast_->topics(), uplink_->port());
  if (auto status = cast_->start_node("c", ports_["c"], mesh + rest); !status) return status;
  return start_reader();
}

Status MeshScene::start_reader() {
  Client* const client = c_.client();
  if (client == nullptr) return fail(Errc::Unreachable, "scene: the node \"c\" does not answer");
  auto reader = client->subscribe(
      {.filters = {cast_->topics() + "/#"}, .name = "reader", .auto_settle = true});
  if (!reader) return tl::unexpected(reader.error());
  reader_ = std::move(*reader);
  return {};
}

void MeshScene::poll(Duration at_most) {
  cast_->poll(at_most, &read_);
  const auto events = reader_->fetch(1000, Duration(0));
  if (!events) return;  // the client connects again by itself
  for (const Delivery& delivery : *events) read_.on_line("", report_of(delivery.event->payload));
}

}  // namespace marram::cli
