#include "core/mesh/membership.h"

#include <algorithm>
#include <tuple>

#include "core/wire/address.h"

namespace marram::mesh {

namespace {

constexpr Duration kSeedsFirst = std::chrono::seconds(5);
constexpr Duration kForgetEvery = std::chrono::minutes(1);
constexpr Duration kAskMin = std::chrono::seconds(2);
constexpr Duration kAskMax = std::chrono::minutes(10);
constexpr Duration kLasted = std::chrono::minutes(1);  // then a refusal is the first one

bool has(const std::vector<std::string>& addresses, const std::string& address) {
  return std::find(addresses.begin(), addresses.end(), address) != addresses.end();
}

bool of_use_elsewhere(const std::string& address) {
  const auto parsed = wire::parse_address("mesh", address);
  return parsed && !parsed->is_ipc() && !parsed->is_loopback();
}

}  // namespace

Membership::Membership(Options options)
    : options_(std::move(options)), random_(options_.random_seed) {
  for (const std::string& seed : options_.seeds) add_seed(seed);
}

void Membership::add_seed(const std::string& address) {
  wake_at_.reset();
  Address& known = addresses_[address];
  known.seed = true;
  if (!known.dialling) known.next = {};
}

void Membership::learn(const wire::PeerRecord& peer, TimePoint now) {
  if (peer.node_id == options_.node_id || peer.addresses.empty()) return;
  if (peer.age >= options_.expire || peer.age < Duration(0)) return;
  const auto found = peers_.find(peer.node_id);
  if (found == peers_.end() && peers_.size() >= options_.peers_max) return;
  Peer& known = found == peers_.end() ? peers_[peer.node_id] : found->second;
  if (known.linked || (found != peers_.end() && known.seen >= now - peer.age)) return;
  wake_at_.reset();
  known.seen = now - peer.age;
  // Others may have told of another way to it; what is no news is not passed on.
  const std::vector<std::string> before = std::exchange(known.record, peer).addresses;
  std::vector<std::string>& addresses = known.record.addresses;
  if (addresses.size() > wire::kAddressesMax) addresses.resize(wire::kAddressesMax);
  known.named = addresses.size();
  for (const std::string& address : before) {
    if (!has(addresses, address) && addresses.size() < wire::kAddressesMax) {
      addresses.push_back(address);
    }
  }
  if (addresses.size() > before.size()) news_.insert(peer.node_id);
  const std::size_t most = options_.peers_max * wire::kAddressesMax;
  for (const std::string& address : addresses) {
    const auto place = addresses_.find(address);
    if (place == addresses_.end() ? addresses_.size() < most
                                  : !peers_.contains(place->second.node_id)) {
      claim(address, peer.node_id);
    }
  }
  for (const std::string& address : before) {
    const auto place = addresses_.find(address);
    if (place != addresses_.end() && !keeps(address, place->second, now)) addresses_.erase(place);
  }
}

// Whose node has a link, and whose is this node itself, stays so.
void Membership::claim(const std::string& address, const std::string& node_id) {
  Address& place = addresses_[address];
  if (place.node_id == node_id || place.node_id == options_.node_id) return;
  if (!is_linked(place.node_id)) place.node_id = node_id;
}

bool Membership::keeps(const std::string& text, const Address& address, TimePoint now) const {
  if (address.seed || address.dialling || address.stuck) return true;
  if (address.node_id == options_.node_id) return true;
  const bool late = address.answered && now - *address.answered < options_.expire;
  if (late || (address.answered && is_linked(address.node_id))) return true;
  const auto owner = peers_.find(address.node_id);
  return owner != peers_.end() && has(owner->second.record.addresses, text);
}

void Membership::on_connected(const std::string& address) {
  wake_at_.reset();
  const auto found = addresses_.find(address);
  if (found != addresses_.end()) found->second.dialling = true;
}

void Membership::on_up(const std::string& node_id, const std::string& address,
                       const wire::PeerRecord& peer, TimePoint now) {
  wake_at_.reset();
  if (!peers_.contains(node_id)) make_room();
  Peer& known = peers_[node_id];
  if (!known.linked) ++links_;
  known.linked = true;
  known.seen = known.up_at = now;
  const std::vector<std::string> before = std::exchange(known.record, peer).addresses;
  std::vector<std::string>& addresses = known.record.addresses;
  if (addresses.size() > wire::kAddressesMax) addresses.resize(wire::kAddressesMax);
  for (const std::string& own : addresses) claim(own, node_id);
  // It does not know where it can be dialled; here one way is known.
  if (addresses.empty() && of_use_elsewhere(address)) addresses = {address};
  known.named = addresses.size();
  if (!addresses.empty() && addresses != before) news_.insert(node_id);
  if (!addresses.empty()) {
    std::erase_if(addresses_, [&](const auto& item) {
      return item.second.node_id == node_id && item.first != address &&
             !keeps(item.first, item.second, now);
    });
  }
  if (!address.empty()) note_answered(addresses_[address], node_id, now);
  const bool seeded = std::any_of(addresses_.begin(), addresses_.end(), [&](const auto& item) {
    return item.second.seed && item.second.node_id == node_id;
  });
  if (seeded || links_ >= options_.links_lonely) lonely_ = false;
}

void Membership::note_answered(Address& place, const std::string& node_id, TimePoint now) {
  place.node_id = node_id;
  place.dialling = place.stuck = place.keyless = false;
  if (!place.refused) place.pause = {};
  place.next = now;
  place.answered = now;
}

// For a peer that is here: whoever was seen the longest time ago is let go.
void Membership::make_room() {
  if (peers_.size() < options_.peers_max) return;
  const auto oldest =
      std::min_element(peers_.begin(), peers_.end(), [](const auto& a, const auto& b) {
        return std::tie(a.second.linked, a.second.seen) < std::tie(b.second.linked, b.second.seen);
      });
  if (!oldest->second.linked) forget(std::string(oldest->first));
}

void Membership::on_down(const std::string& node_id, bool refused, TimePoint now) {
  const auto found = peers_.find(node_id);
  if (found == peers_.end() || !found->second.linked) return;
  wake_at_.reset();
  found->second.linked = false;
  found->second.seen = now;
  const bool lasted = now - found->second.up_at >= kLasted;
  --links_;
  const bool seeded = std::any_of(addresses_.begin(), addresses_.end(),
                                  [](const auto& item) { return item.second.seed; });
  if (seeded) lonely_at_ = now + kSeedsFirst;
  for (auto& [text, address] : addresses_) {
    if (address.node_id != node_id) continue;
    address.stuck = false;
    address.refused = refused;
    address.late = refused ? std::optional<TimePoint>() : now;
    if (refused && lasted) address.pause = {};
    if (address.answered) address.answered = now;
    if (!address.dialling) back_off(address, now);
  }
}

void Membership::on_failed(const std::string& address, bool refused, TimePoint now) {
  wake_at_.reset();
  const auto found = addresses_.find(address);
  if (found == addresses_.end()) return;
  Address& place = found->second;
  place.dialling = false;
  place.keyless = !place.keyless;
  if (refused) place.late.reset();
  back_off(place, now);
  // Nobody answers where only an older word had it.
  const auto owner = peers_.find(place.node_id);
  if (owner != peers_.end() && !place.seed) {
    std::vector<std::string>& known = owner->second.record.addresses;
    const auto older = known.begin() + static_cast<std::ptrdiff_t>(owner->second.named);
    known.erase(std::remove(older, known.end(), address), known.end());
  }
  if (!keeps(address, place, now)) addresses_.erase(found);
}

void Membership::set_stuck(const std::string& address, bool stuck, TimePoint now) {
  const auto found = addresses_.find(address);
  if (found == addresses_.end()) return;
  Address& place = found->second;
  if (stuck && !place.stuck && !place.dialling) place.next = now;
  if (stuck != place.stuck) wake_at_.reset();
  place.stuck = stuck;
  if (stuck) place.late = now;
}

void Membership::set_owed(std::set<std::string> owed, std::set<std::string> lost) {
  if (owed == owed_ && lost == lost_) return;
  owed_ = std::move(owed);
  lost_ = std::move(lost);
  wake_at_.reset();
}

std::vector<wire::PeerRecord> Membership::take_asks(TimePoint now) {
  std::erase_if(asks_, [&](const auto& item) { return !owed_.contains(item.first); });
  std::vector<wire::PeerRecord> asks;
  for (const std::string& node_id : owed_) {
    if (record(node_id, now) || asks.size() == wire::kPeersPerFrameMax) continue;
    Ask& ask = asks_[node_id];
    if (now < ask.next) continue;
    ask.pause = std::clamp(ask.pause * 2, kAskMin, kAskMax);
    ask.next = now + ask.pause;
    asks.push_back({node_id, {}, {}, {}});
  }
  return asks;
}

std::optional<wire::PeerRecord> Membership::record(const std::string& node_id,
                                                   TimePoint now) const {
  const auto found = peers_.find(node_id);
  if (found == peers_.end() || found->second.record.addresses.empty()) return {};
  wire::PeerRecord record = found->second.record;
  record.age = found->second.linked ? Duration(0) : now - found->second.seen;
  return record;
}

void Membership::on_self(const std::string& address) {
  wake_at_.reset();
  const auto found = addresses_.find(address);
  if (found != addresses_.end()) found->second.node_id = options_.node_id;
}

void Membership::on_double(const std::string& address, const std::string& node_id) {
  wake_at_.reset();
  const auto found = addresses_.find(address);
  if (found == addresses_.end()) return;
  found->second.node_id = node_id;
  found->second.dialling = found->second.keyless = false;
}

void Membership::forget(const std::string& node_id) {
  wake_at_.reset();
  drop(node_id);
  adopt();
}

void Membership::drop(const std::string& node_id) {
  if (is_linked(node_id)) --links_;
  peers_.erase(node_id);
  news_.erase(node_id);
  for (auto i = addresses_.begin(); i != addresses_.end();) {
    if (i->second.node_id != node_id) {
      ++i;
    } else if (i->second.seed) {
      (i++)->second.node_id.clear();
    } else {
      i = addresses_.erase(i);
    }
  }
}

// What somebody who was let go had, others may have too.
void Membership::adopt() {
  for (const auto& [id, peer] : peers_) {
    for (const std::string& address : peer.record.addresses) {
      Address& place = addresses_[address];
      if (place.node_id.empty()) place.node_id = id;
    }
  }
}

void Membership::back_off(Address& address, TimePoint now) {
  const bool late = address.late && now - *address.late <= options_.late_for && !is_lost(address);
  const Duration most =
      late ? std::min(options_.redial_late, options_.redial_max) : options_.redial_max;
  address.pause = std::clamp(address.pause * 2, std::min(options_.redial_min, most), most);
  // Half of it to all of it, so that those who were cut together do not come together.
  const auto half = address.pause.count() / 2;
  address.next = now + Duration(half + static_cast<std::int64_t>(random_() % (half + 1)));
}

bool Membership::is_linked(const std::string& node_id) const {
  const auto found = peers_.find(node_id);
  return found != peers_.end() && found->second.linked;
}

bool Membership::wanted(const Address& address) const {
  if (address.stuck) return true;
  if (!address.node_id.empty() && is_linked(address.node_id)) return false;
  if (address.node_id == options_.node_id) return false;
  return !is_any(address) || links_ == 0 || (lonely_ && links_ < options_.links_lonely);
}

// As good as any other.
bool Membership::is_any(const Address& address) const {
  return !address.seed && !address.stuck && !owed_.contains(address.node_id) && !is_lost(address);
}

bool Membership::is_lost(const Address& address) const {
  return !address.seed && lost_.contains(address.node_id);
}

void Membership::on_tick(TimePoint now, Actions& out) {
  if (now >= expire_at_) expire(now);
  // Nearly always there is nothing to do, and there may be many addresses.
  const std::optional<TimePoint> due = wake_at();
  if (!due || now < *due) return;
  wake_at_.reset();
  auto lost = std::count_if(addresses_.begin(), addresses_.end(), [&](const auto& item) {
    return item.second.dialling && is_lost(item.second);
  });
  std::vector<std::pair<const std::string, Address>*> any;
  for (auto& one : addresses_) {
    auto& [text, address] = one;
    if (address.dialling && now >= address.next) {  // the transport has forgotten it
      address.dialling = false;
      address.keyless = !address.keyless;
      back_off(address, now);
    }
    if (address.dialling || now < address.next || !wanted(address)) continue;
    if (!address.seed && now < lonely_at_) continue;
    if (is_lost(address) && ++lost > options_.lost_dials_max) {
      back_off(address, now);
    } else if (is_any(address)) {
      any.push_back(&one);
    } else {
      dial(text, address, now, out);
    }
  }
  if (any.empty() || now < any_at_) return;
  any_at_ = now + options_.lonely_pause;
  lonely_ = true;
  auto& [text, address] = *any[random_() % any.size()];
  dial(text, address, now, out);
}

void Membership::dial(const std::string& text, Address& address, TimePoint now, Actions& out) {
  address.dialling = true;
  address.next = now + options_.dial_max;
  out.push_back(Dial{text, key_of(address)});
}

std::string Membership::key_of(const Address& address) const {
  const auto found = peers_.find(address.node_id);
  // Another node may be there by now.
  if (found == peers_.end() || address.keyless) return {};
  return found->second.record.key;
}

std::optional<TimePoint> Membership::wake_at() const {
  if (wake_at_) return *wake_at_;
  std::optional<TimePoint> at;
  for (const auto& [text, address] : addresses_) {
    if (!address.dialling && !wanted(address)) continue;
    TimePoint next = address.seed ? address.next : std::max(address.next, lonely_at_);
    if (!address.dialling && is_any(address)) next = std::max(next, any_at_);
    if (!at || next < *at) at = next;
  }
  wake_at_ = at;
  return at;
}

void Membership::expire(TimePoint now) {
  wake_at_.reset();
  expire_at_ = now + kForgetEvery;
  std::vector<std::string> gone;
  for (const auto& [id, peer] : peers_) {
    if (!peer.linked && now - peer.seen >= options_.expire) gone.push_back(id);
  }
  for (const std::string& id : gone) drop(id);
  std::erase_if(addresses_, [&](const auto& item) { return !keeps(item.first, item.second, now); });
  adopt();
}

void Membership::on_alive(const std::string& node_id, TimePoint now) {
  const auto found = peers_.find(node_id);
  if (found != peers_.end()) found->second.seen = now;
}

std::vector<wire::PeerRecord> Membership::take_news(TimePoint now) {
  std::vector<wire::PeerRecord> records;
  for (const std::string& id : std::exchange(news_, {})) {
    if (auto known = record(id, now)) records.push_back(std::move(*known));
  }
  return records;
}

std::vector<wire::PeerRecord> Membership::records(TimePoint now, std::size_t most) const {
  std::vector<wire::PeerRecord> records;
  for (const auto& [id, peer] : peers_) {
    if (auto known = record(id, now)) records.push_back(std::move(*known));
  }
  std::sort(records.begin(), records.end(),
            [](const auto& a, const auto& b) { return a.age < b.age; });
  if (records.size() > most) records.resize(most);
  return records;
}

}  // namespace marram::mesh
