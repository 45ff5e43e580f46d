#include <fmt/format.h>

#include <algorithm>

#include "core/base/utf8.h"
#include "core/event/topic.h"
#include "core/mesh/mesh_body.h"

namespace marram::mesh {

namespace {

constexpr Duration kPassedOn = std::chrono::seconds(1);
constexpr std::size_t kProbeBytesMax = 8 << 20;
constexpr Duration kUnwantedFor = std::chrono::seconds(30);
constexpr Duration kUnwantedLook = std::chrono::seconds(1);
constexpr std::size_t kUnwantedMax = 65'536;

template <class... Functions>
struct Overloaded : Functions... {
  using Functions::operator()...;
};
template <class... Functions>
Overloaded(Functions...) -> Overloaded<Functions...>;

bool is_name(const std::string& text) { return !text.empty() && text.size() <= wire::kIdBytesMax; }

Status check_log(const LogId& log, const Link& link) {
  if (is_name(log.origin) && is_name(log.epoch) && is_name(log.stream)) return {};
  return fail(Errc::Protocol, fmt::format("mesh: {} names a log without origin, epoch or stream",
                                          link.peer().node_id));
}

Status check_filters(const std::vector<std::string>& filters, const Limits& limits) {
  for (const std::string& filter : filters) {
    if (auto status = check_filter(filter, limits); !status) return status;
  }
  return {};
}

bool is_seq(std::uint64_t seq) { return seq <= wire::kSeqMax; }
bool is_stretch(std::uint64_t first, std::uint64_t upto) {
  return first != 0 && is_seq(upto) && first <= upto + 1;
}

template <class List, class Good>
bool all(const List& list, Good good) {
  return std::all_of(list.begin(), list.end(), good);
}

// Positions are within what a log can have, so that nothing that is reckoned with them overflows.
bool in_bounds(const wire::LinkFrame& frame) {
  return std::visit(
      Overloaded{
          [](const wire::State& state) {
            return all(state.records, [](const wire::MapRecord& record) {
              return all(record.copies, [](const wire::CopyNote& copy) {
                return is_stretch(copy.first, copy.upto);
              });
            });
          },
          [](const wire::Have& have) {
            return all(have.logs, [](const auto& entry) {
              return is_stretch(entry.first, entry.upto) && entry.id.size() <= wire::kIdBytesMax;
            });
          },
          [](const wire::Held& held) {
            return all(held.logs, [](const auto& entry) { return is_seq(entry.acked); });
          },
          [](const wire::Want& want) {
            return want.from.seq <= wire::kSeqMax + 1 && is_seq(want.to) &&
                   want.id.size() <= wire::kIdBytesMax;
          },
          [](const wire::Ack& ack) {
            return all(ack.logs, [](const auto& entry) {
              return is_seq(entry.acked) && is_seq(entry.stored);
            });
          },
          [](const wire::Data& data) { return data.after <= data.upto && is_seq(data.upto); },
          [](const wire::Upto& upto) { return upto.after <= upto.upto && is_seq(upto.upto); },
          [](const wire::Part& part) {
            return part.after < part.upto && is_seq(part.upto) && part.offset < part.total;
          },
          [](const wire::LinkGap& gap) {
            return gap.from <= gap.to && is_stretch(gap.from, gap.to);
          },
          [](const auto&) { return true; }},
      frame);
}

std::size_t filter_bytes(const std::vector<std::string>& filters) {
  std::size_t bytes = 0;
  for (const std::string& filter : filters) bytes += 32 + filter.size();
  return bytes;
}

// About what it takes in memory.
std::size_t weight(const wire::LinkFrame& frame) {
  constexpr std::size_t kEntry = 256;
  return kEntry +
         std::visit(
             Overloaded{[](const wire::State& state) {
                          std::size_t bytes = state.known.size() * kEntry / 2;
                          for (const auto& record : state.records) bytes += bytes_of(record);
                          return bytes;
                        },
                        [](const wire::Want& want) { return filter_bytes(want.filters); },
                        [](const wire::Expect& expect) {
                          return expect.streams.size() * kEntry + filter_bytes(expect.filters);
                        },
                        [](const wire::Have& have) { return have.logs.size() * kEntry; },
                        [](const wire::Held& held) { return held.logs.size() * kEntry; },
                        [](const wire::Ack& ack) { return ack.logs.size() * kEntry; },
                        [](const wire::Release& release) { return release.logs.size() * kEntry; },
                        [](const wire::Peers& peers) { return peers.peers.size() * kEntry; },
                        [&](const auto&) -> std::size_t {
                          return static_cast<std::size_t>(wire::credit_bytes(frame));
                        }},
             frame);
}

// A peer's words, marked as such.
Status words_of(const Error& error) {
  return fail(error.code, fmt::format("mesh: the peer says {}", in_quotes(error.message)));
}

}  // namespace

Status Mesh::Body::hear(Link& link, wire::LinkFrame frame, Now now, Actions& out) {
  const bool over =
      std::holds_alternative<wire::Bye>(frame) || std::holds_alternative<wire::Broken>(frame);
  const std::uint64_t bytes = wire::credit_bytes(frame);
  if (!over) {
    if (auto status = link.on_frame(frame, bytes, now.steady, out); !status) return status;
    if (!in_bounds(frame)) {
      return fail(Errc::Protocol, fmt::format("mesh: {} names positions that no log can have",
                                              link.peer().node_id));
    }
    const auto probe = probes.find(link.id());
    if (probe != probes.end()) {
      probe->second.bytes += weight(frame);
      if (probe->second.bytes > kProbeBytesMax) {
        return fail(Errc::TooLarge,
                    fmt::format("mesh: {} says too much at once", link.peer().node_id));
      }
      probe->second.frames.push_back(std::move(frame));
      return {};
    }
  }
  return take(link, frame, bytes, now, out);
}

Status Mesh::Body::take(Link& link, wire::LinkFrame& frame, std::uint64_t bytes, Now now,
                        Actions& out) {
  return std::visit(
      Overloaded{
          [&](wire::Data& data) { return copies.on_data(link, std::move(data), bytes, now, out); },
          [&](wire::Upto& upto) { return copies.on_upto(link, upto, bytes, now, out); },
          [&](wire::LinkGap& gap) { return copies.on_gap(link, gap, bytes); },
          [&](wire::Part& part) { return copies.on_part(link, part, bytes, now, out); },
          [&](wire::Credit&) -> Status {
            serving.touch(link.id());
            return {};
          },
          [&](wire::Pong&) -> Status {
            const std::uint64_t before = map.version();
            update_links();
            own_changed = own_changed || map.version() != before;
            return {};
          },
          [&](wire::Ping&) -> Status { return {}; }, [&](wire::Unknown&) -> Status { return {}; },
          [&](wire::LinkHello&) -> Status { return {}; },
          [&](wire::Broken& broken) -> Status { return words_of(broken.error); },
          [&](wire::Bye& bye) -> Status { return words_of(bye.error); },
          [&](auto& other) { return on(link, other, now, out); }},
      frame);
}

Status Mesh::Body::on(Link& link, wire::Peers& peers, Now now, Actions& out) {
  if (peers.peers.size() > wire::kPeersPerFrameMax) {
    return fail(Errc::Protocol,
                fmt::format("mesh: {} sends {} peers", link.peer().node_id, peers.peers.size()));
  }
  wire::Peers known;
  std::map<SessionId, wire::Peers> asked;
  for (const wire::PeerRecord& peer : peers.peers) {
    membership.learn(peer, now.steady);
    if (!peer.addresses.empty()) continue;  // else it is looked for
    if (auto record = membership.record(peer.node_id, now.steady)) {
      known.peers.push_back(std::move(*record));
      continue;
    }
    // Who is nearer to it knows; who asks will ask again.  While maps differ it may come round.
    std::erase_if(passed_on, [&](const auto& item) { return now.steady >= item.second; });
    if (!passed_on.emplace(peer.node_id, now.steady + kPassedOn).second) continue;
    const Map::Route* const route = map.route(peer.node_id);
    const Link* const next = route == nullptr ? nullptr : links.live(route->next);
    if (next != nullptr && next != &link)
      asked[next->id()].peers.push_back({peer.node_id, {}, {}, {}});
  }
  if (!known.peers.empty()) out.push_back(SendFrame{link.id(), std::move(known)});
  for (auto& [id, question] : asked) out.push_back(SendFrame{id, std::move(question)});
  return {};
}

Status Mesh::Body::on(Link& link, wire::State& state, Now now, Actions& out) {
  for (wire::MapRecord& record : state.records) take_record(link, record, now, out);
  if (heard_state.insert(link.id()).second) {
    auto newer = map.newer(state.known);
    send_records(link.id(), newer, out);
    for (const wire::KnownRecord& known : state.known) {
      if (known.node_id == options.node_id && known.number > map.number()) {
        wire::MapRecord own;  // as if it had been sent
        own.node_id = known.node_id;
        own.number = known.number;
        take_record(link, own, now, out);
      }
    }
  }
  return {};
}

void Mesh::Body::take_record(Link& link, wire::MapRecord& record, Now now, Actions& out) {
  if (!is_name(record.node_id) || record.neighbours.size() > wire::kNeighboursMax ||
      record.open.size() > wire::kOpenLogsMax || record.copies.size() > wire::kCopiesMax) {
    return;
  }
  const std::string node = record.node_id;
  if (node == options.node_id) {
    for (const wire::OpenLog& open : record.open) hear_of_run(open.epoch);
  }
  switch (map.take(std::move(record), now.steady)) {
    case Map::Taken::New:
      floods[node] = link.id();
      note_listed(*map.find(node), node != link.peer().node_id);
      note_announced(*map.find(node), now);
      own_changed = true;
      break;
    case Map::Taken::Old:
      send_records(link.id(), {map.find(node)}, out);
      break;
    case Map::Taken::Own:
      heard_itself = true;
      own_news();
      published = {};  // again, though nothing has changed
      break;
    case Map::Taken::Known:
      break;
  }
}

// Of this node: the next one has a higher number.  One that is far above was never started.
void Mesh::Body::hear_of_run(const std::string& epoch) {
  const std::uint64_t run = start_number(epoch);
  if (run <= facts.runs || run - facts.runs > Map::kNumberStep) return;
  facts.runs = run;
  facts_changed = true;
}

// A neighbour that no longer lists this node, and says so over others, has given the link up.
void Mesh::Body::note_listed(const wire::MapRecord& record, bool by_others) {
  Link* const link = links.live(record.node_id);
  if (link == nullptr) return;
  const bool listed = std::any_of(record.neighbours.begin(), record.neighbours.end(),
                                  [&](const auto& one) { return one.node_id == options.node_id; });
  if (listed) {
    link->set_listed();
  } else if (link->listed() && by_others) {
    given_up.insert(link->id());
  }
}

// Logs that are new, and what their streams are.
void Mesh::Body::note_announced(const wire::MapRecord& record, Now now) {
  for (const wire::OpenLog& open : record.open) {
    Log* const log = know({record.node_id, open.epoch, open.stream}, now, false, &open);
    if (log == nullptr) continue;
    log->topics = open.topics;
    log->durability = open.durability;
    log->priority = open.priority;
    if (planned_version == map.version()) mark(*log, now.steady);  // else all of them, soon
  }
  for (const wire::CopyNote& copy : record.copies) {
    if (Log* const log = know(copy.log, now)) mark(*log, now.steady);
    if (copy.log.origin == options.node_id) hear_of_run(copy.log.epoch);
  }
}

Status Mesh::Body::on(Link& link, wire::Have& have, Now now, Actions& out) {
  const std::string& peer = link.peer().node_id;
  for (const wire::HaveEntry& entry : have.logs) {
    if (auto status = check_log(entry.log, link); !status) return status;
    Log* const log = know(entry.log, now);
    if (log == nullptr) continue;
    log->have[peer] = entry;
    copies.on_have(*log, peer);
    const bool differs = log->record && !entry.id.empty() && !log->record->head_id.empty() &&
                         entry.upto == log->record->head && entry.id != log->record->head_id;
    const bool beyond = log->writes() && entry.upto > log->record->head;
    if (!differs && !beyond) continue;
    out.push_back(Report{Report::What::Forked, peer,
                         fmt::format("mesh: {} has two events at {}", log->id.text(), entry.upto)});
    if (log->writes()) start_epoch_again(now.steady, out);
    log->forked = !log->own;
  }
  return {};
}

Status Mesh::Body::on(Link& link, wire::Held& held, Now now, Actions& out) {
  if (held.stream.size() > wire::kIdBytesMax)
    return fail(Errc::Protocol, "mesh: HELD of no stream");
  for (const wire::HeldEntry& entry : held.logs) {
    if (auto status = check_log(entry.log, link); !status) return status;
  }
  copies.on_stream_held(link.id(), held.stream, true);
  if (wants_stream(held.stream, link.peer().node_id)) {
    take_held(link, held.logs, now);
    return {};
  }
  Unwanted* const doubted = doubt(link, held.stream, now, out);
  if (doubted == nullptr) return {};
  if (doubted->logs.size() + held.logs.size() > options.logs_max) {
    return fail(Errc::TooLarge, fmt::format("mesh: {} holds more than {} logs", link.peer().node_id,
                                            options.logs_max));
  }
  doubted->logs.insert(doubted->logs.end(), held.logs.begin(), held.logs.end());
  return {};
}

void Mesh::Body::take_held(Link& link, const std::vector<wire::HeldEntry>& held, Now now) {
  for (const wire::HeldEntry& entry : held) {
    Log* const log = know(entry.log, now);
    if (log == nullptr) continue;
    copies.on_held(*log, link.peer().node_id, entry.acked, now.steady);
    mark(*log, now.steady);
  }
}

// The peer holds a stream that nobody here seems to want.  A node that was just started may have
// asked for somebody who is not back yet: it is let go in a while.  Null: at once, there are too
// many.
Mesh::Body::Unwanted* Mesh::Body::doubt(Link& link, const std::string& stream, Now now,
                                        Actions& out) {
  if (unwanted.size() >= kUnwantedMax) {
    let_go(link, stream, out);
    return nullptr;
  }
  const Unwanted doubted{now.steady + kUnwantedFor, {}};
  return &unwanted.try_emplace({link.id(), stream}, doubted).first->second;
}

void Mesh::Body::let_go(Link& link, const std::string& stream, Actions& out) {
  out.push_back(SendFrame{link.id(), wire::Release{stream, {}}});
  copies.on_stream_held(link.id(), stream, false);
}

void Mesh::Body::end_doubts(Now now, Actions& out) {
  if (unwanted.empty() || now.steady < unwanted_at) return;
  unwanted_at = now.steady + kUnwantedLook;
  for (auto i = unwanted.begin(); i != unwanted.end();) {
    const auto& [session, stream] = i->first;
    Link* const link = links.find(session);
    const bool wanted = link != nullptr && wants_stream(stream, link->peer().node_id);
    const bool due = now.steady >= i->second.due;
    if (wanted) take_held(*link, i->second.logs, now);
    if (link != nullptr && !wanted && due) let_go(*link, stream, out);
    i = link == nullptr || wanted || due ? unwanted.erase(i) : std::next(i);
  }
}

Status Mesh::Body::on(Link& link, wire::Want& want, Now now, Actions&) {
  if (auto status = check_log(want.log, link); !status) return status;
  if (link.is_own_want(want.number) || want.filters.size() > wire::kLinkFiltersMax) {
    return fail(Errc::Protocol, fmt::format("mesh: {} sends a want with number {} and {} filters",
                                            link.peer().node_id, want.number, want.filters.size()));
  }
  if (auto status = check_filters(want.filters, options.limits); !status) return status;
  want.from.seq = std::max<std::uint64_t>(want.from.seq, 1);
  Log* const log = know(want.log, now);
  if (log == nullptr) {
    return fail(Errc::TooLarge, fmt::format("mesh: more than {} logs are known", logs.size()));
  }
  if (want.standing && want.kind != wire::WantKind::Repair) {
    const bool at_head = want.from.at == wire::Begin::At::Head;
    const std::uint64_t needed = want.from.at == wire::Begin::At::Seq ? want.from.seq
                                 : at_head                            ? log->head() + 1
                                                                      : 1;
    if (auto status = custody.on_standing_want(link.peer().node_id, *log, needed); !status)
      return status;
  }
  // What it is not owed it may have where it is, and nobody looks for it.
  const bool repairs = want.standing && want.kind == wire::WantKind::Repair && !log->writes();
  if (repairs && want.owed != 0) {
    const std::uint64_t owed = std::max(want.from.seq, want.owed);
    custody.on_claim(link.peer().node_id, *log, owed, now.steady);
  }
  if (auto status = serving.on_want(link, *log, std::move(want), now.steady); !status)
    return status;
  pins_changed = pins_lowered = true;
  mark(*log, now.steady);
  return {};
}

Status Mesh::Body::on(Link& link, wire::Stop& stop, Now now, Actions& out) {
  if (link.is_own_want(stop.want)) {
    copies.on_stop(link, stop, now);
    return {};
  }
  if (Log* const log = serving.on_stop(link, stop)) {
    custody.on_stop(link.peer().node_id, *log, now.steady);
    pins_changed = true;
    say_have(link, *log, out);  // from now on it hears of it so
    mark(*log, now.steady);
  }
  return {};
}

Status Mesh::Body::on(Link& link, wire::Release& release, Now now, Actions&) {
  custody.on_release(link.peer().node_id, release);
  for (const LogId& id : release.logs) {
    if (const Log* const log = logs.find(id)) mark(*log, now.steady);
  }
  return {};
}

Status Mesh::Body::on(Link& link, wire::Expect& expect, Now now, Actions&) {
  if (auto status = check_filters(expect.filters, options.limits); !status) return status;
  custody.on_expect(link.peer().node_id, std::move(expect), options.streams, now.steady);
  return {};
}

Status Mesh::Body::on(Link& link, wire::Ack& ack, Now now, Actions& out) {
  const std::string& peer = link.peer().node_id;
  for (wire::AckEntry& entry : ack.logs) {
    const Log* const log = logs.find(entry.log);
    if (log == nullptr) continue;
    if (log->writes()) {  // nobody has what has not been written
      entry.acked = std::min(entry.acked, log->record->head);
      entry.stored = std::min(entry.stored, log->record->head);
    }
    const bool skipped = serving.on_ack(link.id(), *log, entry.acked);
    const bool less = custody.on_ack(peer, *log, entry.acked) || skipped;
    if (less && !log->writes()) mark(*log, now.steady);
    pins_changed = true;
    if (!log->writes() || entry.stored == 0) continue;
    auto& stored = replicas[log->index];
    const auto [copy, is_new] = stored.try_emplace(peer);
    if (is_new) copy->second.from = serving.began(link.id(), *log);
    if (copy->second.upto >= entry.stored) continue;
    copy->second.upto = entry.stored;
    Replicated replicated{log->record->no, {}};
    for (const auto& [other, stretch] : stored) replicated.stored.push_back(stretch);
    out.push_back(std::move(replicated));
  }
  return {};
}

}  // namespace marram::mesh
