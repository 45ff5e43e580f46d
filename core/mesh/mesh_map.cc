#include <algorithm>
#include <set>

#include "core/mesh/mesh_body.h"

namespace marram::mesh {

namespace {

constexpr Duration kPublishEvery = std::chrono::seconds(1);
constexpr Duration kLookEvery = std::chrono::milliseconds(25);
constexpr Duration kListenFirst = std::chrono::milliseconds(500);
constexpr Duration kHaveEvery = std::chrono::milliseconds(500);
constexpr Duration kPinsEvery = std::chrono::seconds(1);
constexpr Duration kExpectEvery = std::chrono::seconds(1);
constexpr std::size_t kStateBytes = 256 << 10;
constexpr std::size_t kRecordBytes = 768 << 10;  // of the own one: it goes in one frame
constexpr std::size_t kTopicsBytes = 256 << 10;  // of them, of its topics

// What is told of a log that this node writes; without topics any may come.
wire::OpenLog open_log(const Log& log, std::size_t& topics_left) {
  wire::OpenLog open{log.id.epoch, log.id.stream, log.topics, log.durability, log.priority};
  std::size_t bytes = 0;
  for (const std::string& topic : open.topics) bytes += topic.size() + 3;
  if (bytes > topics_left) {
    open.topics.clear();
  } else {
    topics_left -= bytes;
  }
  return open;
}

bool same(const wire::MapRecord& a, const wire::MapRecord& b) {
  return a.clock_suspect == b.clock_suspect && a.misses == b.misses && same_links(a, b) &&
         same_logs(a, b);
}

}  // namespace

wire::MapRecord Mesh::Body::own_record() {
  wire::MapRecord own;
  own.node_id = options.node_id;
  own.instance = options.instance;
  own.name = options.name;
  own.clock_suspect = options.clock_suspect;
  own.misses = roll.misses();
  std::size_t left = kRecordBytes;
  std::size_t topics_left = kTopicsBytes;
  const auto add = [&left](auto& list, auto entry, std::size_t most) {
    const std::size_t bytes = bytes_of(entry);
    if (list.size() >= most || bytes > left) return;
    left -= bytes;
    list.push_back(std::move(entry));
  };
  for (const auto& [peer, id] : links.peers()) {
    if (map.find(peer) == nullptr) continue;
    add(own.neighbours, wire::Neighbour{peer, map.link_cost(peer)}, wire::kNeighboursMax);
  }
  for (const auto& [index, log] : logs.all()) {
    if (log->writes()) {
      add(own.open, open_log(*log, topics_left), wire::kOpenLogsMax);
    } else if (own.copies.size() < wire::kCopiesMax && sources.must_announce(*log)) {
      const std::uint64_t head = log->head();
      const std::uint64_t first = log->whole() ? log->record->whole_from : head + 1;
      add(own.copies, wire::CopyNote{log->id, first, head}, wire::kCopiesMax);
    }
  }
  return own;
}

// Something of this node itself, which does not wait as what follows from others' records does.
void Mesh::Body::own_news() {
  own_changed = true;
  own_at = {};
}

// A node with one link and nothing to tell stays out of the map: nobody's way leads over it, and
// nobody looks for it.  One that has ever written something tells that those logs are over.
void Mesh::Body::publish(Now now, Actions& out) {
  if (!own_changed || now.steady < own_at) return;
  if (now.steady < published_at + kPublishEvery && published_at != TimePoint()) return;
  wire::MapRecord own = own_record();
  // What it has of others' logs is told when the others have been heard.
  const bool early = published.number == 0 && own.open.empty() && links.peers().size() < 2 &&
                     (links.peers().empty() || now.steady < link_at + kListenFirst);
  own_at = early ? link_at + kListenFirst : now.steady + kLookEvery;
  if (early) return;
  own_changed = false;
  const bool silent =
      published.number == 0 && !heard_itself && own.copies.empty() && links.peers().size() < 2 &&
      std::none_of(
          logs.all().begin(), logs.all().end(), [](const auto& item) { return item.second->own; });
  if (silent || (published.number != 0 && same(own, published))) return;
  published = map.publish(std::move(own));
  published_at = now.steady;
  facts.map_number = map.number();
  out.push_back(SaveFacts{facts});
  facts_changed = false;
  floods[options.node_id] = 0;
}

wire::Expect Mesh::Body::expectation() const {
  wire::Expect what{readers.durable_filters(), options.carry};
  if (what.streams.size() > wire::kExpectStreamsMax) what.streams = {"*"};
  return what;
}

// To peers that are here; who comes is told at the start of the session.
void Mesh::Body::tell_expectation(Now now, Actions& out) {
  if (!expects_changed || now.steady < expects_at) return;
  expects_changed = false;
  wire::Expect what = expectation();
  if (what == expects) return;
  expects = std::move(what);
  expects_at = now.steady + kExpectEvery;
  const std::set<std::string> known = logs.streams();
  for (const auto& [peer, id] : links.peers()) {
    out.push_back(SendFrame{id, expects});
    for (const std::string& stream : known) {
      if (!wants_stream(stream, peer)) doubt(*links.find(id), stream, now, out);
    }
  }
}

void Mesh::Body::send_known(Link& link, Actions& out) {
  wire::State state{map.known(), {}};
  if (state.known.size() > wire::kKnownPerFrameMax) state.known.resize(wire::kKnownPerFrameMax);
  out.push_back(SendFrame{link.id(), std::move(state)});
}

void Mesh::Body::send_records(SessionId session, const std::vector<const wire::MapRecord*>& records,
                              Actions& out) {
  wire::State state;
  std::size_t bytes = 0;
  for (const wire::MapRecord* const record : records) {
    const std::size_t more = bytes_of(*record);
    if (!state.records.empty() &&
        (bytes + more > kStateBytes || state.records.size() == wire::kRecordsPerFrameMax)) {
      out.push_back(SendFrame{session, std::exchange(state, {})});
      bytes = 0;
    }
    bytes += more;
    state.records.push_back(*record);
  }
  if (!state.records.empty()) out.push_back(SendFrame{session, std::move(state)});
}

void Mesh::Body::flood(Actions& out) {
  if (floods.empty()) return;
  for (const auto& [peer, id] : links.peers()) {
    std::vector<const wire::MapRecord*> records;
    for (const auto& [node, from] : floods) {
      const wire::MapRecord* const record = map.find(node);
      const bool back = node == peer && from != 0;
      if (record != nullptr && from != id && !back) records.push_back(record);
    }
    send_records(id, records, out);
  }
  floods.clear();
}

// Whether a neighbour has other ways than over this node; only then HAVE helps it.
bool Mesh::Body::takes_part(const std::string& peer) const {
  const wire::MapRecord* const record = map.find(peer);
  return record != nullptr && record->neighbours.size() >= 2;
}

// What this node has of a log, without holes.
Mesh::Body::Said Mesh::Body::has(const Log& log) {
  const std::uint64_t head = log.head();
  if (log.writes()) return {log.record->first, head};
  return {log.whole() ? std::min(log.record->whole_from, head + 1) : head + 1, head};
}

// To a peer that asks for the log no more: also that there is nothing.
void Mesh::Body::say_have(Link& link, const Log& log, Actions& out) {
  if (log.record && log.record->durability == Durability::Memory) return;
  const Said now = has(log);
  const auto told = said.find(link.id());
  if (told != said.end()) told->second[log.index] = now;
  const std::string id = log.record ? log.record->head_id : std::string();
  out.push_back(SendFrame{link.id(), wire::Have{{{log.id, now.first, now.upto, id}}}});
}

void Mesh::Body::add_have(wire::Have& have, Link& link, Log& log, bool first_time) {
  if (!log.record || log.record->durability == Durability::Memory) return;
  auto& told = said[link.id()];
  const auto before = told.find(log.index);
  const auto [first, head] = has(log);
  const bool empty = first > head;
  if (before == told.end()) {
    if (empty) return;
  } else {
    const bool less = first > before->second.first;
    // It was filled in, or something is there again.
    const bool was_empty = before->second.first > before->second.upto;
    const bool lower = !empty && (was_empty || first < before->second.first);
    if (!less && !lower && head <= before->second.upto) return;
    const auto theirs = log.have.find(link.peer().node_id);
    const bool takes = theirs != log.have.end() && theirs->second.upto < head;
    if (!less && !lower && (!takes || serving.feeds(link.id(), log))) return;
  }
  if (before == told.end() && !first_time && serving.feeds(link.id(), log)) return;
  told[log.index] = {first, head};
  have.logs.push_back({log.id, first, head, log.record->head_id});
}

void Mesh::Body::tell_have(Now now, Actions& out) {
  if (now.steady < have_at) return;
  for (const auto& [peer, id] : links.peers()) {
    if (!takes_part(peer)) continue;
    Link* const link = links.find(id);
    const bool first_time = said.emplace(id, std::map<std::uint32_t, Said>()).second;
    if (!first_time && have_changed.empty()) continue;
    wire::Have have;
    const auto add = [&](Log& log) {
      add_have(have, *link, log, first_time);
      if (have.logs.size() < wire::kLogsPerFrameMax) return;
      out.push_back(SendFrame{id, std::exchange(have, {})});
    };
    if (first_time) {
      for (const auto& [index, log] : logs.all()) add(*log);
    } else {
      for (const std::uint32_t index : have_changed) {
        if (Log* const log = logs.at(index)) add(*log);
      }
    }
    if (!have.logs.empty()) out.push_back(SendFrame{id, std::move(have)});
  }
  if (!have_changed.empty()) have_at = now.steady + kHaveEvery;
  have_changed.clear();
}

void Mesh::Body::send_acks(Actions& out) {
  std::map<std::string, wire::Ack> frames;
  for (Copies::AckTo& ack : copies.take_acks(heard_state)) {
    wire::Ack& frame = frames[ack.peer];
    frame.logs.push_back(std::move(ack.entry));
    if (frame.logs.size() < wire::kLogsPerFrameMax) continue;
    if (const Link* const link = links.live(ack.peer)) {
      out.push_back(SendFrame{link->id(), std::exchange(frame, {})});
    }
  }
  for (auto& [peer, frame] : frames) {
    const Link* const link = links.live(peer);
    if (link != nullptr && !frame.logs.empty())
      out.push_back(SendFrame{link->id(), std::move(frame)});
  }
}

// While data flows the neighbours that take part hear something, at least that it is not over: a
// repair is for who is stuck, not for who waits himself.
void Mesh::Body::reassure(Now now, Actions& out) {
  if (reassure_at && now.steady < *reassure_at) return;
  const auto receives = [&](const Link& link) {
    return now.steady - link.last_events() < options.repair_after * 2;
  };
  const bool any = std::any_of(links.peers().begin(), links.peers().end(), [&](const auto& peer) {
    const Link& link = *links.find(peer.second);
    const TimePoint data = std::max(link.last_data(), link.last_data_sent());
    return now.steady - data < options.repair_after * 2;
  });
  const bool due = std::exchange(reassure_at, std::nullopt).has_value();
  if (!any) return;
  reassure_at = now.steady + options.repair_after / 2;
  if (!due) return;
  const std::vector<std::uint32_t> waiting = copies.take_waiting(now.steady);
  for (const auto& [peer, id] : links.peers()) {
    Link& link = *links.find(id);
    if (!takes_part(peer)) continue;
    const auto comes = [&](const Log& log) {
      const Link* const from = links.live(copies.upstream_of(log));
      if (from == nullptr || from == &link) return false;
      return receives(*from) || now.steady - *copies.heard_of(log) < options.repair_after;
    };
    // It hears something at least every three quarters of `repair_after`.
    if (now.steady - link.last_data_sent() >= options.repair_after / 4)
      serving.reassure(link, comes, now.steady, out);
    std::vector<std::uint32_t> elsewhere;
    for (const std::uint32_t index : waiting) {
      const Log* const log = logs.at(index);
      if (log != nullptr && copies.upstream_of(*log) != peer) elsewhere.push_back(index);
    }
    serving.tell_turns(link, elsewhere, now.steady, out);
  }
}

// A lower pin goes out at once, before anything is read for it; a higher one can wait.
void Mesh::Body::set_pins(Now now, Actions& out) {
  if (!pins_changed || (!pins_lowered && now.steady < pins_at)) return;
  pins_lowered = false;
  auto next = serving.pins();
  bool lower = false;
  for (const auto& [no, upto] : next) {
    const auto before = pins.find(no);
    lower = lower || before == pins.end() || upto < before->second;
  }
  if (!lower && now.steady < pins_at) return;
  pins_changed = false;
  pins_at = now.steady + kPinsEvery;
  if (next == pins) return;
  pins = std::move(next);
  SetPins set;
  for (const auto& [no, upto] : pins) set.pins.push_back({no, upto});
  out.push_back(std::move(set));
}

}  // namespace marram::mesh
