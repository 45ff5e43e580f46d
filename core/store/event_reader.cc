#include "core/store/event_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "core/event/topic.h"
#include "core/store/header_json.h"

namespace marram::store {

namespace {

constexpr std::uint64_t kRowsMax = 20'000;
constexpr std::size_t kGapsMax = 1024;  // about, in one answer

WallTime wall(std::int64_t micros) { return WallTime(Duration(micros)); }

bool wanted(const EventView& event, const std::vector<FilterRecord>& filters) {
  if (filters.empty()) return true;
  return std::any_of(filters.begin(), filters.end(), [&](const FilterRecord& filter) {
    return event.recorded > filter.after && matches(filter.filter, event.topic);
  });
}

}  // namespace

// Goes through the recorded gaps of a log beside its rows.
class EventReader::Holes {
 public:
  struct Where {
    std::uint32_t log;
    Span span;
    std::uint64_t after;
  };
  Holes(Statement& rows, const Where& where, std::vector<Gap>& out)
      : rows_(rows), where_(where), out_(out) {
    rows_.bind(1, std::int64_t{where.log}).bind(2, static_cast<std::int64_t>(where.after + 1));
  }

  // Nothing is stored from `from` to `to`; stretches ascend.  The answer: up to where it has been
  // said, which is before `to` when it is much.
  Result<std::uint64_t> say(std::uint64_t from, std::uint64_t to) {
    std::uint64_t next = from;
    while (next <= to) {
      if (out_.size() >= kGapsMax) return next - 1;
      const auto more = find(next);
      if (!more) return tl::unexpected(more.error());
      if (!*more || gap_.from > to) {
        guess(next, to);
        break;
      }
      if (gap_.from > next) guess(next, gap_.from - 1);
      const std::uint64_t last = std::min(gap_.to, to);
      out_.push_back({where_.log, std::max(next, gap_.from), last, gap_.reason});
      next = last + 1;
    }
    return std::max(to, from - 1);
  }

 private:
  // The first recorded gap that ends at `seq` or behind it.
  Result<bool> find(std::uint64_t seq) {
    while (!ended_ && gap_.to < seq) {
      const auto row = rows_.step();
      if (!row) return tl::unexpected(row.error());
      ended_ = !*row;
      if (ended_) break;
      gap_ = {where_.log, static_cast<std::uint64_t>(rows_.number(0)),
              static_cast<std::uint64_t>(rows_.number(1)), std::string(rows_.text(2))};
    }
    return !ended_;
  }

  // No gap is recorded there.
  void guess(std::uint64_t from, std::uint64_t to) {
    if (where_.span.whole_from == 0) return;
    from = std::max(from, where_.span.whole_from);
    if (from <= to) out_.push_back({where_.log, from, to, "corrupt"});
  }

  Statement& rows_;
  const Where where_;
  std::vector<Gap>& out_;
  Gap gap_;
  bool ended_ = false;
};

Status EventReader::prepare() {
  if (prepared_) return {};
  auto status =
      Preparer(connection_)
          .add(begin_, "BEGIN")
          .add(end_, "COMMIT")
          .add(span_, "SELECT first, head, whole_from FROM log WHERE no = ?1")
          .add(select_,
               "SELECT position, recorded, time, expires, id, topic, key, content_type, "
               "client, headers, payload FROM event "
               "WHERE position BETWEEN ?1 AND ?2 ORDER BY position LIMIT ?3")
          .add(gaps_,
               "SELECT \"from\", \"to\", reason FROM gap WHERE log = ?1 AND \"from\" >= "
               "coalesce((SELECT max(\"from\") FROM gap WHERE log = ?1 AND \"from\" <= ?2), 0) "
               "ORDER BY \"from\"")
          .add(recorded_,
               "SELECT recorded FROM event WHERE position BETWEEN ?1 AND ?2 "
               "ORDER BY position LIMIT 1")
          .done();
  prepared_ = status.has_value();
  return status;
}

Result<EventReader::Span> EventReader::span(std::uint32_t log) {
  const auto row = span_.bind(1, std::int64_t{log}).step();
  if (!row) return tl::unexpected(row.error());
  if (!*row) return fail(Errc::NotFound, fmt::format("store: there is no log number {}", log));
  const Span found{static_cast<std::uint64_t>(span_.number(0)),
                   static_cast<std::uint64_t>(span_.number(1)),
                   static_cast<std::uint64_t>(span_.number(2))};
  span_.reset();
  return found;
}

Result<ReadResult> EventReader::read(const Store::ReadRequest& request) {
  if (auto status = prepare(); !status) return tl::unexpected(status.error());
  if (auto status = begin_.run(); !status) return tl::unexpected(status.error());
  auto result = read_rows(request);
  select_.reset();
  gaps_.reset();
  const auto ended = end_.run();
  if (result && !ended) return tl::unexpected(ended.error());
  return result;
}

Result<ReadResult> EventReader::read_rows(const Store::ReadRequest& request) {
  const auto range = span(request.log);
  if (!range) return tl::unexpected(range.error());
  auto batch = std::make_shared<EventBatch>();
  ReadResult result;
  result.upto = request.after;
  result.first = range->first;
  // What is expected next; lower ones than the row at hand are missing.
  std::uint64_t next = request.after + 1;
  select_.bind(1, Position(request.log, next).packed())
      .bind(2, Position(request.log, std::max(range->head, request.after)).packed())
      .bind(3, static_cast<std::int64_t>(kRowsMax));
  Holes holes(gaps_, {request.log, *range, request.after}, result.gaps);
  std::uint64_t rows = 0;
  bool at_end = false;
  while (batch->size() < request.events_max && batch->bytes() < request.bytes_max) {
    const auto row = select_.step();
    if (!row) return tl::unexpected(row.error());
    at_end = !*row && rows < kRowsMax;
    if (!*row) break;
    ++rows;
    const EventView event = row_event();
    const std::uint64_t seq = event.position.seq();
    const auto looked = holes.say(next, seq - 1);
    if (!looked) return tl::unexpected(looked.error());
    next = *looked + 1;
    if (next < seq) break;
    next = seq + 1;
    if (wanted(event, request.filters)) batch->add(event, event.time, ids_);
  }
  if (at_end) {
    const auto looked = holes.say(next, range->head);
    if (!looked) return tl::unexpected(looked.error());
    next = *looked + 1;
  }
  result.upto = next - 1;
  result.batch = std::move(batch);
  return result;
}

EventView EventReader::row_event() {
  EventView event;
  event.position = Position::from_packed(select_.number(0));
  event.recorded = wall(select_.number(1));
  event.time = wall(select_.number(2));
  event.expires = wall(select_.number(3));
  if (select_.type(4) == SQLITE_BLOB) {
    const std::string_view id = select_.blob(4);
    std::memcpy(event.uuid.bytes.data(), id.data(), std::min(id.size(), event.uuid.bytes.size()));
  } else {
    event.id = select_.text(4);
  }
  event.topic = select_.text(5);
  event.key = select_.text(6);
  event.content_type = select_.text(7);
  event.client = select_.text(8);
  headers_.clear();
  const std::string_view json = select_.text(9);
  if (!json.empty()) append_packed_headers(headers_, json);
  event.headers = headers_;
  event.payload = select_.blob(10);
  return event;
}

Result<WallTime> EventReader::recorded(Position from, Position to) {
  const auto row = recorded_.bind(1, from.packed()).bind(2, to.packed()).step();
  if (!row) return tl::unexpected(row.error());
  const WallTime found = *row ? wall(recorded_.number(0)) : WallTime::max();
  recorded_.reset();
  return found;
}

Result<std::uint64_t> EventReader::find_time(std::uint32_t log, WallTime time) {
  if (auto status = prepare(); !status) return tl::unexpected(status.error());
  const auto range = span(log);
  if (!range) return tl::unexpected(range.error());
  // Recorded time never decreases within a log.
  std::uint64_t low = range->first;
  std::uint64_t high = range->head + 1;
  while (low < high) {
    const std::uint64_t middle = low + (high - low) / 2;
    const auto at = recorded(Position(log, middle), Position(log, range->head));
    if (!at) return tl::unexpected(at.error());
    if (*at < time) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low;
}

}  // namespace marram::store
