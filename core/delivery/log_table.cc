#include "core/delivery/log_table.h"

#include <charconv>

namespace marram {

namespace {

// The number that begins an epoch; 0 when there is none.
std::uint64_t start_number(const std::string& epoch) {
  std::uint64_t number = 0;
  std::from_chars(epoch.data(), epoch.data() + epoch.size(), number);
  return number;
}

}  // namespace

const KnownLog& LogTable::add(KnownLog log) {
  const auto lane =
      lanes_.try_emplace({log.id.origin, log.id.stream}, static_cast<std::uint32_t>(lanes_.size()));
  log.lane = lane.first->second;
  log.order = start_number(log.id.epoch);
  return logs_[log.no] = std::move(log);
}

const KnownLog* LogTable::find(std::uint32_t no) const {
  const auto found = logs_.find(no);
  return found == logs_.end() ? nullptr : &found->second;
}

KnownLog* LogTable::find(std::uint32_t no) {
  const auto found = logs_.find(no);
  return found == logs_.end() ? nullptr : &found->second;
}

}  // namespace marram
