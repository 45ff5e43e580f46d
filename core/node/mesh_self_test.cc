#include "core/node/mesh_self_test.h"

#include <fmt/format.h>

#include <chrono>
#include <vector>

#include "core/base/clock.h"
#include "core/node/dialler.h"
#include "core/node/key_file.h"
#include "core/wire/address.h"

namespace marram {

namespace {

using namespace std::chrono_literals;

constexpr Duration kAnswerWithin = 10s;

// Where to dial what is bound there.
std::string reachable(const std::string& endpoint) {
  const auto address = wire::parse_address("mesh", endpoint);
  if (!address || address->is_ipc()) return endpoint;
  if (address->host == "0.0.0.0") return fmt::format("tcp://127.0.0.1:{}", address->port);
  if (address->host == "::") return fmt::format("tcp://[::1]:{}", address->port);
  return endpoint;
}

Dialler::State ask(MeshListener& listener, Zap& zap, Dialler& dialler) {
  const TimePoint until = Clock::system().now() + kAnswerWithin;
  std::vector<zmq::pollitem_t> items;
  for (TimePoint now = Clock::system().now(); now < until; now = Clock::system().now()) {
    zap.run();
    (void)listener.watch(now);
    const Dialler::State state = dialler.state();
    if (state != Dialler::State::Connecting) return state;
    items.clear();
    items.push_back({zap.handle(), 0, ZMQ_POLLIN, 0});
    listener.add_poll_items(items);
    dialler.add_poll_items(items, false);
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(until - now);
    (void)zmq_poll(items.data(), static_cast<int>(items.size()), left.count());
  }
  return Dialler::State::Connecting;
}

}  // namespace

Status prove_strangers_refused(zmq::context_t& context, MeshListener& listener, Zap& zap,
                               const std::string& listen_key) {
  for (const std::string& endpoint : listener.endpoints()) {
    auto dialler = Dialler::connect(context, {.address = reachable(endpoint),
                                              .name = "mesh-self-test",
                                              .own_key = make_curve_key(),
                                              .listen_key = listen_key});
    if (!dialler) return tl::unexpected(dialler.error());
    const Dialler::State state = ask(listener, zap, **dialler);
    if (state == Dialler::State::Refused) continue;
    if (state == Dialler::State::Up) {
      return fail(Errc::Refused, fmt::format("mesh: self-test: {} let a stranger's key in; not "
                                             "started (please report this)",
                                             endpoint));
    }
    return fail(Errc::Io, fmt::format("mesh: self-test: {} did not refuse a stranger's key: {} "
                                      "(can this machine reach that address?)",
                                      endpoint, (*dialler)->why()));
  }
  return {};
}

}  // namespace marram
