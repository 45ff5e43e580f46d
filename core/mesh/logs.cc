#include "core/mesh/logs.h"

#include <algorithm>
#include <charconv>

namespace marram::mesh {

std::uint64_t start_number(const std::string& epoch) {
  std::uint64_t number = 0;
  std::from_chars(epoch.data(), epoch.data() + epoch.size(), number);
  return number;
}

Log* Logs::add(const LogId& id, bool always, bool& is_new) {
  is_new = false;
  if (Log* const known = find(id)) return known;
  if (logs_.size() >= logs_max_ && !always) return nullptr;
  is_new = true;
  const std::uint32_t index = next_++;
  auto log = std::make_unique<Log>();
  log->index = index;
  log->id = id;
  by_id_[id] = index;
  by_stream_[id.stream].insert(index);
  by_index_[index] = log.get();
  return (logs_[index] = std::move(log)).get();
}

Log* Logs::find(const LogId& id) {
  const auto found = by_id_.find(id);
  return found == by_id_.end() ? nullptr : at(found->second);
}

Log* Logs::find_no(std::uint32_t no) {
  const auto found = by_no_.find(no);
  return found == by_no_.end() ? nullptr : at(found->second);
}

Log* Logs::at(std::uint32_t index) {
  const auto found = by_index_.find(index);
  return found == by_index_.end() ? nullptr : found->second;
}

void Logs::set_record(Log& log, const LogRecord& record) {
  log.record = record;
  by_no_[record.no] = log.index;
}

void Logs::forget(std::uint32_t index) {
  const auto found = logs_.find(index);
  if (found == logs_.end()) return;
  if (found->second->record) by_no_.erase(found->second->record->no);
  by_id_.erase(found->second->id);
  const auto stream = by_stream_.find(found->second->id.stream);
  stream->second.erase(index);
  if (stream->second.empty()) by_stream_.erase(stream);
  by_index_.erase(index);
  logs_.erase(found);
}

bool Logs::any_of_origin(const LogId& id, const std::function<bool(const Log&)>& is_so) const {
  for (auto i = by_id_.lower_bound({id.origin, {}, {}});
       i != by_id_.end() && i->first.origin == id.origin; ++i) {
    if (i->first.stream == id.stream && is_so(*logs_.at(i->second))) return true;
  }
  return false;
}

std::set<std::string> Logs::streams() const {
  std::set<std::string> names;
  for (const auto& [name, logs] : by_stream_) names.insert(name);
  return names;
}

bool Logs::any_of_stream(const std::string& stream,
                         const std::function<bool(const Log&)>& is_so) const {
  const auto found = by_stream_.find(stream);
  return found != by_stream_.end() &&
         std::any_of(found->second.begin(), found->second.end(),
                     [&](std::uint32_t index) { return is_so(*logs_.at(index)); });
}

}  // namespace marram::mesh
