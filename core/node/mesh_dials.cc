#include "core/node/mesh_dials.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "core/base/quantity.h"
#include "core/node/mesh_socket.h"
#include "core/wire/address.h"

namespace marram {

namespace {

constexpr Duration kLookAgain = std::chrono::milliseconds(10);  // whether a name is known
constexpr Duration kSecondEvery = std::chrono::milliseconds(500);
constexpr std::size_t kMemoriesMax = 1024;

bool is_numeric(const std::string& host) {
  return host.find(':') != std::string::npos ||
         host.find_first_not_of("0123456789.") == std::string::npos;
}

}  // namespace

void MeshDials::dial(mesh::Dial dial) {
  attempts_.push_back({.dial = std::move(dial)});
  if (attempts_.size() > options_.dials_max) {
    finish(attempts_.back(), "too_many",
           {Errc::Overloaded,
            fmt::format("mesh: {} dials are under way already", options_.dials_max)});
    attempts_.pop_back();
  } else if (!begin(attempts_.back())) {
    attempts_.pop_back();
  }
}

// False: it has ended at once.
bool MeshDials::begin(Attempt& attempt) {
  const std::string& text = attempt.dial.address;
  const auto address = wire::parse_address("mesh", text);
  if (!address) {
    finish(attempt, "address", address.error());
    return false;
  }
  const bool stays = address->is_ipc() || address->is_loopback();
  if (options_.key.public_key.empty() && !stays && !options_.plain_anywhere) {
    finish(attempt, "plain",
           {Errc::Refused, fmt::format("mesh: {} is beyond loopback, where a link needs keys "
                                       "(set mesh.key_file and mesh.trust, or mesh.insecure)",
                                       text)});
    return false;
  }
  attempt.keys = keys_for(attempt.dial);
  if (attempt.keys.empty()) {
    finish(
        attempt, "untrusted",
        {Errc::Refused, fmt::format("mesh: the key of {} is not trusted (marram peer trust '{}')",
                                    text, attempt.dial.key.empty() ? "KEY" : attempt.dial.key)});
    return false;
  }
  if (address->is_ipc() || is_numeric(address->host)) {
    attempt.addresses = {text};
  } else {
    attempt.lookup = std::make_unique<NameLookup>(address->host, address->port);
  }
  return true;
}

// One's own key at last: who dials itself learns so, and does it no more.
std::vector<std::string> MeshDials::keys_for(const mesh::Dial& dial) {
  if (options_.key.public_key.empty()) return {""};
  if (!dial.key.empty()) {
    return admits(dial.key) ? std::vector<std::string>{dial.key} : std::vector<std::string>();
  }
  std::vector<std::string> keys = trust_ == nullptr ? std::vector<std::string>() : trust_->keys();
  std::erase(keys, options_.key.public_key);
  keys.push_back(options_.key.public_key);
  const Memory& known = memory(dial.address);
  std::ranges::rotate(keys, keys.begin() + static_cast<std::ptrdiff_t>(known.tried % keys.size()));
  const auto fitted = std::ranges::find(keys, known.fitted);
  if (fitted != keys.end()) std::rotate(keys.begin(), fitted, fitted + 1);
  return keys;
}

bool MeshDials::admits(const std::string& key) const {
  return key == options_.key.public_key || (trust_ != nullptr && trust_->admits(key));
}

MeshDials::Memory& MeshDials::memory(const std::string& address) {
  if (memories_.size() >= kMemoriesMax && !memories_.contains(address)) memories_.clear();
  return memories_[address];
}

std::vector<MeshDials::Done> MeshDials::run(TimePoint now) {
  now_ = now;
  for (auto at = attempts_.begin(); at != attempts_.end();) {
    at = step(*at, now) ? std::next(at) : attempts_.erase(at);
  }
  return std::exchange(done_, {});
}

// False: it has ended.
bool MeshDials::step(Attempt& attempt, TimePoint now) {
  if (!attempt.until) attempt.until = now + options_.within;
  if (now >= *attempt.until) {
    const std::string why =
        attempt.last.empty() ? "nobody answers" : fmt::format("at last: {}", attempt.last);
    finish(attempt, "",
           {Errc::TimedOut, fmt::format("mesh: no link to {} within {} ({})", attempt.dial.address,
                                        duration_text(options_.within), why)});
    return false;
  }
  if (attempt.lookup) return look_up(attempt);
  if (!attempt.dialler) return try_next(attempt);
  const Dialler::State state = attempt.dialler->state();
  if (state == Dialler::State::Connecting) {
    try_beside(attempt);
    return true;
  }
  if (state == Dialler::State::Up) {
    succeed(attempt);
    return false;
  }
  attempt.last = attempt.dialler->why();
  attempt.dialler.reset();
  attempt.second.reset();
  if (state == Dialler::State::Refused) {
    finish(attempt, "refused_there",
           {Errc::Refused,
            fmt::format("mesh: {} does not trust this node's key (there: marram peer trust '{}')",
                        attempt.dial.address, options_.key.public_key)});
    return false;
  }
  if (state == Dialler::State::Gone) {
    ++attempt.address;
  } else {
    ++attempt.key;
    if (attempt.dial.key.empty()) ++memory(attempt.dial.address).tried;
  }
  return try_next(attempt);
}

void MeshDials::try_beside(Attempt& attempt) {
  if (attempt.dialler->reached()) {
    attempt.second.reset();
    return;
  }
  if (attempt.second && attempt.second->state() != Dialler::State::Gone &&
      attempt.second->reached()) {
    attempt.dialler = std::move(attempt.second);
    return;
  }
  if (now_ < attempt.second_at) return;
  attempt.second_at = now_ + kSecondEvery;
  auto second = connect(attempt);
  if (second) attempt.second = std::move(*second);
}

bool MeshDials::look_up(Attempt& attempt) {
  auto found = attempt.lookup->result();
  if (!found) return true;
  attempt.lookup.reset();
  if (!*found) {
    finish(attempt, "", found->error());
    return false;
  }
  attempt.addresses = std::move(**found);
  return try_next(attempt);
}

bool MeshDials::try_next(Attempt& attempt) {
  if (attempt.address >= attempt.addresses.size()) {
    finish(attempt, "",
           {Errc::Unreachable,
            fmt::format("mesh: cannot reach {}: {}", attempt.dial.address, attempt.last)});
    return false;
  }
  if (attempt.key >= attempt.keys.size()) {
    const bool secure = !options_.key.public_key.empty();
    const bool only_own = secure && attempt.dial.key.empty() && attempt.keys.size() == 1;
    finish(attempt, "unproved",
           {Errc::Refused,
            fmt::format("mesh: nobody with a trusted key answers at {}: {} ({})",
                        attempt.dial.address, attempt.last,
                        only_own ? "this node trusts no key at all: marram peer trust KEY"
                                 : "is the key of that node in mesh.trust or mesh.trust_dir?")});
    return false;
  }
  auto dialler = connect(attempt);
  if (!dialler) {
    finish(attempt, "", dialler.error());
    return false;
  }
  attempt.dialler = std::move(*dialler);
  attempt.second_at = now_ + kSecondEvery;
  return true;
}

Result<std::unique_ptr<Dialler>> MeshDials::connect(const Attempt& attempt) {
  return Dialler::connect(context_, {.address = attempt.addresses[attempt.address],
                                     .name = fmt::format("mesh-dial-{}", ++serial_),
                                     .own_key = options_.key,
                                     .listen_key = attempt.keys[attempt.key]});
}

void MeshDials::succeed(Attempt& attempt) {
  const std::string& key = attempt.keys[attempt.key];
  if (!options_.key.public_key.empty() && !admits(key)) {
    finish(attempt, "untrusted",
           {Errc::Refused,
            fmt::format("mesh: the key of {} is trusted no longer", attempt.dial.address)});
    return;
  }
  if (attempt.dial.key.empty()) memory(attempt.dial.address).fitted = key;
  done_.push_back({std::move(attempt.dial), key, std::move(attempt.dialler), "", {}});
}

void MeshDials::finish(Attempt& attempt, std::string reason, Error why) {
  done_.push_back({std::move(attempt.dial), "", nullptr, std::move(reason), std::move(why)});
}

std::optional<TimePoint> MeshDials::wake_at() const {
  if (!done_.empty()) return now_;
  std::optional<TimePoint> at;
  for (const Attempt& attempt : attempts_) {
    // Its sockets wake the loop; a look-up does not.
    TimePoint wanted = now_;
    if (attempt.lookup) wanted += kLookAgain;
    if (attempt.dialler && attempt.until) {
      wanted = *attempt.until;
      if (!attempt.dialler->reached()) wanted = std::min(wanted, attempt.second_at);
    }
    at = at ? std::min(*at, wanted) : wanted;
  }
  return at;
}

void MeshDials::add_poll_items(std::vector<zmq::pollitem_t>& items) {
  for (Attempt& attempt : attempts_) {
    if (attempt.dialler) attempt.dialler->add_poll_items(items, false);
    if (attempt.second) attempt.second->add_poll_items(items, false);
  }
}

}  // namespace marram
