// Durable consumers: names, filters and cursors.
//
// Like the other tables it is part of the open transaction, and is loaded again
// after a failed one.
#pragma once

#include <map>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/base/limits.h"
#include "core/store/records.h"
#include "core/store/sqlite.h"

namespace marram::store {

struct StoredConsumer {
  ConsumerRecord record;
  std::vector<bool> concerns;  // by stream, for core/store/holds.h; empty: to be found out
};

class ConsumerTable {
 public:
  Status load(Connection& connection);

  // Whether put() can be done.  Errors: Exists, NotFound, TooLarge
  Status check(const ConsumerRecord& record, const Limits& limits) const;
  // Makes the consumer (record.no is 0), or replaces filters, attributes and seen.
  Result<std::uint32_t> put(ConsumerRecord record);
  Status remove(std::uint32_t no);

  // Never goes back; a consumer that is not there is passed over.
  Status move(const CursorMove& move, WallTime now);

  bool contains(std::uint32_t no) const { return consumers_.contains(no); }
  std::map<std::uint32_t, StoredConsumer>& all() { return consumers_; }
  // Grows with every change that can hold back more than before.
  std::uint64_t lowered() const { return lowered_; }
  // Forgets the cursors in a log that is no more.
  Status forget_log(std::uint32_t log);

 private:
  Status prepare(Connection& connection);
  Status load_consumers(Connection& connection);
  Status load_filters(Connection& connection);
  Status load_cursors(Connection& connection);
  Status insert(ConsumerRecord& record);
  Status write_filters(const ConsumerRecord& record);
  Status write_cursor(std::uint32_t no, std::uint32_t log, std::uint64_t upto);

  std::map<std::uint32_t, StoredConsumer> consumers_;
  std::unordered_map<std::string, std::uint32_t> by_name_;
  std::uint64_t lowered_ = 0;
  Statement next_no_;
  Statement insert_;
  Statement update_;
  Statement see_;
  Statement remove_;
  Statement remove_filters_;
  Statement insert_filter_;
  Statement remove_cursors_;
  Statement put_cursor_;
  Statement forget_log_;
};

}  // namespace marram::store
