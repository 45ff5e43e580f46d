#include "core/mesh/serving.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/wire/link_codec.h"

namespace marram::mesh {

using wire::Begin;
using wire::WantKind;

namespace {

// About what the filters of a want take in memory.
std::size_t filter_bytes(const wire::Want& want) {
  std::size_t bytes = 0;
  for (const std::string& filter : want.filters) bytes += sizeof(std::string) + filter.size();
  return bytes;
}

}  // namespace

Serving::Serving(Options options, Logs& logs, Links& links)
    : options_(options), logs_(logs), links_(links) {}

int Serving::rank(const Log& log, const Served& want) const {
  return want.want.kind == WantKind::Backfill ? 3 : static_cast<int>(log.priority);
}

void Serving::make_ready(Session& session, Served& want) {
  if (want.turn || want.asked != 0) return;
  const Log* const log = logs_.at(want.log);
  if (log == nullptr) return;
  want.turn = ++turn_;
  session.ready[{rank(*log, want), *want.turn}] = want.want.number;
  touched_.insert(want.session);
}

void Serving::unready(Session& session, Served& want) {
  if (!want.turn) return;
  const Log* const log = logs_.at(want.log);
  if (log != nullptr) session.ready.erase({rank(*log, want), *want.turn});
  std::erase_if(session.ready, [&](const auto& item) { return item.second == want.want.number; });
  want.turn.reset();
}

void Serving::erase(Session& session, std::uint64_t number) {
  const auto found = session.wants.find(number);
  if (found == session.wants.end()) return;
  Served& want = found->second;
  unready(session, want);
  pins_moved_ = true;
  if (want.asked != 0) {
    questions_.erase(want.asked);
    --session.reads;
  }
  session.held -= want.held;
  session.filter_bytes -= filter_bytes(want.want);
  session.by_log.erase({want.log, want.want.kind});
  upto_due_.erase({want.session, number});
  const auto list = by_log_.find(want.log);
  if (list != by_log_.end()) {
    list->second.erase({want.session, number});
    if (list->second.empty()) by_log_.erase(list);
  }
  session.wants.erase(found);
}

Status Serving::on_want(Link& link, Log& log, wire::Want want, TimePoint now) {
  Session& session = sessions_[link.id()];
  const auto last = session.by_log.find({log.index, want.kind});
  if (last != session.by_log.end()) erase(session, last->second);
  if (session.wants.contains(want.number)) {
    return fail(Errc::Protocol,
                fmt::format("mesh: {} uses the number of a want twice", link.peer().node_id));
  }
  if (session.wants.size() >= options_.wants_per_peer_max) {
    return fail(Errc::TooLarge, fmt::format("mesh: {} has {} wants, the limit", link.peer().node_id,
                                            session.wants.size()));
  }
  const std::size_t more = filter_bytes(want);
  if (session.filter_bytes + more > options_.filter_bytes_per_peer_max) {
    return fail(Errc::TooLarge,
                fmt::format("mesh: {} has wants with more than {} bytes of filters, the limit",
                            link.peer().node_id, options_.filter_bytes_per_peer_max));
  }
  session.filter_bytes += more;
  Served served;
  served.session = link.id();
  served.log = log.index;
  served.told_at = now;
  served.located = want.from.at == Begin::At::Seq;
  served.sent = served.located ? std::max<std::uint64_t>(want.from.seq, 1) - 1 : 0;
  served.told = served.acked = served.upto = served.sent;
  served.begin = served.located ? served.sent + 1 : 0;
  served.check_id = !want.id.empty() && served.sent != 0;
  served.want = std::move(want);
  const std::uint64_t number = served.want.number;
  session.by_log[{log.index, served.want.kind}] = number;
  by_log_[log.index].insert({link.id(), number});
  Served& kept = session.wants[number] = std::move(served);
  make_ready(session, kept);
  return {};
}

Log* Serving::on_stop(const Link& link, const wire::Stop& stop) {
  const auto session = sessions_.find(link.id());
  if (session == sessions_.end()) return nullptr;
  const auto found = session->second.wants.find(stop.want);
  if (found == session->second.wants.end()) return nullptr;
  Log* const log = logs_.at(found->second.log);
  erase(session->second, stop.want);
  return log;
}

bool Serving::on_ack(SessionId id, const Log& log, std::uint64_t acked) {
  const auto session = sessions_.find(id);
  if (session == sessions_.end()) return false;
  bool skipped = false;
  for (const WantKind kind : {WantKind::Main, WantKind::Backfill, WantKind::Repair}) {
    const auto number = session->second.by_log.find({log.index, kind});
    if (number == session->second.by_log.end()) continue;
    Served& want = session->second.wants[number->second];
    want.follows = want.follows || (want.want.standing && acked > want.acked);
    want.acked = std::max(want.acked, acked);
    if (kind == WantKind::Main) skipped = skip(session->second, want);
  }
  return skipped;
}

// What the peer needs no more is not waited for.
bool Serving::skip(Session& session, Served& want) {
  const bool idle =
      want.asked == 0 && want.packed.empty() && want.next >= want.indices.size() && !want.batch;
  if (!want.located || !idle || want.acked <= std::max(want.sent, want.upto)) return false;
  want.sent = want.upto = want.acked;
  want.check_id = want.blocked = false;
  std::erase_if(want.gaps, [&](const Gap& gap) { return gap.to <= want.sent; });
  make_ready(session, want);
  return true;
}

void Serving::on_session_down(SessionId id) {
  const auto session = sessions_.find(id);
  if (session == sessions_.end()) return;
  while (!session->second.wants.empty())
    erase(session->second, session->second.wants.begin()->first);
  sessions_.erase(session);
  touched_.erase(id);
}

void Serving::on_log(const Log& log) {
  const auto list = by_log_.find(log.index);
  if (list == by_log_.end()) return;
  for (const auto& [id, number] : list->second) {
    Session& session = sessions_[id];
    Served& want = session.wants[number];
    want.blocked = false;
    make_ready(session, want);
  }
}

std::optional<std::uint64_t> Serving::limit(const Log& log, const Served& want) const {
  if (!log.record) return {};
  const LogRecord& record = *log.record;
  const std::uint64_t next = want.sent + 1;
  const bool backfill = want.want.kind == WantKind::Backfill;
  if (backfill && want.sent >= want.want.to) return want.sent;  // what follows may not be here
  std::optional<std::uint64_t> limit;
  if (log.writes() || (record.whole_from != 0 && next >= record.whole_from)) {
    limit = record.head;
  } else if (log.backfill && log.backfill->all && log.backfill->from <= next &&
             next <= log.backfill->upto) {
    limit = log.backfill->upto;
  }
  if (limit && backfill) limit = std::min(*limit, want.want.to);
  if (limit && *limit < want.sent) return {};
  return limit;
}

void Serving::add_to(Need& need, const Log& log) const {
  const auto list = by_log_.find(log.index);
  if (list == by_log_.end()) return;
  for (const auto& [id, number] : list->second) {
    const Served& want = sessions_.at(id).wants.at(number);
    const Link* const link = links_.find(id);
    if (link == nullptr || want.want.kind == WantKind::Repair) continue;
    need.wanted = need.whole = true;
    need.standing = need.standing || want.want.standing;
    const Begin next{Begin::At::Seq, want.sent + 1, {}};
    need.ask_from(want.located ? next : want.want.from, link->peer().node_id);
    if (want.want.owed != 0 || want.follows) {
      need.owe_from(std::max(want.want.owed, want.acked + 1), link->peer().node_id);
    }
    need.add_asker(link->peer().node_id);
  }
}

std::uint64_t Serving::began(SessionId id, const Log& log) const {
  const auto session = sessions_.find(id);
  if (session == sessions_.end()) return 1;
  const auto number = session->second.by_log.find({log.index, WantKind::Main});
  if (number == session->second.by_log.end()) return 1;
  return std::max<std::uint64_t>(session->second.wants.at(number->second).begin, 1);
}

bool Serving::feeds(SessionId id, const Log& log) const {
  const auto session = sessions_.find(id);
  return session != sessions_.end() && session->second.by_log.contains({log.index, WantKind::Main});
}

std::map<std::uint32_t, std::uint64_t> Serving::pins() const {
  std::map<std::uint32_t, std::uint64_t> pins;
  for (const auto& [id, session] : sessions_) {
    for (const auto& [number, want] : session.wants) {
      const Log* const log = logs_.at(want.log);
      if (log == nullptr || !log->record) continue;
      // Where it begins is not known yet: nothing may go.
      const std::uint64_t upto = want.located ? std::min(want.acked, want.told) : 0;
      const auto [place, is_new] = pins.emplace(log->record->no, upto);
      if (!is_new) place->second = std::min(place->second, upto);
    }
  }
  return pins;
}

std::uint64_t Serving::read_bytes(SessionId id) const {
  const auto session = sessions_.find(id);
  return session == sessions_.end() ? 0 : session->second.held;
}

std::size_t Serving::wants(SessionId id) const {
  const auto session = sessions_.find(id);
  return session == sessions_.end() ? 0 : session->second.wants.size();
}

void Serving::add_backlog(SessionId id, std::uint64_t (&backlog)[3]) const {
  const auto session = sessions_.find(id);
  if (session == sessions_.end()) return;
  for (const auto& [number, want] : session->second.wants) {
    const Log* const log = logs_.at(want.log);
    if (log == nullptr || !want.located) continue;
    const std::uint64_t end = want.want.kind == WantKind::Backfill ? want.want.to : log->head();
    backlog[std::min(rank(*log, want), 2)] += end > want.told ? end - want.told : 0;
  }
}

std::optional<TimePoint> Serving::wake_at() const {
  std::optional<TimePoint> at;
  for (const auto& [key, due] : upto_due_) at = std::min(at.value_or(due), due);
  return at;
}

}  // namespace marram::mesh
