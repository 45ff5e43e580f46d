#include "core/store/event_table.h"

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
  return Preparer(connection)
      .add(insert_,
           "INSERT INTO event (position, recorded, total, time, expires, id, topic, key, "
           "content_type, client, headers, payload) "
           "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)")
      .add(erase_, "DELETE FROM event WHERE position BETWEEN ?1 AND ?2")
      .add(first_,
           "SELECT position, recorded, total FROM event WHERE position BETWEEN ?1 AND ?2 "
           "ORDER BY position LIMIT 1")
      .add(last_,
           "SELECT position, recorded, total FROM event WHERE position BETWEEN ?1 AND ?2 "
           "ORDER BY position DESC LIMIT 1")
      .done();
}

// Most events lack most of them, and NULL need not be bound again.
void EventTable::bind_optional(int parameter, std::string_view text) {
  const std::uint32_t bit = 1U << parameter;
  if (!text.empty()) {
    insert_.bind(parameter, text);
    bound_ |= bit;
  } else if ((bound_ & bit) != 0) {
    insert_.bind_null(parameter);
    bound_ &= ~bit;
  }
}

Status EventTable::insert(const EventView& event, std::uint64_t total) {
  insert_.bind(1, event.position.packed())
      .bind(2, event.recorded.time_since_epoch().count())
      .bind(3, static_cast<std::int64_t>(total))
      .bind(4, event.time.time_since_epoch().count());
  if (event.expires == WallTime()) {
    insert_.bind_null(5);
  } else {
    insert_.bind(5, event.expires.time_since_epoch().count());
  }
  if (event.id.empty()) {
    const auto& bytes = event.uuid.bytes;
    insert_.bind_blob(6, {reinterpret_cast<const char*>(bytes.data()), bytes.size()});
  } else {
    insert_.bind(6, event.id);
  }
  insert_.bind(7, event.topic);
  bind_optional(8, event.key);
  bind_optional(9, event.content_type);
  bind_optional(10, event.client);
  headers_.clear();
  if (!event.headers.empty()) append_header_json(headers_, event.headers);
  bind_optional(11, headers_);
  insert_.bind_blob(12, event.payload);
  return insert_.run();
}

Status EventTable::erase(Position from, Position to) {
  return erase_.bind(1, from.packed()).bind(2, to.packed()).run();
}

Result<std::optional<EventTable::Mark>> EventTable::first(Position from, Position to) {
  return look_up(first_, from, to);
}

Result<std::optional<EventTable::Mark>> EventTable::last(Position from, Position to) {
  return look_up(last_, from, to);
}

}  // namespace marram::store
