#include "tests/sim/world/sim_node.h"

#include <algorithm>

#include "core/event/topic.h"

namespace marram::sim {

namespace {

bool matches_any(const mesh::Interest& interest, const std::string& topic) {
  return std::any_of(interest.filters.begin(), interest.filters.end(),
                     [&](const auto& filter) { return matches(filter.filter, topic); });
}

}  // namespace

SimNode::SimNode(World& world, std::size_t index, mesh::MeshOptions options)
    : world_(world), index_(index), options_(std::move(options)), store_(id_of(index)) {}

std::string SimNode::id_of(std::size_t index) {
  std::string text = std::to_string(index);
  return "node-" + std::string(4 - std::min<std::size_t>(text.size(), 4), '0') + text;
}

void SimNode::start() {
  ++run_;
  store_.start(world_.random()());
  options_.instance = std::to_string(world_.random()());
  options_.random_seed = world_.random()();
  committing_ = false;
  scheduled_.reset();
  mesh_ = std::make_unique<mesh::Mesh>(options_, store_.logs(), store_.mesh_records(),
                                       world_.now(index_));
  readers_ = store_.consumers();
  mesh::Actions out;
  for (const auto& [id, interest] : readers_) {
    mesh_->put_interest(interest, world_.now(index_), out);
  }
  act(out);
  tick();
  if (world_.options().retain) trim();
}

void SimNode::crash() {
  mesh_.reset();
  queue_.clear();
  places_.clear();
  last_.clear();
  pins_.clear();
  readers_.clear();
  ++run_;
}

void SimNode::schedule(TimePoint at) {
  if (scheduled_ && *scheduled_ <= at) return;
  scheduled_ = at;
  const std::uint64_t run = run_;
  const Duration in = at > world_.time() ? at - world_.time() : Duration(0);
  world_.at(in, [this, run, at] {
    if (run != run_ || scheduled_ != at) return;
    scheduled_.reset();
    tick();
  });
}

void SimNode::tick() {
  if (!up()) return;
  mesh::Actions out;
  mesh_->on_tick(world_.now(index_), out);
  act(out);
  if (const auto at = mesh_->wake_at()) {
    // Virtual time must go on.
    schedule(std::max(*at, world_.time() + std::chrono::microseconds(100)));
  }
}

void SimNode::act(mesh::Actions& actions) {
  for (std::size_t i = 0; i < actions.size(); ++i) act(actions[i]);
  actions.clear();
}

void SimNode::act(mesh::Action& action) {
  const std::uint64_t run = run_;
  if (auto* const send = std::get_if<mesh::SendFrame>(&action)) {
    world_.send(*this, send->session, std::move(send->frame));
  } else if (auto* const data = std::get_if<mesh::SendData>(&action)) {
    world_.send(*this, *data);
  } else if (auto* const dial = std::get_if<mesh::Dial>(&action)) {
    world_.dial(*this, *dial);
  } else if (auto* const up = std::get_if<mesh::HangUp>(&action)) {
    world_.hang_up(*this, *up);
  } else if (auto* const write = std::get_if<mesh::WriteCopy>(&action)) {
    enqueue({{}, std::move(*write), {}});
  } else if (auto* const ask = std::get_if<mesh::ReadEvents>(&action)) {
    world_.at(Duration(10), [this, run, ask = *ask] {
      if (run != run_) return;
      mesh::Actions out;
      mesh_->on_read(ask.token, store_.read(ask), world_.now(index_), out);
      act(out);
      tick();
    });
  } else if (auto* const find = std::get_if<mesh::FindSeq>(&action)) {
    world_.at(Duration(10), [this, run, find = *find] {
      if (run != run_) return;
      mesh::Actions out;
      mesh_->on_time_found(find.token, store_.find_time(find.log, find.time), world_.now(index_),
                           out);
      act(out);
      tick();
    });
  } else if (auto* const put = std::get_if<mesh::PutHold>(&action)) {
    enqueue({{}, {}, [this, hold = put->hold] { store_.put_hold(hold); }});
  } else if (auto* const remove = std::get_if<mesh::RemoveHold>(&action)) {
    enqueue({{}, {}, [this, hold = *remove] { store_.remove_hold(hold.peer, hold.stream); }});
  } else if (auto* const move = std::get_if<mesh::MoveHolds>(&action)) {
    enqueue({{}, {}, [this, moves = move->moves] {
               for (const HoldMove& one : moves) store_.move_hold(one);
             }});
  } else if (auto* const pins = std::get_if<mesh::SetPins>(&action)) {
    pins_.clear();
    for (const Pin& pin : pins->pins) pins_[pin.log] = pin.upto;
  } else if (auto* const facts = std::get_if<mesh::SaveFacts>(&action)) {
    enqueue({{}, {}, [this, facts = facts->facts] { store_.save_facts(facts); }});
  } else if (auto* const forget = std::get_if<mesh::ForgetLog>(&action)) {
    enqueue({{}, {}, [this, no = forget->log] {
               if (!store_.forget(no)) return;
               mesh::Actions out;
               mesh_->on_log_forgotten(no, world_.now(index_), out);
               act(out);
             }});
  } else if (std::holds_alternative<mesh::StartEpochAgain>(action)) {
    world_.expect(false, "an epoch forked, and nobody resumed a snapshot");
  } else if (auto* const readable = std::get_if<mesh::Readable>(&action)) {
    places_[{readable->interest, readable->log}] = {readable->after, readable->upto};
    world_.trace(id_of(index_) + " reader " + std::to_string(readable->interest) +
                 " may read log " + std::to_string(readable->log) + " after " +
                 std::to_string(readable->after) + " upto " + std::to_string(readable->upto));
    read(readable->interest, readable->log);
  } else if (auto* const replicated = std::get_if<mesh::Replicated>(&action)) {
    replicated_[replicated->log] = replicated->stored;
  } else if (auto* const report = std::get_if<mesh::Report>(&action)) {
    world_.trace(id_of(index_) + " reports " + report->message);
    reports_.push_back(std::move(*report));
  }
}

void SimNode::enqueue(Command command) {
  queue_.push_back(std::move(command));
  if (std::exchange(committing_, true)) return;
  const std::uint64_t run = run_;
  const auto most = static_cast<std::uint64_t>(world_.options().commit_max.count());
  world_.at(Duration(static_cast<std::int64_t>(1 + world_.pick(most))), [this, run] {
    if (run == run_) commit();
  });
}

void SimNode::commit() {
  committing_ = false;
  std::deque<Command> group = std::exchange(queue_, {});
  mesh::Actions out;
  for (Command& command : group) {
    commit(command, out);
    if (!up()) return;
  }
  act(out);
  tick();
}

void SimNode::commit(Command& command, mesh::Actions& out) {
  if (!command.events.empty()) publish_now(command, out);
  if (command.write) write_now(*command.write, out);
  if (command.other) command.other();
}

void SimNode::publish_now(Command& command, mesh::Actions& out) {
  const mesh::Now now = world_.now(index_);
  for (StoredEvent& event : command.events) {
    bool is_new = false;
    const std::string stream = event.topic.substr(0, 5) == "alarm" ? "alarms" : "events";
    ModelLog& log = store_.own_log(stream, is_new);
    event.recorded = now.wall;
    const std::string id = event.id;
    if (is_new) mesh_->on_log_opened(log.record, now, out);
    store_.append(log, std::move(event));
    world_.note_stored(log.record.id, log.record.head, id);
    world_.note_published(id, log.record.id, log.record.head);
    const mesh::Head head{log.record.no, log.record.head, id};
    mesh_->on_committed({&head, 1}, now, out);
    read_all(log.record.no);
  }
}

void SimNode::write_now(mesh::WriteCopy& action, mesh::Actions& out) {
  const mesh::Now now = world_.now(index_);
  if (full_) {
    mesh_->on_written(action.token, fail(Errc::Full, "model: full"), now, out);
    return;
  }
  bool is_new = false;
  const auto no = store_.write(action.write, is_new);
  if (!no) world_.trace(id_of(index_) + " refuses a write: " + no.error().message);
  if (no) {
    const ModelLog& log = store_.all()[*no];
    world_.trace(id_of(index_) + " has " + std::to_string(*no) + " " + log.record.id.text() +
                 " upto " + std::to_string(log.record.head) + " whole " +
                 std::to_string(log.record.whole_from) +
                 (action.write.backfill ? " backfill " + std::to_string(action.write.upto) : ""));
    if (action.write.events) {
      for (const EventView& event : action.write.events->events()) {
        world_.note_stored(log.record.id, event.position.seq(), event.id_text());
        ++world_.copied;
      }
    }
    if (is_new) mesh_->on_log_opened(log.record, now, out);
    if (!action.write.backfill) mesh_->on_copied(log.record, now, out);
    if (action.write.backfill || action.write.begin_backfill || action.write.end_backfill) {
      mesh_->on_backfilled(log.record, log.backfill, now, out);
    }
  }
  mesh_->on_written(action.token, no, now, out);
  if (no) read_all(*no);
}

void SimNode::read_all(std::uint32_t log) {
  for (const auto& [id, interest] : readers_) read(id, log);
}

// What the reader may see of a log it sees at once.
void SimNode::read(std::uint64_t reader, std::uint32_t no) {
  const auto interest = readers_.find(reader);
  const auto found = store_.all().find(no);
  if (interest == readers_.end() || found == store_.all().end()) return;
  const ModelLog& log = found->second;
  const auto place = places_.find({reader, no});
  if (!log.record.open && place == places_.end()) return;
  auto& cursors = interest->second.cursors;
  std::uint64_t cursor = log.record.open ? 0 : place->second.after;
  const auto known = cursors.find(no);
  if (known != cursors.end()) cursor = known->second;
  std::uint64_t upto = log.record.head;
  if (!log.record.open) upto = std::min(upto, place->second.upto);
  if (known != cursors.end() && upto <= cursor) return;
  for (auto i = log.events.upper_bound(cursor); i != log.events.end() && i->first <= upto; ++i) {
    if (!matches_any(interest->second, i->second.topic)) continue;
    delivered_[reader].insert(i->second.id);
    std::uint64_t& last = last_[{reader, no}];
    world_.expect(i->first > last, "reader " + std::to_string(reader) + " at " + id_of(index_) +
                                       " sees " + log.record.id.text() + " out of order");
    last = i->first;
  }
  for (const auto& [from, gap] : log.gaps) {
    if (gap.to <= cursor || gap.from > upto) continue;
    Gap part = gap;
    part.from = std::max(part.from, cursor + 1);
    part.to = std::min(part.to, upto);
    gaps_[reader][log.record.id.text()].push_back(part);
    for (std::uint64_t seq = part.from; seq <= part.to; ++seq) {
      if (log.events.contains(seq)) continue;
      ++gap_positions_[reader];
      ++world_.gaps[gap.reason];
    }
    world_.trace(id_of(index_) + " reader " + std::to_string(reader) + " gap " +
                 log.record.id.text() + " " + std::to_string(part.from) + ".." +
                 std::to_string(part.to) + " " + gap.reason);
  }
  cursors[no] = std::max(cursor, upto);
  if (interest->second.durable) store_.consumers()[reader].cursors[no] = cursors[no];
  mesh::Actions out;
  mesh_->move_cursor(reader, no, cursors[no], world_.now(index_), out);
  act(out);
}

bool SimNode::gap_covers(std::uint64_t reader, const LogId& log, std::uint64_t seq) {
  const auto& list = gaps_[reader][log.text()];
  return std::any_of(list.begin(), list.end(),
                     [&](const Gap& gap) { return gap.from <= seq && seq <= gap.to; });
}

void SimNode::subscribe(std::uint64_t id, std::vector<std::string> filters, wire::Begin from) {
  mesh::Interest interest{
      .id = id, .name = std::to_string(id), .durable = true, .filters = {}, .cursors = {}};
  const auto before = store_.consumers().find(id);
  if (before != store_.consumers().end()) interest.cursors = before->second.cursors;
  for (std::string& filter : filters) interest.filters.push_back({std::move(filter), from});
  store_.consumers()[id] = interest;
  if (!up()) return;
  readers_[id] = interest;
  mesh::Actions out;
  mesh_->put_interest(std::move(interest), world_.now(index_), out);
  act(out);
  for (const auto& [no, log] : store_.all()) read(id, no);
  tick();
}

void SimNode::listen(std::uint64_t id, std::vector<std::string> filters) {
  if (!up()) return;
  mesh::Interest interest{
      .id = id, .name = std::to_string(id), .durable = false, .filters = {}, .cursors = {}};
  const wire::Begin from{wire::Begin::At::Time, 0, world_.now(index_).wall};
  for (std::string& filter : filters) interest.filters.push_back({std::move(filter), from});
  readers_[id] = interest;
  mesh::Actions out;
  mesh_->put_interest(std::move(interest), world_.now(index_), out);
  act(out);
  tick();
}

void SimNode::unsubscribe(std::uint64_t id) {
  store_.consumers().erase(id);
  readers_.erase(id);
  std::erase_if(places_, [&](const auto& item) { return item.first.first == id; });
  std::erase_if(last_, [&](const auto& item) { return item.first.first == id; });
  if (!up()) return;
  mesh::Actions out;
  mesh_->drop_interest(id, world_.now(index_), out);
  act(out);
  tick();
}

void SimNode::publish(const std::string& topic, std::size_t count, std::size_t bytes) {
  if (!up()) return;
  Command command;
  for (std::size_t i = 0; i < count; ++i) {
    const std::string id = id_of(index_) + "/" + std::to_string(world_.published.size());
    world_.published[id].topic = topic;
    command.events.push_back({id, topic, bytes, {}});
  }
  enqueue(std::move(command));
}

void SimNode::trim_now(Duration older_than) {
  if (!up()) return;
  const mesh::Now now = world_.now(index_);
  mesh::Actions out;
  for (const std::uint32_t no : store_.trim(now.wall - older_than, pins_)) {
    const LogRecord& record = store_.all()[no].record;
    world_.trace(id_of(index_) + " trims " + record.id.text() + " below " +
                 std::to_string(record.first));
    mesh_->on_trimmed(no, record.first, now, out);
  }
  act(out);
  tick();
}

void SimNode::trim() {
  const std::uint64_t run = run_;
  world_.at(std::chrono::seconds(1), [this, run] {
    if (run != run_) return;
    trim_now(*world_.options().retain);
    trim();
  });
}

void SimNode::on_session_up(const mesh::SessionInfo& session) {
  if (!up()) return;
  mesh::Actions out;
  mesh_->on_session_up(session, world_.now(index_), out);
  act(out);
  tick();
}

void SimNode::on_frame(mesh::SessionId session, wire::LinkFrame frame) {
  if (!up()) return;
  mesh::Actions out;
  mesh_->on_frame(session, std::move(frame), world_.now(index_), out);
  act(out);
  tick();
}

void SimNode::on_session_down(mesh::SessionId session, const Error& why) {
  if (!up()) return;
  mesh::Actions out;
  mesh_->on_session_down(session, why, world_.now(index_), out);
  act(out);
  tick();
}

void SimNode::on_dial_failed(const std::string& address) {
  if (!up()) return;
  mesh::Actions out;
  mesh_->on_dial_failed(address, false, world_.now(index_), out);
  act(out);
  tick();
}

}  // namespace marram::sim
