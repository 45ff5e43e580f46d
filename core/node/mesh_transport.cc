#include "core/node/mesh_transport.h"

#include <fmt/format.h>

#include "core/node/mesh_self_test.h"
#include "core/node/mesh_socket.h"
#include "core/node/mesh_sockets.h"

namespace marram {

namespace {

// Whether a listen beyond this machine would be open to anybody.
Result<bool> is_open(const MeshTransport::Options& options) {
  bool open = false;
  for (const std::string& address : options.listen) {
    const auto stays = stays_on_machine("mesh", address);
    if (!stays) return tl::unexpected(stays.error());
    if (*stays || !options.key.public_key.empty()) continue;
    open = true;
    if (options.insecure) continue;
    return fail(Errc::Config,
                fmt::format("mesh: {} is beyond loopback, where links need keys (set "
                            "mesh.key_file and mesh.trust; mesh.insecure = true is for a lab)",
                            address));
  }
  return open;
}

}  // namespace

Result<std::unique_ptr<MeshTransport>> MeshTransport::open(Options options, Handler& handler) {
  const auto open = is_open(options);
  if (!open) return tl::unexpected(open.error());
  if (options.log == nullptr) options.log = &Log::none();
  if (*open) {
    options.log->warn("mesh",
                      "links are plain: whoever reaches this node reads and writes everything "
                      "(mesh.insecure)",
                      {{"listen", fmt::format("{}", fmt::join(options.listen, " "))}});
  }
  auto sockets = std::make_unique<MeshSockets>(std::move(options), handler);
  if (auto status = sockets->open(); !status) return tl::unexpected(status.error());
  return sockets;
}

}  // namespace marram
