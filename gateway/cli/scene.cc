#include "gateway/cli/scene.h"

#include <fmt/format.h>

#include <utility>

namespace marram::cli {

namespace {

constexpr const char* kNode = "gateway";

}  // namespace

Scene::Scene(std::unique_ptr<Cast> cast)
    : cast_(std::move(cast)), port_(free_port()), watch_(cast_->data_dir(kNode)) {}

Result<std::unique_ptr<Scene>> Scene::open(CastOptions options) {
  auto cast = Cast::open(std::move(options));
  if (!cast) return tl::unexpected(cast.error());
  std::unique_ptr<Scene> scene(new Scene(std::move(*cast)));
  auto uplink = scene->cast_->open_uplink();
  if (!uplink) return tl::unexpected(uplink.error());
  scene->uplink_ = std::move(*uplink);
  if (auto status = scene->start_node(); !status) return tl::unexpected(status.error());
  return scene;
}

Status Scene::start_node() {
  return cast_->start_node(kNode, port_,
                           fmt::format("[mqtt]\nlisten = [\"mqtt://127.0.0.1:{}\"]\n\n"
                                       "[[route]]\nname = \"cloud\"\nfrom = [\"{}/#\"]\n"
                                       "to = \"mqtt://127.0.0.1:{}\"\n",
                                       port_, cast_->topics(), uplink_->port()));
}

void Scene::kill_node() {
  watch_.forget_client();
  cast_->kill_node(kNode);
}

}  // namespace marram::cli
