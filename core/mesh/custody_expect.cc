// What is held of streams of which a peer has not heard yet.
#include <algorithm>

#include "core/mesh/custody.h"

namespace marram::mesh {

namespace {

bool expects(const wire::Expect& what, const std::string& stream,
             const std::vector<std::string>& topics) {
  const auto carried = [&](const std::string& name) { return name == "*" || name == stream; };
  const auto matches = [&](const std::string& filter) { return concerns(filter, topics); };
  return std::any_of(what.streams.begin(), what.streams.end(), carried) ||
         std::any_of(what.filters.begin(), what.filters.end(), matches);
}

}  // namespace

std::size_t Custody::streams_held(const std::string& peer) const {
  std::size_t count = 0;
  for (auto i = holds_.lower_bound({peer, {}}); i != holds_.end() && i->first.first == peer; ++i) {
    ++count;
  }
  return count;
}

bool Custody::is_full(const std::string& peer) const {
  return holds_.size() >= options_.holds_max || streams_held(peer) >= options_.holds_per_peer_max;
}

// Of logs to come: what there is the peer asks for.
void Custody::begin(const std::string& peer, const std::string& stream, TimePoint now) {
  if (holds_.contains({peer, stream}) || is_full(peer)) return;
  Hold& hold = holds_[{peer, stream}];
  hold.away = now;
  hold.changed = true;
  let_others_go(stream, hold);
}

void Custody::end_unexpected(const std::string& peer, const std::string& stream) {
  const auto hold = holds_.find({peer, stream});
  if (hold != holds_.end() && is_released(hold->second)) let_go(hold);
}

void Custody::on_expect(const std::string& peer, wire::Expect what, const StreamTable& own,
                        TimePoint now) {
  Expected& known = expected_[peer];
  for (const StreamOptions& stream : own.streams()) {
    if (expects(what, stream.name, stream.topics)) {
      begin(peer, stream.name, now);
    } else if (expects(known.what, stream.name, stream.topics)) {
      end_unexpected(peer, stream.name);
    }
  }
  known.what = std::move(what);
}

void Custody::hold_expected(const Log& log, TimePoint now) {
  for (const auto& [peer, known] : expected_) {
    if (peer != log.id.origin && expects(known.what, log.id.stream, log.topics)) {
      begin(peer, log.id.stream, away(peer) ? known.away : now);
    }
  }
}

}  // namespace marram::mesh
