// The readers of a simulated node.
#include <fmt/format.h>

#include <algorithm>

#include "tests/sim/world/sim_node.h"

namespace marram::sim {

namespace {

constexpr Duration kAgain = std::chrono::seconds(1);

std::vector<FilterRecord> filters_of(const mesh::Interest& interest) {
  std::vector<FilterRecord> filters;
  for (const auto& filter : interest.filters) filters.push_back({filter.filter, {}});
  return filters;
}

}  // namespace

// As the store kept them.
void SimNode::load_readers() {
  for (const ConsumerRecord& record : store_.consumers()) {
    const std::uint64_t id = std::stoull(record.name);
    consumers_[id] = record.no;
    mesh::Interest& interest = readers_[id];
    interest = {.id = id, .name = record.name, .durable = true, .filters = {}, .cursors = {}};
    for (const FilterRecord& filter : record.filters) {
      interest.filters.push_back({filter.filter, {.seq = record.start.seq}});
    }
    interest.cursors.insert(record.cursors.begin(), record.cursors.end());
  }
  for (const auto& [id, wish] : wishes_) make_later(id, Duration(1));
}

bool SimNode::put_consumer(const mesh::Interest& interest) {
  const auto known = consumers_.find(interest.id);
  ConsumerRecord record;
  record.no = known == consumers_.end() ? 0 : known->second;
  record.name = interest.name;
  record.filters = filters_of(interest);
  record.start = {Start::At::Seq, interest.filters.front().from.seq, {}};
  record.created = record.seen = wall();
  Result<std::uint32_t> made = fail(Errc::TimedOut, "no answer");
  store::Command command = store::PutConsumerCommand{
      std::move(record), [&](Result<std::uint32_t> no) { made = std::move(no); }};
  store_.run({&command, 1});
  if (made) consumers_[interest.id] = *made;
  return made.has_value();
}

void SimNode::subscribe(std::uint64_t id, std::vector<std::string> filters, wire::Begin from) {
  mesh::Interest interest{
      .id = id, .name = std::to_string(id), .durable = true, .filters = {}, .cursors = {}};
  for (std::string& filter : filters) interest.filters.push_back({std::move(filter), from});
  made_.emplace(id, world_.time());
  make(std::move(interest));
}

void SimNode::make(mesh::Interest interest) {
  const std::uint64_t id = interest.id;
  if (up() && put_consumer(interest)) {
    if (const auto before = readers_.find(id); before != readers_.end()) {
      interest.cursors = before->second.cursors;
    }
    readers_[id] = interest;
    mesh_->put_interest(std::move(interest), world_.now(index_), out_);
    for (const auto& [no, log] : ids_) touched_.insert(no);
    after_store(store_.tend(true));
    return;
  }
  wishes_[id] = std::move(interest);
  if (up()) make_later(id, kAgain);
}

void SimNode::make_later(std::uint64_t id, Duration in) {
  world_.at(in, [this, id, run = run_] {
    if (run != run_) return;
    if (auto wish = wishes_.extract(id)) make(std::move(wish.mapped()));
  });
}

void SimNode::listen(std::uint64_t id, std::vector<std::string> filters) {
  if (!up()) return;
  mesh::Interest interest{
      .id = id, .name = std::to_string(id), .durable = false, .filters = {}, .cursors = {}};
  made_.emplace(id, world_.time());
  const wire::Begin from{wire::Begin::At::Time, 0, world_.now(index_).wall};
  for (std::string& filter : filters) interest.filters.push_back({std::move(filter), from});
  readers_[id] = interest;
  mesh::Actions out;
  mesh_->put_interest(std::move(interest), world_.now(index_), out);
  act(out);
  tick();
}

void SimNode::unsubscribe(std::uint64_t id) {
  readers_.erase(id);
  wishes_.erase(id);
  std::erase_if(places_, [&](const auto& item) { return item.first.first == id; });
  std::erase_if(last_, [&](const auto& item) { return item.first.first == id; });
  if (!up()) return;
  mesh_->drop_interest(id, world_.now(index_), out_);
  if (const auto known = consumers_.find(id); known != consumers_.end()) {
    enqueue(store::RemoveConsumerCommand{known->second, [](const Status&) {}});
    consumers_.erase(known);
  }
  mesh::Actions out = std::exchange(out_, {});
  act(out);
  tick();
}

void SimNode::read_touched() {
  for (const std::uint32_t log : std::exchange(touched_, {})) {
    // What a reader is told can bring others, or end them.
    std::vector<std::uint64_t> readers;
    for (const auto& [id, interest] : readers_) readers.push_back(id);
    for (const std::uint64_t reader : readers) read(reader, log);
  }
}

// What the reader may see of a log it sees at once.
void SimNode::read(std::uint64_t reader, std::uint32_t no) {
  const auto interest = readers_.find(reader);
  const auto log = store_.log(no);
  if (interest == readers_.end() || !log) return;
  const auto place = places_.find({reader, no});
  if (!log->open && place == places_.end()) return;
  const auto known = interest->second.cursors.find(no);
  const bool begun = known != interest->second.cursors.end();
  std::uint64_t cursor = begun ? known->second : log->open ? 0 : place->second.after;
  const std::uint64_t upto = log->open ? log->head : std::min(log->head, place->second.upto);
  if (begun && upto <= cursor) return;
  while (cursor < upto) {
    const auto found =
        store_.read({.log = no, .after = cursor, .filters = filters_of(interest->second)});
    if (!found || found->upto <= cursor) break;
    take(reader, *log, *found, upto);
    cursor = std::min(found->upto, upto);
  }
  move(interest->second, no, cursor);
}

void SimNode::take(std::uint64_t reader, const LogRecord& log, const ReadResult& found,
                   std::uint64_t upto) {
  for (const EventView& event : found.batch->events()) {
    const std::uint64_t seq = event.position.seq();
    if (seq > upto) break;
    delivered_[reader].insert(event.id_text());
    world_.note_stored(log.id, seq, event.id_text());
    std::uint64_t& last = last_[{reader, log.no}];
    if (seq <= last) {
      world_.expect(false, fmt::format("reader {} at {} sees {} {} after {}", reader, id_of(index_),
                                       log.id.text(), seq, last));
    }
    last = seq;
  }
  for (Gap gap : found.gaps) {
    gap.to = std::min(gap.to, upto);
    if (gap.from <= gap.to) take_gap(reader, log, gap);
  }
}

void SimNode::take_gap(std::uint64_t reader, const LogRecord& log, const Gap& gap) {
  gaps_[reader][log.id.text()].push_back(gap);
  gap_positions_[reader] += gap.to - gap.from + 1;
  // For one that passes nothing is held, and history may go while its node is cut off.
  const auto one = readers_.find(reader);
  const bool passes = one == readers_.end() || !one->second.durable;
  if (passes && world_.options().retain) return;
  const std::uint64_t before = world_.trimmed_by(log.id, index_, made_[reader]);
  if (before < gap.to) world_.gaps[gap.reason] += gap.to - std::max(gap.from - 1, before);
  world_.trace(fmt::format("{} reader {} gap {} {}..{} {}", id_of(index_), reader, log.id.text(),
                           gap.from, gap.to, gap.reason));
}

// A durable reader has moved when that is on disk.
void SimNode::move(mesh::Interest& interest, std::uint32_t log, std::uint64_t upto) {
  interest.cursors[log] = upto;
  if (const auto known = consumers_.find(interest.id); known != consumers_.end()) {
    enqueue(store::SaveCursorsCommand{{{known->second, log, upto}}});
    return;
  }
  mesh::Actions out;
  mesh_->move_cursor(interest.id, log, upto, world_.now(index_), out);
  act(out);
}

bool SimNode::gap_covers(std::uint64_t reader, const LogId& log, std::uint64_t seq) {
  const auto& list = gaps_[reader][log.text()];
  return std::any_of(list.begin(), list.end(),
                     [&](const Gap& gap) { return gap.from <= seq && seq <= gap.to; });
}

}  // namespace marram::sim
