#include "core/store/event_table.h"

#include <algorithm>

#include "core/store/header_json.h"

namespace marram::store {

namespace {

Result<std::optional<EventTable::Mark>> look_up(Statement& statement, Position from, Position to) {
  const auto row = statement.bind(1, from.packed()).bind(2, to.packed()).step();
  if (!row) return tl::unexpected(row.error());
  std::optional<EventTable::Mark> mark;
  if (*row) {
    mark = {Position::from_packed(statement.number(0)).seq(),
            WallTime(Duration(statement.number(1))),
            static_cast<std::uint64_t>(statement.number(2))};
    statement.reset();
  }
  return mark;
}

}  // namespace

Status EventTable::prepare(Connection& connection) {
  constexpr const char* kColumns =
      "INTO event (position, recorded, total, time, expires, id, topic, key, content_type, "
      "client, headers, payload) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)";
  return Preparer(connection)
      .add(insert_.statement, std::string("INSERT ") + kColumns)
      .add(insert_absent_.statement, std::string("INSERT OR IGNORE ") + kColumns)
      .add(erase_, "DELETE FROM event WHERE position BETWEEN ?1 AND ?2")
      .add(first_,
           "SELECT position, recorded, total FROM event WHERE position BETWEEN ?1 AND ?2 "
           "ORDER BY position LIMIT 1")
      .add(last_,
           "SELECT position, recorded, total FROM event WHERE position BETWEEN ?1 AND ?2 "
           "ORDER BY position DESC LIMIT 1")
      .add(weigh_,
           "SELECT max(total), sum(max(-total, 0)) FROM event WHERE position BETWEEN ?1 AND ?2")
      .add(count_, "SELECT count(*) FROM event WHERE position BETWEEN ?1 AND ?2")
      .add(walk_,
           "SELECT position, total FROM event WHERE position BETWEEN ?1 AND ?2 "
           "ORDER BY position")
      .done();
}

// Most events lack most of them, and NULL need not be bound again.
void EventTable::bind_optional(Insert& insert, int parameter, std::string_view text) {
  const std::uint32_t bit = 1U << parameter;
  if (!text.empty()) {
    insert.statement.bind(parameter, text);
    insert.bound |= bit;
  } else if ((insert.bound & bit) != 0) {
    insert.statement.bind_null(parameter);
    insert.bound &= ~bit;
  }
}

Status EventTable::run(Insert& insert, const EventView& event, std::int64_t total) {
  Statement& row = insert.statement;
  row.bind(1, event.position.packed())
      .bind(2, event.recorded.time_since_epoch().count())
      .bind(3, total)
      .bind(4, event.time.time_since_epoch().count());
  if (event.expires == WallTime()) {
    row.bind_null(5);
  } else {
    row.bind(5, event.expires.time_since_epoch().count());
  }
  if (event.id.empty()) {
    const auto& bytes = event.uuid.bytes;
    row.bind_blob(6, {reinterpret_cast<const char*>(bytes.data()), bytes.size()});
  } else {
    row.bind(6, event.id);
  }
  row.bind(7, event.topic);
  bind_optional(insert, 8, event.key);
  bind_optional(insert, 9, event.content_type);
  bind_optional(insert, 10, event.client);
  headers_.clear();
  if (!event.headers.empty()) append_header_json(headers_, event.headers);
  bind_optional(insert, 11, headers_);
  row.bind_blob(12, event.payload);
  return row.run();
}

Status EventTable::insert(const EventView& event, std::uint64_t total) {
  return run(insert_, event, static_cast<std::int64_t>(total));
}

Result<bool> EventTable::insert_absent(const EventView& event, std::uint64_t total) {
  return run_absent(event, static_cast<std::int64_t>(total));
}

Result<bool> EventTable::backfill(const EventView& event) {
  return run_absent(event, -static_cast<std::int64_t>(event.bytes()));
}

Result<bool> EventTable::run_absent(const EventView& event, std::int64_t total) {
  if (auto status = run(insert_absent_, event, total); !status) {
    return tl::unexpected(status.error());
  }
  return insert_absent_.statement.changes() > 0;
}

Result<std::uint64_t> EventTable::erase(Position from, Position to) {
  auto status = erase_.bind(1, from.packed()).bind(2, to.packed()).run();
  if (!status) return tl::unexpected(status.error());
  return static_cast<std::uint64_t>(erase_.changes());
}

Result<std::optional<EventTable::Mark>> EventTable::first(Position from, Position to) {
  return look_up(first_, from, to);
}

Result<std::optional<EventTable::Mark>> EventTable::last(Position from, Position to) {
  return look_up(last_, from, to);
}

Result<EventTable::Weight> EventTable::weigh(Position from, Position to, std::uint64_t trimmed) {
  const auto row = weigh_.bind(1, from.packed()).bind(2, to.packed()).step();
  if (!row) return tl::unexpected(row.error());
  const auto highest = static_cast<std::uint64_t>(std::max<std::int64_t>(weigh_.number(0), 0));
  const std::uint64_t total = std::max(highest, trimmed);
  const auto backfilled = static_cast<std::uint64_t>(weigh_.number(1));
  weigh_.reset();
  return Weight{total, total - trimmed + backfilled};
}

Result<std::uint64_t> EventTable::count(Position from, Position to) {
  const auto row = count_.bind(1, from.packed()).bind(2, to.packed()).step();
  if (!row) return tl::unexpected(row.error());
  const auto rows = static_cast<std::uint64_t>(count_.number(0));
  count_.reset();
  return rows;
}

Result<std::optional<std::uint64_t>> EventTable::reach(Position from, Position to,
                                                       const Measure& measure) {
  walk_.bind(1, from.packed()).bind(2, to.packed());
  auto before = static_cast<std::int64_t>(measure.trimmed);
  std::uint64_t bytes = 0;
  for (std::uint64_t rows = 1;; ++rows) {
    const auto row = walk_.step();
    if (!row) return tl::unexpected(row.error());
    if (!*row) return std::optional<std::uint64_t>();
    const std::int64_t total = walk_.number(1);
    bytes += static_cast<std::uint64_t>(total < 0 ? -total : std::max(total - before, 0L));
    if (total > 0) before = total;
    if (bytes < measure.bytes && rows < measure.rows) continue;
    const std::uint64_t seq = Position::from_packed(walk_.number(0)).seq();
    walk_.reset();
    return std::optional(seq);
  }
}

}  // namespace marram::store
