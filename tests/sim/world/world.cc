#include "tests/sim/world/world.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/event/topic.h"
#include "core/mesh/demand.h"
#include "core/wire/link_codec.h"
#include "tests/sim/world/sim_node.h"

namespace marram::sim {

namespace {

const std::map<std::string, std::vector<std::string>> kStreams = {{"alarms", {"alarm/#"}},
                                                                  {"events", {}}};

constexpr WallTime kDay{std::chrono::sys_days{std::chrono::year(2026) / 11 / 24}};

// Frames, from one look at the memory of who got one to the next.
constexpr std::uint64_t kMemoryEvery = 32;
constexpr Duration kOnDisk = std::chrono::seconds(1);  // a commit takes no longer

bool is_chatter(const wire::LinkFrame& frame) {
  return !std::holds_alternative<wire::Ping>(frame) && !std::holds_alternative<wire::Pong>(frame);
}

bool is_last_part(const wire::LinkFrame& frame) {
  const auto* const part = std::get_if<wire::Part>(&frame);
  return part != nullptr && part->offset + part->bytes.size() == part->total;
}

// By node: when word of its needs left it last.
void merge(std::map<std::size_t, TimePoint>& known, const std::map<std::size_t, TimePoint>& needs) {
  for (const auto& [node, at] : needs) {
    TimePoint& last = known[node];
    last = std::max(last, at);
  }
}

// For the trace: what speaks of logs and wants.
std::string text_of(const wire::LinkFrame& frame) {
  if (const auto* const want = std::get_if<wire::Want>(&frame)) {
    return fmt::format("WANT {} of {} kind {} {}{} from {} to {} owed {}", want->number,
                       want->log.text(), static_cast<int>(want->kind),
                       want->all ? "all" : "filtered", want->standing ? " standing" : "",
                       want->from.seq, want->to, want->owed);
  }
  if (const auto* const data = std::get_if<wire::Data>(&frame)) {
    return fmt::format("DATA {} after {} upto {}", data->want, data->after, data->upto);
  }
  if (const auto* const upto = std::get_if<wire::Upto>(&frame)) {
    return fmt::format("UPTO {} after {} upto {}", upto->want, upto->after, upto->upto);
  }
  if (const auto* const gap = std::get_if<wire::LinkGap>(&frame)) {
    return fmt::format("GAP {} {}..{} {}", gap->want, gap->from, gap->to, gap->reason);
  }
  if (const auto* const part = std::get_if<wire::Part>(&frame)) {
    return fmt::format("PART {} at {} of {}, upto {}", part->want, part->offset, part->total,
                       part->upto);
  }
  if (const auto* const stop = std::get_if<wire::Stop>(&frame)) {
    return fmt::format("STOP {}", stop->want);
  }
  std::string text;
  if (const auto* const ack = std::get_if<wire::Ack>(&frame)) {
    text = "ACK";
    for (const auto& entry : ack->logs) {
      text += fmt::format(" {} {} {}", entry.log.text(), entry.acked, entry.stored);
    }
  } else if (const auto* const have = std::get_if<wire::Have>(&frame)) {
    text = "HAVE";
    for (const auto& entry : have->logs) {
      text += fmt::format(" {} {}..{}", entry.log.text(), entry.first, entry.upto);
    }
  } else if (const auto* const held = std::get_if<wire::Held>(&frame)) {
    text = "HELD " + held->stream;
    for (const auto& entry : held->logs)
      text += fmt::format(" {} {}", entry.log.text(), entry.acked);
  } else if (const auto* const release = std::get_if<wire::Release>(&frame)) {
    text = "RELEASE " + release->stream;
    for (const auto& log : release->logs) text += " " + log.text();
  } else if (const auto* const peers = std::get_if<wire::Peers>(&frame)) {
    text = "PEERS";
    for (const auto& peer : peers->peers) text += " " + peer.node_id;
  } else if (const auto* const state = std::get_if<wire::State>(&frame)) {
    text = "STATE";
    for (const auto& record : state->records) {
      text += fmt::format(" {} {} ({} neighbours, {} open", record.node_id, record.number,
                          record.neighbours.size(), record.open.size());
      for (const auto& copy : record.copies) {
        text += fmt::format(", {} {}..{}", copy.log.text(), copy.first, copy.upto);
      }
      text += ")";
    }
  } else {
    text = fmt::format("frame {}", frame.index());
  }
  return text;
}

std::unique_ptr<EventBatch> copy(const EventBatch& batch,
                                 const std::vector<std::uint32_t>& indices) {
  auto made = std::make_unique<EventBatch>();
  UuidMaker ids;
  for (const std::uint32_t i : indices) {
    EventView event = batch.events()[i];
    event.position = Position(0, event.position.seq());
    made->add(event, event.time, ids);
  }
  return made;
}

}  // namespace

World::World(WorldOptions options) : options_(options), random_(options.seed) {}
World::~World() = default;

std::size_t World::add_node(const std::vector<std::size_t>& dials, mesh::MeshOptions with) {
  const std::size_t index = nodes_.size();
  with.node_id = SimNode::id_of(index);
  with.name = with.node_id;
  with.addresses = {SimNode::address_of(index)};
  for (const std::size_t other : dials) with.seeds.push_back(SimNode::address_of(other));
  if (with.streams.streams().empty()) {
    StreamOptions alarms{.name = "alarms",
                         .topics = kStreams.at("alarms"),
                         .durability = {},
                         .priority = Priority::High,
                         .retain = {options_.retain, {}},
                         .ttl = {}};
    StreamOptions events{.name = "events",
                         .topics = {},
                         .durability = {},
                         .retain = {options_.retain, {}},
                         .ttl = {}};
    with.streams = *StreamTable::make({alarms, events}, Durability::Fsync);
  }
  with.hold_away_max = options_.hold_away_max;
  with.stuck_max = options_.stuck_max;
  nodes_.push_back(std::make_unique<SimNode>(*this, index, std::move(with)));
  nodes_.back()->start();
  return index;
}

void World::trace(const std::string& line) {
  if (!options_.trace) return;
  fmt::print(stderr, "{:10.4f} {}\n",
             static_cast<double>(now_.time_since_epoch().count()) / 1e6 - 3600, line);
}

void World::expect(bool ok, const std::string& what) {
  if (ok || failed()) return;
  failure_ = fmt::format("seed {} at {:.4f} s: {}", options_.seed,
                         static_cast<double>(now_.time_since_epoch().count()) / 1e6 - 3600, what);
  trace("FAILED " + what);
}

void World::at(Duration in, std::function<void()> what) {
  queue_.push({now_ + in, ++tasks_, std::move(what)});
}

void World::run_for(Duration time) {
  const TimePoint end = now_ + time;
  while (!queue_.empty() && queue_.top().at <= end && !failed()) {
    Task task = queue_.top();
    queue_.pop();
    now_ = std::max(now_, task.at);
    task.run();
  }
  now_ = std::max(now_, end);
}

bool World::settle(Duration most) {
  const TimePoint end = now_ + most;
  while (now_ < end && !failed()) {
    const std::uint64_t before = chatter;
    run_for(std::chrono::seconds(10));
    const bool waits = std::any_of(nodes_.begin(), nodes_.end(), [](const auto& node) {
      return node->up() && !node->mesh().status().holes.empty();
    });
    if (chatter == before && !waits) return true;
  }
  return false;
}

mesh::Now World::now(std::size_t node) const {
  return {now_, kDay + now_.time_since_epoch() + nodes_[node]->clock_offset};
}

void World::crash(std::size_t index) {
  trace("crash of " + SimNode::id_of(index));
  // What it was told a moment ago may not be on its disk.
  for (auto& [heard, needs] : expected_of_) {
    if (heard.first != index) continue;
    std::erase_if(needs, [&](const auto& word) { return word.second > now_ - kOnDisk; });
  }
  nodes_[index]->crash();
  for (auto& [id, connection] : connections_) {
    if (connection.dead) continue;
    for (int end = 0; end < 2; ++end) {
      if (connection.ends[end] != index) continue;
      connection.dead = true;
      close(id, connection.ends[1 - end], {Errc::Unreachable, "the other end crashed"});
    }
  }
}

void World::start(std::size_t index) {
  trace("start of " + SimNode::id_of(index));
  nodes_[index]->start();
}

void World::cut(std::size_t a, std::size_t b, bool silently) {
  trace(fmt::format("cut {} {}{}", a, b, silently ? " silently" : ""));
  cut_.insert(pair(a, b));
  for (auto& [id, connection] : connections_) {
    if (connection.dead || pair(connection.ends[0], connection.ends[1]) != pair(a, b)) continue;
    connection.dead = true;
    if (silently) continue;
    close(id, connection.ends[0], {Errc::Unreachable, "cut"});
    close(id, connection.ends[1], {Errc::Unreachable, "cut"});
  }
}

void World::heal(std::size_t a, std::size_t b) {
  trace(fmt::format("heal {} {}", a, b));
  cut_.erase(pair(a, b));
}

void World::heal_all() {
  trace("heal all");
  cut_.clear();
}

void World::close(mesh::SessionId session, std::size_t told, const Error& why) {
  const std::uint64_t run = nodes_[told]->run();
  at(Duration(static_cast<std::int64_t>(pick(1000))), [this, session, told, run, why] {
    if (nodes_[told]->run() == run) nodes_[told]->on_session_down(session, why);
  });
}

void World::dial(SimNode& from, const mesh::Dial& dial) {
  const std::size_t to = std::stoul(dial.address.substr(6));
  const std::size_t index = from.index();
  trace(fmt::format("{} dials {}", index, to));
  const std::uint64_t run = from.run();
  const Duration latency(static_cast<std::int64_t>(
      100 + pick(static_cast<std::uint64_t>(options_.latency_max.count()) + 1)));
  at(latency, [=, this] {
    SimNode& dialler = *nodes_[index];
    if (dialler.run() != run) return;
    if (to >= nodes_.size() || !nodes_[to]->up() || cut_.contains(pair(index, to))) {
      dialler.on_dial_failed(dial.address);
      return;
    }
    const mesh::SessionId id = next_session_++;
    connections_[id] = {{index, to}, {run, nodes_[to]->run()}, {now_, now_}, latency, false};
    nodes_[to]->on_session_up({id, false, SimNode::address_of(index), SimNode::id_of(index), ""});
    dialler.on_session_up({id, true, dial.address, SimNode::id_of(to), ""});
  });
}

void World::note_want(const SimNode& from, mesh::SessionId session, const wire::LinkFrame& frame) {
  // Who answers says it behind what was asked for.
  const auto* const stop = std::get_if<wire::Stop>(&frame);
  if (stop != nullptr && askers_.contains({session, stop->want, from.index()}))
    over_.insert({session, stop->want});
  const auto* const want = std::get_if<wire::Want>(&frame);
  if (want == nullptr) return;
  askers_.emplace(session, want->number, from.index());
  // Each side has numbers of its own, odd or even.
  const std::string log = want->log.text() + (want->number % 2 == 0 ? " even" : " odd");
  const auto [stands, is_new] = wants_.emplace(std::tuple(session, log, want->kind), want->number);
  if (!is_new) over_.insert({session, std::exchange(stands->second, want->number)});
}

void World::send(SimNode& from, mesh::SessionId session, wire::LinkFrame frame) {
  note_want(from, session, frame);
  const std::size_t bytes = 32 + wire::credit_bytes(frame);
  if (is_last_part(frame)) ++crossed;
  transmit(from, session, std::move(frame), bytes);
}

void World::send(SimNode& from, const mesh::SendData& data) {
  crossed += data.indices.size();
  wire::Data frame{data.want, data.after, data.upto, copy(*data.batch, data.indices)};
  const std::size_t bytes = 32 + wire::credit_bytes(wire::LinkFrame(std::move(frame)));
  wire::Data again{data.want, data.after, data.upto, copy(*data.batch, data.indices)};
  transmit(from, data.session, std::move(again), bytes);
}

void World::transmit(SimNode& from, mesh::SessionId session, wire::LinkFrame frame,
                     std::size_t bytes) {
  const auto found = connections_.find(session);
  if (found == connections_.end() || found->second.dead) return;
  Connection& connection = found->second;
  const int end = connection.ends[0] == from.index() ? 0 : 1;
  const std::size_t to = connection.ends[1 - end];
  auto told = needs_told(from, frame);
  ++frames;
  if (is_chatter(frame)) {
    ++chatter;
    ++nodes_[to]->heard;
    if (options_.trace) {
      trace(fmt::format("{} -> {} ({}) {}", from.index(), to, session, text_of(frame)));
    }
  }
  if (options_.codec) {
    static const Limits limits;
    wire::LinkDecoder decoder(limits);
    const auto encoded = wire::encode_link(frame);
    encoded_bytes += encoded.size();
    auto decoded = decoder.decode(encoded);
    expect(decoded.has_value(), "a frame that was sent cannot be read");
    if (!decoded) return;
    frame = std::move(*decoded);
  }
  TimePoint leaves = std::max(now_, connection.free[end]);
  if (options_.bytes_per_second != 0) {
    leaves += Duration(static_cast<std::int64_t>(bytes * 1'000'000 / options_.bytes_per_second));
  }
  connection.free[end] = leaves;
  const std::uint64_t run = nodes_[to]->run();
  const auto held = std::make_shared<wire::LinkFrame>(std::move(frame));
  at(leaves + connection.latency - now_, [this, session, to, run, held, told = std::move(told)] {
    const auto still = connections_.find(session);
    if (still == connections_.end() || still->second.dead || nodes_[to]->run() != run) return;
    const auto* const data = std::get_if<wire::Data>(held.get());
    if (data != nullptr && over_.contains({session, data->want})) late += data->batch->size();
    if (is_last_part(*held) && over_.contains({session, std::get<wire::Part>(*held).want})) ++late;
    note_heard(to, *held);
    note_needs(to, told);
    nodes_[to]->on_frame(session, std::move(*held));
    if (frames % kMemoryEvery == 0) check_memory(*nodes_[to]);
  });
}

void World::hang_up(SimNode& from, const mesh::HangUp& hang_up) {
  const auto found = connections_.find(hang_up.session);
  if (found == connections_.end() || found->second.dead) return;
  Connection& connection = found->second;
  const int end = connection.ends[0] == from.index() ? 0 : 1;
  const std::size_t to = connection.ends[1 - end];
  const std::uint64_t run = nodes_[to]->run();
  const mesh::SessionId session = hang_up.session;
  at(std::max(now_, connection.free[end]) + connection.latency - now_,
     [this, session, to, run, why = hang_up.why] {
       connections_[session].dead = true;
       if (nodes_[to]->run() == run) nodes_[to]->on_session_down(session, why);
     });
}

void World::note_stored(const LogId& log, std::uint64_t seq, const std::string& id) {
  const auto [place, is_new] = positions_[log.text()].emplace(seq, id);
  if (is_new || place->second == id) return;
  expect(false, fmt::format("{} {} names {} and {}", log.text(), seq, place->second, id));
}

void World::note_trimmed(const LogId& log, std::uint64_t first, bool full) {
  Trim trim{now_, first, {}};
  if (full) return trims_[log.text()].push_back(std::move(trim));
  const auto add = [&](const SimNode& node) { merge(trim.known, needs_heard(node.index(), log)); };
  for (const auto& node : nodes_) {
    if (SimNode::id_of(node->index()) == log.origin) add(*node);
    if (!node->up()) continue;
    for (const LogRecord& copy : node->store().logs()) {
      const bool has = copy.whole_from != 0 && copy.whole_from < first && copy.head + 1 >= first;
      if (has && copy.id == log) add(*node);
    }
  }
  trims_[log.text()].push_back(std::move(trim));
}

std::uint64_t World::trimmed_by(const LogId& log, std::size_t node, TimePoint made) const {
  std::uint64_t upto = 0;
  const auto trims = trims_.find(log.text());
  if (trims == trims_.end()) return 0;
  for (const Trim& trim : trims->second) {
    const auto known = trim.known.find(node);
    const bool knew = known != trim.known.end() && known->second >= made;
    if (trim.at < made || !knew) upto = std::max(upto, trim.first - 1);
  }
  return upto;
}

World::Needs& World::needs_heard(std::size_t node, const LogId& log) {
  const auto [found, is_new] = heard_of_log_.try_emplace({node, log.text()});
  if (!is_new) return found->second;
  // What the origin itself has told of is what it has heard of others, and nothing of this log.
  for (const auto& [teller, needs] : heard_of_stream_[{node, log.stream}]) {
    if (SimNode::id_of(teller) != log.origin) merge(found->second, needs);
  }
  if (SimNode::id_of(node) == log.origin) merge(found->second, expected_of_[{node, log.stream}]);
  return found->second;
}

World::Told World::needs_told(const SimNode& from, const wire::LinkFrame& frame) {
  Told told{.from = from.index(), .streams = {}, .expected = {}, .logs = {}};
  const auto tell = [&](const LogId& log) {
    told.logs.emplace_back(log, needs_heard(from.index(), log)).second[from.index()] = now_;
    Needs& stream = told.streams[log.stream];
    for (const auto& [teller, needs] : heard_of_stream_[{from.index(), log.stream}]) {
      merge(stream, needs);
    }
    stream[from.index()] = now_;
  };
  const auto* const want = std::get_if<wire::Want>(&frame);
  if (want != nullptr && want->standing) tell(want->log);
  const auto* const ack = std::get_if<wire::Ack>(&frame);
  if (ack != nullptr) {
    for (const wire::AckEntry& entry : ack->logs) tell(entry.log);
  }
  const auto* const expect = std::get_if<wire::Expect>(&frame);
  for (const auto& [stream, topics] : kStreams) {
    const auto concerned = [&topics](const std::string& filter) {
      return mesh::concerns(filter, topics);
    };
    const bool expected =
        expect != nullptr && std::any_of(expect->filters.begin(), expect->filters.end(), concerned);
    if (expected) told.expected[stream][from.index()] = now_;
  }
  return told;
}

// From then on its peers ask for it by name.
void World::note_heard(std::size_t to, const wire::LinkFrame& frame) {
  if (const auto* const have = std::get_if<wire::Have>(&frame)) {
    for (const wire::HaveEntry& entry : have->logs) needs_heard(to, entry.log);
  }
  const auto* const state = std::get_if<wire::State>(&frame);
  if (state == nullptr) return;
  for (const wire::MapRecord& record : state->records) {
    for (const wire::OpenLog& open : record.open) {
      needs_heard(to, {record.node_id, open.epoch, open.stream});
    }
    for (const wire::CopyNote& copy : record.copies) needs_heard(to, copy.log);
  }
}

void World::note_needs(std::size_t to, const Told& told) {
  for (const auto& [log, needs] : told.logs) merge(needs_heard(to, log), needs);
  for (const auto& [stream, needs] : told.streams)
    merge(heard_of_stream_[{to, stream}][told.from], needs);
  for (const auto& [stream, needs] : told.expected) merge(expected_of_[{to, stream}], needs);
}

void World::note_published(const std::string& id, const LogId& log, std::uint64_t seq) {
  for (const auto& node : nodes_) {
    if (SimNode::id_of(node->index()) == log.origin) needs_heard(node->index(), log);
  }
  Published& event = published[id];
  event.log = log;
  event.seq = seq;
  event.acknowledged = true;
}

}  // namespace marram::sim
