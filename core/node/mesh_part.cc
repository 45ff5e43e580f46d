#include "core/node/mesh_part.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <random>
#include <type_traits>
#include <utility>

#include "core/base/ids.h"
#include "core/node/republisher.h"
#include "core/wire/address.h"

namespace marram {

namespace {

constexpr int kRoundsARun = 16;
// No clock that is right says less.
constexpr WallTime kClockLeast{std::chrono::sys_days(std::chrono::year(2024) / 1 / 1)};
constexpr Duration kClockBackMost = std::chrono::minutes(1);

// Where others can dial: not at an address that means "every interface".
std::vector<std::string> dialable(const std::vector<std::string>& endpoints) {
  std::vector<std::string> out;
  for (const std::string& endpoint : endpoints) {
    const auto address = wire::parse_address("mesh", endpoint);
    if (!address || (!address->is_ipc() && (address->host == "0.0.0.0" || address->host == "::" ||
                                            address->host == "*"))) {
      continue;
    }
    if (out.size() < wire::kAddressesMax) out.push_back(endpoint);
  }
  return out;
}

Status check_peers(const std::vector<std::string>& addresses) {
  for (const std::string& address : addresses) {
    if (auto parsed = wire::parse_address("mesh: peers", address); !parsed) {
      return tl::unexpected(parsed.error());
    }
  }
  return {};
}

Status check_advertised(const std::vector<std::string>& addresses) {
  if (addresses.size() > wire::kAddressesMax) {
    return fail(Errc::Config, fmt::format("mesh: advertise has {} addresses: at most {} are told",
                                          addresses.size(), wire::kAddressesMax));
  }
  for (const std::string& address : addresses) {
    if (auto parsed = wire::parse_address("mesh: advertise", address); !parsed) {
      return fail(Errc::Config, parsed.error().message);
    }
  }
  return {};
}

}  // namespace

Result<std::unique_ptr<MeshPart>> MeshPart::open(Options options, Store& store, Broker& broker,
                                                 Post post) {
  std::unique_ptr<MeshPart> part(new MeshPart(std::move(options), store, broker, std::move(post)));
  if (auto status = part->start(); !status) return tl::unexpected(status.error());
  return part;
}

MeshPart::MeshPart(Options options, Store& store, Broker& broker, Post post)
    : options_(std::move(options)),
      store_(store),
      broker_(broker),
      post_(std::move(post)),
      log_(options_.log == nullptr ? Log::none() : *options_.log),
      link_log_(log_),
      republisher_(std::make_unique<Republisher>(store, post_, log_)) {}

MeshPart::~MeshPart() = default;

Status MeshPart::start() {
  if (auto status = check_advertised(options_.mesh.advertise); !status) return status;
  if (auto status = check_peers(options_.mesh.peers); !status) return status;
  if (auto status = check_beacon(options_.mesh); !status) return status;
  auto trust = TrustStore::open(options_.mesh.trust, options_.mesh.trust_dir, log_);
  if (!trust) return tl::unexpected(trust.error());
  trust_ = std::move(*trust);
  trusted_ = trust_->keys();
  auto transport = MeshTransport::open({.listen = options_.mesh.listen,
                                        .key = options_.key,
                                        .insecure = options_.mesh.insecure,
                                        .limits = options_.limits,
                                        .trust = trust_.get(),
                                        .log = options_.log},
                                       *this);
  if (!transport) return tl::unexpected(transport.error());
  transport_ = std::move(*transport);
  if (auto status = open_beacon(); !status) return status;
  mesh_ = std::make_unique<mesh::Mesh>(mesh_options(), store_.logs(), store_.mesh_records(), now());
  broker_.set_interests(*this);
  broker_.flush();  // before the first session: what others hold for this node is wanted still
  return {};
}

Status MeshPart::open_beacon() {
  if (!options_.mesh.beacon) return {};
  auto beacon = BeaconSocket::open({.group = options_.mesh.beacon_group,
                                    .interfaces = options_.mesh.beacon_interfaces,
                                    .endpoints = transport_->endpoints(),
                                    .key = options_.key.public_key,
                                    .trust = trust_.get(),
                                    .log = options_.log});
  if (!beacon) return tl::unexpected(beacon.error());
  beacon_ = std::move(*beacon);
  return {};
}

mesh::MeshOptions MeshPart::mesh_options() const {
  const WallTime wall = options_.clock->wall();
  return {.node_id = store_.node_id(),
          .name = options_.name,
          .key = options_.key.public_key,
          .instance = random_hex(16),
          .seeds = options_.mesh.peers,
          .addresses = dialable(options_.mesh.advertise.empty() ? transport_->endpoints()
                                                                : options_.mesh.advertise),
          .carry = options_.mesh.carry,
          .streams = options_.streams,
          .limits = options_.limits,
          .random_seed = std::random_device{}(),
          .clock_suspect = wall < kClockLeast || wall + kClockBackMost < store_.last_recorded(),
          .beacon = beacon_ != nullptr};
}

// --- from the loop ---

void MeshPart::add_poll_items(std::vector<zmq::pollitem_t>& items) {
  transport_->add_poll_items(items);
  if (beacon_) beacon_->add_poll_items(items);
  for (const int fd : trust_->fds()) items.push_back({nullptr, fd, ZMQ_POLLIN, 0});
}

bool MeshPart::run(TimePoint at) {
  look_at_trust();
  link_log_.run(at);
  bool busy = transport_->run(at);
  hear_beacons(at);
  tell_heads();
  for (int round = 0; round < kRoundsARun; ++round) {
    const auto wake = mesh_->wake_at();
    if (!news_ && (!wake || *wake > at)) return busy;
    if (at >= sample_at_) sample(mesh_->status(), at);
    news_ = false;
    mesh_->on_tick(now(), actions_);
    carry_out();
    broker_.flush();
    at = options_.clock->now();
  }
  return true;
}

std::optional<TimePoint> MeshPart::wake_at() const {
  auto wake = transport_->wake_at();
  const auto beacon = beacon_ ? beacon_->wake_at() : std::nullopt;
  for (const auto at : {mesh_->wake_at(), link_log_.wake_at(), beacon}) {
    if (at) wake = std::min(wake.value_or(*at), *at);
  }
  return wake;
}

void MeshPart::stop() {
  mesh_->stop(now(), actions_);
  carry_out();
  transport_->stop();
  beacon_.reset();
}

void MeshPart::hear_beacons(TimePoint at) {
  if (!beacon_) return;
  for (const BeaconSocket::Heard& heard : beacon_->run(at)) {
    mesh_->on_beacon(heard.peer, heard.asks, now(), news());
  }
}

void MeshPart::look_at_trust() {
  if (trust_->changed()) apply_trust();
}

Status MeshPart::set_trusted_keys(std::vector<std::string> keys) {
  if (auto status = trust_->set_keys(std::move(keys)); !status) return status;
  apply_trust();
  return {};
}

void MeshPart::apply_trust() {
  transport_->trust_changed();
  if (beacon_) beacon_->trust_changed();
  for (const std::string& key : std::exchange(trusted_, trust_->keys())) {
    if (trust_->admits(key)) continue;
    log_.info("mesh", "a key is not trusted any more", {{"peer", node_id_of_key(key)}});
    mesh_->revoke(node_id_of_key(key), now(), news());
  }
}

mesh::Actions& MeshPart::news() {
  news_ = true;
  return actions_;
}

// --- from the store ---

// Heads of a round are told together, before whatever else the store says.
void MeshPart::on_committed(const EventBatch& batch) {
  ranges_of(batch, ranges_);
  for (const LogRange& range : ranges_) {
    const KnownLog* const known = broker_.logs().find(range.log);
    if (known == nullptr || known->copy) continue;
    const auto last = std::find_if(
        batch.events().rbegin(), batch.events().rend(),
        [&](auto& event) { return event.position == Position(range.log, range.last); });
    const auto told = std::find_if(heads_.begin(), heads_.end(),
                                   [&](const mesh::Head& head) { return head.log == range.log; });
    mesh::Head& head = told == heads_.end() ? heads_.emplace_back() : *told;
    head = {range.log, range.last, last->id_text()};
  }
}

void MeshPart::on_dropped(std::span<const Position> heads) {
  tell_heads();
  for (const Position head : heads) {
    const KnownLog* const known = broker_.logs().find(head.log());
    if (known != nullptr && !known->copy) heads_.push_back({head.log(), head.seq(), {}});
  }
  tell_heads();
}

void MeshPart::tell_heads() {
  if (heads_.empty()) return;
  mesh_->on_committed(heads_, now(), news());
  heads_.clear();
}

void MeshPart::on_log_opened(const LogRecord& log) {
  tell_heads();
  mesh_->on_log_opened(log, now(), news());
}

void MeshPart::on_copied(const LogRecord& log) {
  tell_heads();
  mesh_->on_copied(log, now(), news());
}

void MeshPart::on_backfilled(const LogRecord& log, const std::optional<BackfillRecord>& backfill) {
  tell_heads();
  mesh_->on_backfilled(log, backfill, now(), news());
}

void MeshPart::on_trimmed(std::uint32_t log, std::uint64_t first) {
  tell_heads();
  mesh_->on_trimmed(log, first, now(), news());
}

void MeshPart::on_log_forgotten(std::uint32_t log) {
  tell_heads();
  mesh_->on_log_forgotten(log, now(), news());
}

// --- from the transport ---

void MeshPart::on_session_up(const mesh::SessionInfo& session) {
  mesh_->on_session_up(session, now(), news());
}

void MeshPart::on_frame(mesh::SessionId session, wire::LinkFrame frame) {
  mesh_->on_frame(session, std::move(frame), now(), news());
}

void MeshPart::on_session_down(mesh::SessionId session, const Error& why) {
  mesh_->on_session_down(session, why, now(), news());
}

void MeshPart::on_dial_failed(const std::string& address, bool refused, const Error& why) {
  // What only a beacon named is of no use to say: anybody can name it.
  if (!refused && mesh_->dials(address)) link_log_.write_unreached(why, now().steady);
  mesh_->on_dial_failed(address, refused, now(), news());
}

// --- from the broker ---

void MeshPart::put_interest(mesh::Interest interest) {
  mesh_->put_interest(std::move(interest), now(), news());
}

void MeshPart::drop_interest(std::uint64_t id) { mesh_->drop_interest(id, now(), news()); }

void MeshPart::move_cursor(std::uint64_t interest, std::uint32_t log, std::uint64_t upto) {
  mesh_->move_cursor(interest, log, upto, now(), news());
}

}  // namespace marram
