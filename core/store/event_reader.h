// Reads stretches of logs.
//
// Single-threaded; one read transaction a call, over a bounded number of rows,
// so that it never keeps the write-ahead log from being used again for long.
//
// Where rows are missing a gap is said if one is recorded; else, from `whole_from` on,
// "corrupt"; below it nothing, as nobody here knows what was there.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/ids.h"
#include "core/event/event.h"
#include "core/store/sqlite.h"
#include "core/store/store.h"

namespace marram::store {

class EventReader {
 public:
  // `connection` outlives the object.
  explicit EventReader(Connection& connection) : connection_(connection) {}

  // Errors: NotFound  no such log;  Corrupt, Io
  Result<ReadResult> read(const Store::ReadRequest& request);
  Result<std::uint64_t> find_time(std::uint32_t log, WallTime time);

 private:
  struct Span {
    std::uint64_t first = 1;
    std::uint64_t head = 0;
    std::uint64_t whole_from = 1;
  };
  class Holes;  // says what is missing

  Status prepare();
  Result<Span> span(std::uint32_t log);
  Result<ReadResult> read_rows(const Store::ReadRequest& request);
  // The event of the row that select_ is at; borrows from it.
  EventView row_event();
  // Of the first event in the stretch; the end of time when there is none.
  Result<WallTime> recorded(Position from, Position to);

  Connection& connection_;
  bool prepared_ = false;
  Statement begin_;
  Statement end_;
  Statement span_;
  Statement select_;
  Statement gaps_;
  Statement recorded_;
  std::string headers_;
  UuidMaker ids_;
};

}  // namespace marram::store
