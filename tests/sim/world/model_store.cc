#include "tests/sim/world/model_store.h"

#include <algorithm>

#include "core/event/topic.h"

namespace marram::sim {

void ModelStore::start(std::uint64_t random) {
  end_epoch();
  random_ = random;
  for (auto& [no, log] : logs_) log.record.open = false;
}

std::vector<LogRecord> ModelStore::logs() const {
  std::vector<LogRecord> list;
  for (const auto& [no, log] : logs_) list.push_back(log.record);
  return list;
}

MeshRecords ModelStore::mesh_records() const {
  MeshRecords records;
  for (const auto& [no, log] : logs_) {
    if (log.backfill) records.backfills[no] = *log.backfill;
  }
  for (const auto& [key, hold] : holds_) records.holds.push_back(hold);
  records.facts = facts_;
  return records;
}

ModelLog* ModelStore::find(const LogId& id) {
  for (auto& [no, log] : logs_) {
    if (log.record.id == id) return &log;
  }
  return nullptr;
}

ModelLog& ModelStore::own_log(const std::string& stream, bool& is_new) {
  is_new = !open_.contains(stream);
  if (is_new) {
    if (epoch_.empty()) {
      runs_ = std::max(runs_, facts_.runs) + 1;
      epoch_ = std::to_string(runs_) + "-" + std::to_string(random_);
    }
    const std::uint32_t no = next_no_++;
    LogRecord& record = logs_[no].record;
    record.no = no;
    record.id = {node_id_, epoch_, stream};
    record.open = true;
    open_[stream] = no;
  }
  return logs_[open_[stream]];
}

void ModelStore::append(ModelLog& log, StoredEvent event) {
  const std::uint64_t seq = ++log.record.head;
  log.record.head_id = event.id;
  log.events[seq] = std::move(event);
}

Result<std::uint32_t> ModelStore::write(const CopyWrite& write, bool& is_new) {
  ModelLog* log = find(write.log);
  is_new = log == nullptr;
  if (is_new) {
    if (write.backfill) return fail(Errc::Invalid, "model: a backfill of no copy");
    const std::uint32_t no = next_no_++;
    log = &logs_[no];
    log->record.no = no;
    log->record.id = write.log;
    log->record.first = log->record.whole_from = write.after + 1;
    log->record.head = write.after;
  }
  LogRecord& record = log->record;
  if (record.open) return fail(Errc::Invalid, "model: a copy of a log that is written here");
  if (write.begin_backfill) log->backfill = write.begin_backfill;
  const std::uint64_t at =
      write.backfill ? (log->backfill ? log->backfill->upto : UINT64_MAX) : record.head;
  if (at != write.after || write.upto < write.after) {
    return fail(Errc::Invalid, "model: the copy stands at " + std::to_string(at) + ", not at " +
                                   std::to_string(write.after));
  }
  if (write.events) {
    for (const EventView& event : write.events->events()) {
      log->events.emplace(event.position.seq(),
                          StoredEvent{event.id_text(), std::string(event.topic),
                                      event.payload.size(), event.recorded});
    }
  }
  for (const Gap& gap : write.gaps) log->gaps[gap.from] = {record.no, gap.from, gap.to, gap.reason};
  if (write.backfill) {
    log->backfill->upto = write.upto;
    record.first = std::min(record.first, log->backfill->from);
  } else {
    record.head = write.upto;
    const auto last = log->events.find(record.head);
    record.head_id = last == log->events.end() ? "" : last->second.id;
  }
  if (write.whole_from) record.whole_from = *write.whole_from;
  if (write.filters) record.filters = *write.filters;
  if (write.end_backfill) log->backfill.reset();
  return record.no;
}

void ModelStore::move_hold(const HoldMove& move) {
  const auto found = holds_.find({move.peer, move.stream});
  if (found == holds_.end()) return;
  std::uint64_t& acked = found->second.acked[move.log];
  acked = std::max(acked, move.acked);
}

bool ModelStore::forget(std::uint32_t no) {
  const auto found = logs_.find(no);
  if (found == logs_.end() || found->second.record.open || !found->second.events.empty()) {
    return false;
  }
  logs_.erase(found);
  for (auto& [key, hold] : holds_) hold.acked.erase(no);
  for (auto& [id, consumer] : consumers_) consumer.cursors.erase(no);
  return true;
}

Result<ReadResult> ModelStore::read(const mesh::ReadEvents& read) const {
  const auto found = logs_.find(read.log);
  if (found == logs_.end()) return fail(Errc::NotFound, "model: no such log");
  const ModelLog& log = found->second;
  auto batch = std::make_shared<EventBatch>();
  UuidMaker ids;
  ReadResult result;
  result.first = log.record.first;
  result.upto = log.record.head;
  std::size_t rows = 0;
  std::size_t bytes = 0;
  std::string payload;
  for (auto i = log.events.upper_bound(read.after); i != log.events.end(); ++i) {
    if (i->first > log.record.head && !log.backfill) break;
    if (++rows > 1000 || batch->size() >= read.events_max || bytes >= read.bytes_max) {
      result.upto = std::prev(i)->first;
      break;
    }
    const bool matches_any =
        read.filters.empty() ||
        std::any_of(read.filters.begin(), read.filters.end(),
                    [&](const std::string& filter) { return matches(filter, i->second.topic); });
    if (!matches_any) continue;
    payload.assign(i->second.bytes, 'x');
    EventView event;
    event.topic = i->second.topic;
    event.id = i->second.id;
    event.payload = payload;
    event.recorded = i->second.recorded;
    event.position = Position(read.log, i->first);
    batch->add(event, i->second.recorded, ids);
    bytes += i->second.bytes + 64;
  }
  result.upto = std::max(result.upto, read.after);
  for (const auto& [from, gap] : log.gaps) {
    if (gap.to > read.after && gap.from <= result.upto) result.gaps.push_back(gap);
  }
  result.batch = std::move(batch);
  return result;
}

std::uint64_t ModelStore::find_time(std::uint32_t no, WallTime time) const {
  const auto found = logs_.find(no);
  if (found == logs_.end()) return 1;
  for (const auto& [seq, event] : found->second.events) {
    if (event.recorded >= time) return seq;
  }
  return found->second.record.head + 1;
}

std::uint64_t ModelStore::history(std::uint32_t no, const ModelLog& log) const {
  std::uint64_t upto = log.record.head;
  for (const auto& [id, consumer] : consumers_) {
    const auto cursor = consumer.cursors.find(no);
    upto = std::min(upto, cursor == consumer.cursors.end() ? 0 : cursor->second);
  }
  for (const auto& [key, hold] : holds_) {
    if (key.second != log.record.id.stream) continue;
    const auto acked = hold.acked.find(no);
    if (acked != hold.acked.end()) upto = std::min(upto, acked->second);
  }
  return upto;
}

std::vector<std::uint32_t> ModelStore::trim(WallTime time,
                                            const std::map<std::uint32_t, std::uint64_t>& pins) {
  std::vector<std::uint32_t> changed;
  for (auto& [no, log] : logs_) {
    std::uint64_t upto = history(no, log);
    const auto pin = pins.find(no);
    if (pin != pins.end()) upto = std::min(upto, pin->second);
    std::uint64_t last = 0;
    while (!log.events.empty()) {
      const auto first = log.events.begin();
      if (first->first > upto || first->second.recorded >= time) break;
      last = first->first;
      log.events.erase(first);
    }
    if (last == 0) continue;
    LogRecord& record = log.record;
    if (record.open) {
      log.gaps.clear();
      log.gaps[1] = {no, 1, last, "retention"};
    }
    record.first = std::max(record.first, last + 1);
    if (record.whole_from != 0) record.whole_from = std::max(record.whole_from, record.first);
    changed.push_back(no);
  }
  return changed;
}

}  // namespace marram::sim
