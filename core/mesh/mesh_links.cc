#include <fmt/format.h>

#include <algorithm>

#include "core/mesh/mesh_body.h"

namespace marram::mesh {

namespace {

constexpr Duration kProbeFor = std::chrono::seconds(2);

}  // namespace

void Mesh::Body::session_up(const SessionInfo& session, Now now, Actions& out) {
  if (session.dialled && !beacons.dials(session.address)) {
    membership.on_connected(session.address);
  }
  if (const Link* const old = session.dialled ? dialled(session.address) : nullptr) {
    // It was dialled because the link was stuck, which is no longer so.
    if (!old->stuck()) {
      membership.on_double(session.address, old->peer().node_id);
      out.push_back(HangUp{session.id, {Errc::Closed, "mesh: there is a link"}, false});
      return;
    }
  }
  if (links.all().size() >= options.sessions_max) {
    out.push_back(
        HangUp{session.id,
               {Errc::Refused, fmt::format("mesh: {} sessions, the limit", links.all().size())}});
    ++refused;
    return;
  }
  links.add(std::make_unique<Link>(session, link_options, now.steady, out));
}

// The link that this node dialled there.
const Link* Mesh::Body::dialled(const std::string& address) {
  for (const auto& [peer, id] : links.peers()) {
    const Link* const link = links.find(id);
    if (link->info().dialled && link->info().address == address) return link;
  }
  return nullptr;
}

void Mesh::Body::greet(Link& link, const wire::LinkHello& hello, Now now, Actions& out) {
  if (auto status = link.on_hello(hello, now.steady, out); !status) {
    return refuse(link, status.error(), now, out);
  }
  if (hello.node_id == options.node_id) {
    if (hello.instance != options.instance) {
      out.push_back(Report{Report::What::TwoNodes, hello.node_id,
                           fmt::format("mesh: another node at {} has this node's key (give it one "
                                       "of its own)",
                                       link.info().address)});
    } else if (link.info().dialled) {
      membership.on_self(link.info().address);
    }
    return refuse(link, {Errc::Refused, "mesh: a node with the same key as this one"}, now, out);
  }
  Link* const old = links.live(hello.node_id);
  if (old != nullptr && !settle_double(link, *old, now, out)) return;
  go_live(link, now, out);
}

// False: the new session does not become the link, or not yet.
bool Mesh::Body::settle_double(Link& link, Link& old, Now now, Actions& out) {
  if (old.peer().instance == link.peer().instance) return replaces(link, old, now, out);
  // It was started again, or there are two.  The old session will tell.
  begin_probe(link, old, now, out);
  return false;
}

// Of two sessions of the same two runs one is closed.  False: the new one.
bool Mesh::Body::replaces(Link& link, Link& old, Now now, Actions& out) {
  const bool same_way = old.info().dialled == link.info().dialled;
  const bool own_is_smaller = options.node_id < link.peer().node_id;
  const Error why{Errc::Closed, "mesh: there is another session of these two nodes"};
  const bool stays = same_way || link.info().dialled == own_is_smaller;
  Link& over = stays ? old : link;
  const SessionId id = over.id();
  if (links.live(over.peer().node_id) == &over) {
    close(id, why, now, out);
  } else {
    if (over.info().dialled) membership.on_double(over.info().address, over.peer().node_id);
    probes.erase(id);
    links.erase(id);
  }
  out.push_back(HangUp{id, why});
  return stays;
}

// A peer that was started again may have come twice already: one of its sessions waits for the old
// one's end.
void Mesh::Body::begin_probe(Link& link, Link& old, Now now, Actions& out) {
  TimePoint since = now.steady;
  for (auto i = probes.begin(); i != probes.end(); ++i) {
    Link* const other = links.find(i->first);
    if (other == nullptr || other->peer().node_id != link.peer().node_id ||
        other->peer().instance != link.peer().instance) {
      continue;
    }
    since = i->second.since;
    if (!replaces(link, *other, now, out)) return;
    break;
  }
  probes[link.id()] = {old.id(), since, {}};
  old.probe(now.steady, out);
}

void Mesh::Body::go_live(Link& link, Now now, Actions& out) {
  const std::string peer = link.peer().node_id;
  expects_at = {};
  tell_expectation(now, out);  // to all alike, or who comes between two changes misses one
  links.set_live(peer, link.id());
  wire::PeerRecord record{peer, link.info().key, link.peer().addresses, {}};
  if (record.addresses.size() > wire::kAddressesMax) record.addresses.resize(wire::kAddressesMax);
  membership.on_up(peer, link.info().dialled ? link.info().address : std::string(), record,
                   now.steady);
  beacons.on_up(peer, now.steady);
  update_links();
  for (wire::Held& held : custody.on_peer_up(peer, now.steady)) {
    out.push_back(SendFrame{link.id(), std::move(held)});
  }
  out.push_back(SendFrame{link.id(), expects});
  send_known(link, out);
  wire::Peers peers{membership.records(now.steady, 64)};
  std::erase_if(peers.peers, [&](const auto& known) { return known.node_id == peer; });
  peers_told[link.id()] = peers.peers.size();
  if (!peers.peers.empty()) out.push_back(SendFrame{link.id(), std::move(peers)});
  out.push_back(Report{Report::What::PeerUp, peer, link.info().address});
  own_news();
  link_at = now.steady;
  mark_all(now.steady);
}

void Mesh::Body::refuse(Link& link, const Error& why, Now now, Actions& out) {
  const SessionId id = link.id();
  ++refused;
  out.push_back(Report{Report::What::Refused, link.info().proven_id, why.message});
  close(id, why, now, out);
  out.push_back(HangUp{id, why});
}

void Mesh::Body::close(SessionId id, const Error& why, Now now, Actions& out) {
  Link* const link = links.find(id);
  if (link == nullptr) return;
  const SessionInfo info = link->info();
  const std::string peer = link->peer().node_id;
  const bool was_link = link->live() && links.live(peer) == link;
  probes.erase(id);
  heard_state.erase(id);
  peers_told.erase(id);
  links.erase(id);
  const bool away = why.code == Errc::Unreachable || why.code == Errc::TimedOut;
  if (!was_link) {
    if (info.dialled) dial_failed(info.address, !away, now);
    return;
  }
  said.erase(id);
  serving.on_session_down(id);
  pins_changed = true;
  for (const auto& [index, log] : logs.all()) log->have.erase(peer);
  custody.on_peer_down(peer, now);
  const bool for_long = !away && why.code != Errc::Closed;
  membership.on_down(peer, for_long, now.steady);
  beacons.on_down(peer, for_long, now.steady);
  copies.on_session_down(id, peer, now);
  update_links();
  own_news();
  mark_all(now.steady);
  out.push_back(Report{Report::What::PeerDown, peer, why.message});
}

void Mesh::Body::dial_failed(const std::string& address, bool for_long, Now now) {
  // What only a beacon named says nothing of the address that Membership knows.
  if (membership.dials(address)) membership.on_failed(address, for_long, now.steady);
  beacons.on_failed(address, now.steady);
}

void Mesh::Body::tick_beacons(Now now, Actions& out) {
  const auto reached = [&](const std::string& node) {
    return links.live(node) != nullptr || map.reachable(node);
  };
  const auto dialled = [&](const std::string& address) { return membership.dials(address); };
  beacons.on_tick(now.steady, {reached, dialled, !links.peers().empty()}, out);
}

void Mesh::Body::update_links() {
  std::map<std::string, std::uint32_t> costs;
  for (const auto& [peer, id] : links.peers()) costs[peer] = links.find(id)->cost();
  map.set_links(std::move(costs));
}

void Mesh::Body::check_probes(Now now, Actions& out) {
  for (auto i = probes.begin(); i != probes.end();) {
    Link* const link = links.find(i->first);
    Link* const old = links.find(i->second.old);
    const bool answered = old != nullptr && old->last_heard() > i->second.since;
    if (link != nullptr && old != nullptr && !answered &&
        now.steady - i->second.since < kProbeFor) {
      ++i;
      continue;
    }
    Probe probe = std::move(i->second);
    i = probes.erase(i);
    if (link == nullptr) continue;
    if (answered) {
      out.push_back(Report{Report::What::TwoNodes, link->peer().node_id,
                           fmt::format("mesh: two live nodes have the key of {} (give one of them "
                                       "its own)",
                                       link->peer().node_id)});
      refuse(*link, {Errc::Refused, "mesh: another live node has this key"}, now, out);
    } else {
      end_probe(*link, std::move(probe), now, out);
    }
    i = probes.begin();
  }
}

// The old session is dead: the new one takes its place, if none has meanwhile.
void Mesh::Body::end_probe(Link& link, Probe probe, Now now, Actions& out) {
  const std::string peer = link.peer().node_id;
  if (links.find(probe.old) != nullptr) {
    const Error why{Errc::Closed, "mesh: the peer was started again"};
    close(probe.old, why, now, out);
    out.push_back(HangUp{probe.old, why, false});
  }
  const SessionId id = link.id();
  Link* const other = links.live(peer);
  if (other != nullptr && other != &link && !settle_double(link, *other, now, out)) {
    const auto again = probes.find(id);
    if (again == probes.end()) return;
    again->second.frames = std::move(probe.frames);
    again->second.bytes = probe.bytes;
    return;
  }
  go_live(link, now, out);
  for (wire::LinkFrame& frame : probe.frames) {
    const auto status = take(link, frame, wire::credit_bytes(frame), now, out);
    if (status) continue;
    refuse(link, status.error(), now, out);
    break;
  }
}

void Mesh::Body::tick_links(Now now, Actions& out) {
  std::vector<std::pair<SessionId, Error>> over;
  for (const auto& [id, link] : links.all()) {
    if (auto status = link->on_tick(now.steady, out); !status)
      over.emplace_back(id, status.error());
    if (link->live() && link->info().dialled) {
      membership.set_stuck(link->info().address, link->stuck(), now.steady);
    }
  }
  for (const SessionId id : std::exchange(given_up, {})) {
    if (links.find(id) != nullptr) {
      over.emplace_back(id, Error{Errc::Closed, "mesh: the peer has given the link up"});
    }
  }
  for (const auto& [id, why] : over) {
    close(id, why, now, out);
    out.push_back(HangUp{id, why});
  }
}

}  // namespace marram::mesh
