#include "core/mesh/beacons.h"

#include <algorithm>
#include <string_view>
#include <utility>

namespace marram::mesh {

namespace {

constexpr int kFirst = 3;  // beacons that come soon after the start
constexpr Duration kFirstEvery = std::chrono::seconds(1);
constexpr Duration kAnswerWithin = std::chrono::milliseconds(500);
constexpr Duration kAnswerEvery = std::chrono::seconds(1);
constexpr Duration kExpireEvery = std::chrono::seconds(5);
constexpr std::size_t kAddressesMax = 4;  // of one node, that were heard of
// Before a dial: as long as answers of others take to come, and longer where there are many.
constexpr Duration kWaitLeast = std::chrono::milliseconds(100);
constexpr Duration kWaitSpread = std::chrono::milliseconds(500);
constexpr Duration kWaitOfEach = std::chrono::milliseconds(20);
constexpr Duration kWaitMost = std::chrono::seconds(2);
constexpr Duration kLasted = std::chrono::minutes(1);  // then a refusal is the first one
// After a new link: until the map has told who can be reached over it.
constexpr Duration kHold = std::chrono::milliseconds(1500);

// "tcp://10.0.0.2:7400" without its port.
std::string_view host_of(std::string_view address) { return address.substr(0, address.rfind(':')); }

}  // namespace

// 0 to `most`.
Duration Beacons::random(Duration most) {
  const auto count = static_cast<std::uint64_t>(most.count());
  return Duration(static_cast<std::int64_t>(random_() % (count + 1)));
}

void Beacons::on_heard(const wire::PeerRecord& peer, bool asks, TimePoint now) {
  if (!options_.on || peer.node_id == options_.node_id || peer.addresses.empty()) return;
  if (asks) {
    const TimePoint soon = now + random(kAnswerWithin);
    send_at_ = std::min(send_at_, sent_at_ ? std::max(soon, *sent_at_ + kAnswerEvery) : soon);
  }
  if (!nodes_.contains(peer.node_id) && nodes_.size() >= options_.nodes_max) {
    nodes_.erase(std::min_element(nodes_.begin(), nodes_.end(), [](const auto& a, const auto& b) {
      return a.second.addresses.front().heard < b.second.addresses.front().heard;
    }));
  }
  if (nodes_.empty()) expire_at_ = now + kExpireEvery;
  Node& node = nodes_[peer.node_id];
  node.key = peer.key;
  const std::string& text = peer.addresses.front();
  // One of each host: all ports of a stranger have one address's turn.
  std::erase_if(node.addresses,
                [&](const Address& known) { return host_of(known.text) == host_of(text); });
  node.addresses.insert(node.addresses.begin(), {text, now});
  if (node.addresses.size() > kAddressesMax) node.addresses.pop_back();
  news_.insert(peer.node_id);
}

void Beacons::on_up(const std::string& node_id, TimePoint now) {
  if (now >= hold_until_) hold_until_ = now + kHold;
  if (dial_at_) dial_at_ = std::max(*dial_at_, hold_until_);
  const auto found = nodes_.find(node_id);
  if (found == nodes_.end()) return;
  found->second.found = false;
  found->second.until.reset();
  found->second.up_at = now;
}

void Beacons::on_down(const std::string& node_id, bool refused, TimePoint now) {
  const auto found = nodes_.find(node_id);
  if (found == nodes_.end()) return;
  Node& node = found->second;
  if (!refused || now - node.up_at >= kLasted) node.pause = {};
  node.next = now;
  if (refused) back_off(node, now);
  news_.insert(node_id);
}

void Beacons::on_failed(const std::string& address, TimePoint now) {
  for (auto& [id, node] : nodes_) {
    if (node.until && node.dialled == address) back_off(node, now);
  }
}

bool Beacons::dials(const std::string& address) const {
  return std::ranges::any_of(
      nodes_, [&](const auto& one) { return one.second.until && one.second.dialled == address; });
}

void Beacons::back_off(Node& node, TimePoint now) {
  node.until.reset();
  node.pause = std::clamp(node.pause * 2, options_.redial_min, options_.redial_max);
  node.next = now + node.pause - random(node.pause / 2);
  hurry(now);
}

std::size_t Beacons::dialling() const {
  return static_cast<std::size_t>(std::count_if(
      nodes_.begin(), nodes_.end(), [](const auto& one) { return one.second.until.has_value(); }));
}

void Beacons::on_tick(TimePoint now, const Others& others, Actions& out) {
  if (!options_.on) return;
  if (now >= send_at_) send(now, !others.linked, out);
  if (!nodes_.empty() && now >= expire_at_) expire(now);
  look(now, others, out);
  if (until_ && now >= *until_) give_up(now);
  if (dial_at_ && now >= *dial_at_) dial(now, others, out);
  if (!dial_at_) schedule(now);
}

// The dials that nobody answered for.
void Beacons::give_up(TimePoint now) {
  until_.reset();
  for (auto& [id, node] : nodes_) {
    if (node.until && now >= *node.until) back_off(node, now);
    if (node.until) until_ = std::min(until_.value_or(*node.until), *node.until);
  }
}

void Beacons::send(TimePoint now, bool asks, Actions& out) {
  out.push_back(SendBeacon{asks});
  sent_at_ = now;
  if (sent_ < kFirst) ++sent_;
  send_at_ = now + (sent_ < kFirst ? kFirstEvery : options_.every - random(options_.every / 4));
}

// One that is being dialled stays until that is over.
void Beacons::expire(TimePoint now) {
  expire_at_ = now + kExpireEvery;
  const auto old = [&](const Address& at) { return now - at.heard >= options_.heard_for; };
  for (auto& [id, node] : nodes_) {
    while (node.addresses.size() > 1 && old(node.addresses.back())) node.addresses.pop_back();
  }
  std::erase_if(nodes_, [&](const auto& one) {
    return !one.second.until && old(one.second.addresses.front());
  });
}

// What waits for a pause longer than a new one's moment is asked again.
void Beacons::hurry(TimePoint now) {
  if (dial_at_ && *dial_at_ > now + kWaitLeast + kWaitMost) dial_at_.reset();
}

void Beacons::look(TimePoint now, const Others& others, Actions& out) {
  for (const std::string& id : std::exchange(news_, {})) {
    const auto known = nodes_.find(id);
    if (known == nodes_.end()) continue;
    Node& node = known->second;
    const bool before = std::exchange(node.found, !others.reached(id));
    if (!node.found || before) continue;
    out.push_back(Report{Report::What::Found, id, node.addresses.front().text});
    hurry(now);
  }
}

// When the next one is dialled.
void Beacons::schedule(TimePoint now) {
  std::optional<TimePoint> first;
  int found = 0;
  for (const auto& [id, node] : nodes_) {
    if (!node.found || node.until) continue;
    ++found;
    first = std::min(first.value_or(node.next), node.next);
  }
  if (!first || dialling() >= options_.dials_max) return;
  const Duration spread = std::min(kWaitSpread + found * kWaitOfEach, kWaitMost);
  dial_at_ = std::max({now, *first, hold_until_}) + kWaitLeast + random(spread);
}

// A random one of those that are found and not reached meanwhile, of those that came to nothing the
// fewest times.
void Beacons::dial(TimePoint now, const Others& others, Actions& out) {
  dial_at_.reset();
  std::vector<Nodes::iterator> ready;
  for (auto at = nodes_.begin(); at != nodes_.end(); ++at) {
    if (at->second.found && !at->second.until && at->second.next <= now) ready.push_back(at);
  }
  std::shuffle(ready.begin(), ready.end(), random_);
  std::ranges::sort(ready, {}, [](const auto& one) { return one->second.pause; });
  for (const auto& one : ready) {
    auto& [id, node] = *one;
    const std::string& address = node.addresses[random_() % node.addresses.size()].text;
    if (others.reached(id)) {
      node.found = false;
    } else if (others.dialled(address)) {
      node.next = now + options_.redial_min;
    } else {
      node.until = now + options_.dial_max;
      until_ = std::min(until_.value_or(*node.until), *node.until);
      node.dialled = address;
      out.push_back(Dial{address, node.key});
      return;
    }
  }
}

std::optional<TimePoint> Beacons::wake_at() const {
  if (!options_.on) return {};
  TimePoint at = send_at_;
  if (dial_at_) at = std::min(at, *dial_at_);
  if (!nodes_.empty()) at = std::min(at, expire_at_);
  if (until_) at = std::min(at, *until_);
  return at;
}

void Beacons::add_status(std::vector<HeardStatus>& out) const {
  for (const auto& [id, node] : nodes_) {
    out.push_back({id, node.addresses.front().text, !node.found});
  }
}

}  // namespace marram::mesh
