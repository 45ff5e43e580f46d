// What the writer tells other threads about the store, kept up to date by it.
#pragma once

#include <algorithm>
#include <optional>

#include "core/base/mailbox.h"
#include "core/store/records.h"

namespace marram::store {

// Threads: any.
class Board {
 public:
  StoreStatus status() const {
    return status_.with([](const StoreStatus& status) { return status; });
  }

  std::vector<LogRecord> logs() const {
    return status_.with([](const StoreStatus& status) { return status.logs; });
  }

  std::optional<LogRecord> log(std::uint32_t no) const {
    return status_.with([&](const StoreStatus& status) -> std::optional<LogRecord> {
      const auto at = place(status.logs, no);
      if (at == status.logs.end() || at->no != no) return {};
      return *at;
    });
  }

  // Calls `change` with the status, which it may change but for its logs.
  template <class Change>
  void update(Change change) {
    status_.with([&](StoreStatus& status) { change(status); });
  }

  static void put(StoreStatus& status, const LogRecord& log) {
    const auto at = place(status.logs, log.no);
    if (at == status.logs.end() || at->no != log.no) {
      status.logs.insert(at, log);
      return;
    }
    auto& kept = *(status.logs.begin() + (at - status.logs.cbegin()));
    kept.open = log.open;
    kept.first = log.first;
    kept.head = log.head;
    kept.head_id = log.head_id;
    kept.whole_from = log.whole_from;
    if (kept.filters != log.filters) kept.filters = log.filters;
    kept.events = log.events;
    kept.bytes = log.bytes;
  }

  static void erase(StoreStatus& status, std::uint32_t no) {
    const auto at = place(status.logs, no);
    if (at != status.logs.end() && at->no == no) status.logs.erase(at);
  }

 private:
  static std::vector<LogRecord>::const_iterator place(const std::vector<LogRecord>& logs,
                                                      std::uint32_t no) {
    return std::lower_bound(
        logs.begin(), logs.end(), no,
        [](const LogRecord& log, std::uint32_t wanted) { return log.no < wanted; });
  }

  mutable Guarded<StoreStatus> status_;
};

}  // namespace marram::store
