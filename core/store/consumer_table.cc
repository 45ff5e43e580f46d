#include "core/store/consumer_table.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace marram::store {

namespace {

constexpr std::array<std::string_view, 4> kStarts = {"new", "earliest", "seq", "time"};

// How often a moving cursor is noted as a sign of life of its consumer.
constexpr Duration kSeenEvery = std::chrono::hours(1);

WallTime wall(std::int64_t micros) { return WallTime(Duration(micros)); }

std::int64_t start_value(const Start& start) {
  if (start.at == Start::At::Seq) return static_cast<std::int64_t>(start.seq);
  return start.at == Start::At::Time ? start.time.time_since_epoch().count() : 0;
}

Start read_start(std::string_view text, std::int64_t value) {
  Start start;
  const auto found = std::find(kStarts.begin(), kStarts.end(), text);
  if (found != kStarts.end()) start.at = static_cast<Start::At>(found - kStarts.begin());
  if (start.at == Start::At::Seq) start.seq = static_cast<std::uint64_t>(value);
  if (start.at == Start::At::Time) start.time = wall(value);
  return start;
}

}  // namespace

Status ConsumerTable::load(Connection& connection) {
  if (auto status = prepare(connection); !status) return status;
  if (auto status = load_consumers(connection); !status) return status;
  if (auto status = load_filters(connection); !status) return status;
  return load_cursors(connection);
}

Status ConsumerTable::prepare(Connection& connection) {
  return Preparer(connection)
      .add(next_no_,
           "INSERT INTO meta VALUES ('consumers', 1) ON CONFLICT DO UPDATE "
           "SET value = value + 1 RETURNING value")
      .add(insert_,
           "INSERT INTO consumer (no, name, start, start_value, attributes, created, seen) "
           "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)")
      .add(update_, "UPDATE consumer SET attributes = ?2, seen = ?3 WHERE no = ?1")
      .add(see_, "UPDATE consumer SET seen = ?2 WHERE no = ?1")
      .add(remove_, "DELETE FROM consumer WHERE no = ?1")
      .add(remove_filters_, "DELETE FROM filter WHERE consumer = ?1")
      .add(insert_filter_, "INSERT INTO filter VALUES (?1, ?2, ?3, ?4)")
      .add(remove_cursors_, "DELETE FROM cursor WHERE consumer = ?1")
      .add(put_cursor_,
           "INSERT INTO cursor VALUES (?1, ?2, ?3) ON CONFLICT DO UPDATE "
           "SET upto = excluded.upto")
      .add(forget_log_, "DELETE FROM cursor WHERE log = ?1")
      .done();
}

Status ConsumerTable::load_consumers(Connection& connection) {
  auto select = Statement::prepare(connection,
                                   "SELECT no, name, start, start_value, attributes, "
                                   "created, seen FROM consumer");
  if (!select) return tl::unexpected(select.error());
  for (;;) {
    const auto row = select->step();
    if (!row) return tl::unexpected(row.error());
    if (!*row) return {};
    ConsumerRecord record;
    record.no = static_cast<std::uint32_t>(select->number(0));
    record.name = select->text(1);
    record.start = read_start(select->text(2), select->number(3));
    record.attributes = select->text(4);
    record.created = wall(select->number(5));
    record.seen = wall(select->number(6));
    const std::uint32_t no = record.no;
    by_name_.emplace(record.name, no);
    consumers_.emplace(no, StoredConsumer{std::move(record), {}});
  }
}

Status ConsumerTable::load_filters(Connection& connection) {
  auto select = Statement::prepare(
      connection, "SELECT consumer, filter, \"after\" FROM filter ORDER BY consumer, no");
  if (!select) return tl::unexpected(select.error());
  for (;;) {
    const auto row = select->step();
    if (!row) return tl::unexpected(row.error());
    if (!*row) return {};
    const auto found = consumers_.find(static_cast<std::uint32_t>(select->number(0)));
    if (found == consumers_.end()) continue;
    found->second.record.filters.push_back({std::string(select->text(1)), wall(select->number(2))});
  }
}

Status ConsumerTable::load_cursors(Connection& connection) {
  auto select = Statement::prepare(connection, "SELECT consumer, log, upto FROM cursor");
  if (!select) return tl::unexpected(select.error());
  for (;;) {
    const auto row = select->step();
    if (!row) return tl::unexpected(row.error());
    if (!*row) return {};
    const auto found = consumers_.find(static_cast<std::uint32_t>(select->number(0)));
    if (found == consumers_.end()) continue;
    found->second.record.cursors[static_cast<std::uint32_t>(select->number(1))] =
        static_cast<std::uint64_t>(select->number(2));
  }
}

Status ConsumerTable::check(const ConsumerRecord& record, const Limits& limits) const {
  if (record.filters.size() > limits.filters_per_consumer_max) {
    return fail(Errc::TooLarge,
                fmt::format("store: consumer \"{}\" has {} filters, over the limit of {} (raise "
                            "limits.filters_per_consumer_max)",
                            record.name, record.filters.size(), limits.filters_per_consumer_max));
  }
  if (record.no != 0) {
    if (consumers_.contains(record.no)) return {};
    return fail(Errc::NotFound, fmt::format("store: there is no consumer number {} (it has been "
                                            "removed)",
                                            record.no));
  }
  if (by_name_.contains(record.name)) {
    return fail(Errc::Exists, fmt::format("store: there is a consumer \"{}\" already (remove it, "
                                          "or take another name)",
                                          record.name));
  }
  if (consumers_.size() < limits.consumers_max) return {};
  return fail(Errc::TooLarge,
              fmt::format("store: there are {} durable consumers already, the limit "
                          "(remove some, or raise limits.consumers_max)",
                          consumers_.size()));
}

Result<std::uint32_t> ConsumerTable::put(ConsumerRecord record) {
  ++lowered_;
  if (record.no == 0) {
    if (auto status = insert(record); !status) return tl::unexpected(status.error());
    const std::uint32_t no = record.no;
    by_name_.emplace(record.name, no);
    consumers_.emplace(no, StoredConsumer{std::move(record), {}});
    return no;
  }
  StoredConsumer& stored = consumers_.at(record.no);
  stored.concerns.clear();
  ConsumerRecord& kept = stored.record;
  auto status = update_.bind(1, std::int64_t{record.no})
                    .bind(2, record.attributes)
                    .bind(3, record.seen.time_since_epoch().count())
                    .run();
  if (!status) return tl::unexpected(status.error());
  if (kept.filters != record.filters) {
    if (status = write_filters(record); !status) return tl::unexpected(status.error());
  }
  kept.filters = std::move(record.filters);
  kept.attributes = std::move(record.attributes);
  kept.seen = record.seen;
  return kept.no;
}

Status ConsumerTable::insert(ConsumerRecord& record) {
  const auto row = next_no_.step();
  if (!row) return tl::unexpected(row.error());
  record.no = static_cast<std::uint32_t>(next_no_.number(0));
  if (auto status = next_no_.run(); !status) return status;
  auto status = insert_.bind(1, std::int64_t{record.no})
                    .bind(2, record.name)
                    .bind(3, kStarts.at(static_cast<std::size_t>(record.start.at)))
                    .bind(4, start_value(record.start))
                    .bind(5, record.attributes)
                    .bind(6, record.created.time_since_epoch().count())
                    .bind(7, record.seen.time_since_epoch().count())
                    .run();
  if (!status) return status;
  if (status = write_filters(record); !status) return status;
  for (const auto& [log, upto] : record.cursors) {
    if (status = write_cursor(record.no, log, upto); !status) return status;
  }
  return {};
}

Status ConsumerTable::write_filters(const ConsumerRecord& record) {
  auto status = remove_filters_.bind(1, std::int64_t{record.no}).run();
  std::int64_t number = 0;
  for (const FilterRecord& filter : record.filters) {
    if (!status) return status;
    status = insert_filter_.bind(1, std::int64_t{record.no})
                 .bind(2, ++number)
                 .bind(3, filter.filter)
                 .bind(4, filter.after.time_since_epoch().count())
                 .run();
  }
  return status;
}

Status ConsumerTable::write_cursor(std::uint32_t no, std::uint32_t log, std::uint64_t upto) {
  return put_cursor_.bind(1, std::int64_t{no})
      .bind(2, std::int64_t{log})
      .bind(3, static_cast<std::int64_t>(upto))
      .run();
}

Status ConsumerTable::remove(std::uint32_t no) {
  const auto found = consumers_.find(no);
  if (found == consumers_.end()) return {};
  for (Statement* const statement : {&remove_, &remove_filters_, &remove_cursors_}) {
    if (auto status = statement->bind(1, std::int64_t{no}).run(); !status) return status;
  }
  by_name_.erase(found->second.record.name);
  consumers_.erase(found);
  return {};
}

Status ConsumerTable::move(const CursorMove& move, WallTime now) {
  const auto found = consumers_.find(move.consumer);
  if (found == consumers_.end()) return {};
  ConsumerRecord& consumer = found->second.record;
  std::uint64_t& upto = consumer.cursors[move.log];
  if (move.upto <= upto) return {};
  upto = move.upto;
  if (now - consumer.seen > kSeenEvery) {
    consumer.seen = now;
    ++lowered_;  // one that was idle for too long holds again
    auto status =
        see_.bind(1, std::int64_t{consumer.no}).bind(2, now.time_since_epoch().count()).run();
    if (!status) return status;
  }
  return write_cursor(move.consumer, move.log, move.upto);
}

Status ConsumerTable::forget_log(std::uint32_t log) {
  for (auto& [no, consumer] : consumers_) consumer.record.cursors.erase(log);
  return forget_log_.bind(1, std::int64_t{log}).run();
}

}  // namespace marram::store
