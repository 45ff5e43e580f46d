// What the store keeps besides events, as values.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/base/clock.h"
#include "core/event/bus.h"
#include "core/event/event.h"
#include "core/event/filter_record.h"
#include "core/event/log_record.h"
#include "core/event/stream.h"

namespace marram {

struct ConsumerRecord {
  std::uint32_t no = 0;  // given by the store, never used twice
  std::string name;
  std::vector<FilterRecord> filters;
  Start start;
  std::string attributes;
  WallTime created{};
  WallTime seen{};  // when it last had a member
  // Per log: everything up to here is settled, or does not match.
  std::map<std::uint32_t, std::uint64_t> cursors;
};

struct CursorMove {
  std::uint32_t consumer;
  std::uint32_t log;
  std::uint64_t upto;
};

struct StoreStatus {
  std::uint64_t events = 0;      // stored
  std::uint64_t bytes = 0;       // of the file that hold something
  std::uint64_t file_bytes = 0;  // database and WAL
  std::uint64_t max_bytes = 0;
  std::uint64_t disk_free_bytes = 0;
  std::uint64_t appended = 0;  // since start
  std::uint64_t refused_full = 0;
  std::uint64_t commits = 0;
  std::uint64_t commit_micros = 0;               // their sum
  std::map<std::string, std::uint64_t> dropped;  // by reason, undelivered events
  bool full = false;
  std::string failure;      // not empty: the disk failed, nothing is accepted
  std::string quarantined;  // file name of a damaged database set aside at start
  std::vector<LogRecord> logs;
};

}  // namespace marram
