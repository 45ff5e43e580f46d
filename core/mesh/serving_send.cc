#include <algorithm>

#include "core/event/topic.h"
#include "core/mesh/serving.h"
#include "core/wire/link_codec.h"

namespace marram::mesh {

using wire::Begin;
using wire::WantKind;

namespace {

constexpr Duration kTurnTold = std::chrono::seconds(2);  // a log that waits for its turn
constexpr std::uint64_t kTurnShare =
    5000;  // of the link's bytes a second, an UPTO a quarter second
constexpr std::uint64_t kTurnsLeast = 4;
constexpr std::uint64_t kTurnsMost = 64;

// What this run's retention took before any peer was sent any of it is nowhere.
void mark_unclaimed(const Log& log, std::vector<Gap>& gaps) {
  for (Gap& gap : gaps) {
    const bool sent = log.sent && gap.from <= log.sent->to && log.sent->from <= gap.to;
    if (gap.reason == kRetention && !sent) gap.reason = kUnclaimed;
  }
}

// Whether a want asks for topics, one after the other; one that comes again is looked at once.
class TopicTest {
 public:
  explicit TopicTest(const wire::Want& want) : want_(want) {}

  bool passes(std::string_view topic) {
    if (want_.all) return true;
    if (same_text(topic, topic_)) return passes_;
    topic_ = topic;
    passes_ = std::any_of(want_.filters.begin(), want_.filters.end(),
                          [&](const std::string& filter) { return matches(filter, topic); });
    return passes_;
  }

 private:
  const wire::Want& want_;
  std::string_view topic_;
  bool passes_ = false;
};

}  // namespace

void Serving::pump(TimePoint now, Actions& out) {
  for (auto i = upto_due_.begin(); i != upto_due_.end();) {
    if (i->second > now) {
      ++i;
      continue;
    }
    const auto [id, number] = i->first;
    i = upto_due_.erase(i);
    make_ready(sessions_[id], sessions_[id].wants[number]);
  }
  for (const SessionId id : std::exchange(touched_, {})) {
    Link* const link = links_.find(id);
    const auto session = sessions_.find(id);
    if (link == nullptr || session == sessions_.end()) continue;
    while (pump(*link, session->second, now, out)) {
    }
  }
}

// One step of the want that is next.  False: there is none, or no room.
bool Serving::pump(Link& link, Session& session, TimePoint now, Actions& out) {
  for (auto i = session.ready.begin(); i != session.ready.end();) {
    const std::uint64_t room = link.pace().room();
    if (room < link.pace().frame_bytes() && link.pace().in_flight() != 0) return false;
    if (room == 0) return false;
    Served& want = session.wants[i->second];
    const bool must_read = want.located && want.next >= want.indices.size() && want.packed.empty();
    if (must_read && !may_read(session, std::get<int>(i->first))) {
      ++i;
      continue;
    }
    unready(session, want);
    const std::uint64_t number = want.want.number;
    const Step step = serve(link, session, want, now, out);
    count(session, want);
    switch (step) {
      case Step::Sent:
        make_ready(session, want);
        return true;
      case Step::Over:
        erase(session, number);
        return true;
      case Step::Asked:
      case Step::Idle:
        return true;
    }
  }
  return false;
}

bool Serving::may_read(const Session& session, int rank) const {
  const auto shares = static_cast<std::uint64_t>(3 - std::clamp(rank, 0, 2));
  return session.reads < options_.reads_per_peer_max &&
         session.held < shares * options_.read_bytes_max;
}

void Serving::count(Session& session, Served& want) {
  const std::uint64_t held = (want.batch ? want.batch->bytes() : 0) + want.packed.size();
  session.held += held - want.held;
  want.held = held;
}

Serving::Step Serving::serve(Link& link, Session& session, Served& want, TimePoint now,
                             Actions& out) {
  const Log* const log = logs_.at(want.log);
  const auto end = [&] {
    // What was looked at and does not match counts as answered.
    if (want.told < want.sent) send_upto(link, want, now, out);
    out.push_back(SendFrame{link.id(), wire::Stop{want.want.number}});
    return Step::Over;
  };
  if (log == nullptr || log->forked || want.over) return end();
  if (!want.packed.empty()) {
    send_part(link, want, now, out);
    return Step::Sent;
  }
  if (want.next < want.indices.size() || want.upto > want.sent) {
    send_events(link, want, now, out);
    return Step::Sent;
  }
  if (!want.located) return locate(*log, session, want, out);
  // Of this run, and not written here; or another event is where the peer's stands.
  const bool beyond = log->writes() && want.sent > log->record->head;
  const bool differs = want.check_id && log->record && want.sent == log->record->head &&
                       !log->record->head_id.empty() && want.want.id != log->record->head_id;
  if (beyond || differs) {
    forks_.emplace_back(want.session, want.log);
    want.blocked = true;
    return Step::Idle;
  }
  const auto upto = limit(*log, want);
  const bool repair = want.want.kind == WantKind::Repair;
  if (repair && (!upto || *upto <= want.sent)) return end();
  if (!upto || want.blocked) return Step::Idle;
  if (repair && log->writes() && want.sent + 1 < log->record->first) return end();
  if (*upto <= want.sent) return at_limit(link, *log, want, now, out);
  ask_read(*log, session, want, link.pace().room(), out);
  return Step::Asked;
}

Serving::Step Serving::locate(const Log& log, Session& session, Served& want, Actions& out) {
  if (!log.whole() && !log.writes()) return Step::Idle;  // the copy is on its way
  if (want.want.from.at == Begin::At::Head) {
    want.located = true;
    want.sent = want.told = want.acked = want.upto = log.head();
    want.begin = want.sent + 1;
    return Step::Sent;
  }
  const std::uint64_t whole = log.record->whole_from;
  want.sure = log.own || whole <= 1 || (log.whole_since && *log.whole_since <= want.want.from.time);
  if (!want.sure && want.looked == whole) return Step::Idle;
  want.looked = whole;
  want.asked = next_token_++;
  questions_[want.asked] = {want.session, want.want.number};
  ++session.reads;
  out.push_back(FindSeq{want.asked, log.record->no, want.want.from.time});
  return Step::Asked;
}

bool Serving::on_time_found(Token token, const Result<std::uint64_t>& seq, TimePoint now) {
  const auto question = questions_.find(token);
  if (question == questions_.end()) return false;
  const auto [id, number] = question->second;
  questions_.erase(question);
  Session& session = sessions_[id];
  Served& want = session.wants[number];
  want.asked = 0;
  --session.reads;
  want.told_at = now;
  if (!seq) {
    want.looked = 0;
    upto_due_[{id, number}] = now + options_.upto_every;
    return true;
  }
  const Log* const log = logs_.at(want.log);
  // Where the copy begins with what is older, nothing of that time lies below it.
  if (!want.sure && (log == nullptr || !log->whole() || *seq <= log->record->whole_from))
    return true;
  want.located = true;
  std::uint64_t before = std::max<std::uint64_t>(*seq, 1) - 1;
  if (want.want.kind == WantKind::Backfill) before = std::min(before, want.want.to);
  want.sent = want.told = want.acked = want.upto = before;
  want.begin = before + 1;
  make_ready(session, want);
  return true;
}

// Nothing more for the moment: says so where it matters.
Serving::Step Serving::at_limit(Link& link, const Log& log, Served& want, TimePoint now,
                                Actions& out) {
  const bool ends = want.want.kind == WantKind::Backfill && want.sent >= want.want.to;
  if (!want.answered && !ends && log.waits) return Step::Idle;
  const bool quiet = want.told == want.sent;
  const TimePoint due = want.told_at + options_.upto_every;
  if (!want.answered || ends || (!quiet && (log.closed || now >= due))) {
    send_upto(link, want, now, out);
    if (ends) return Step::Over;
    return Step::Idle;
  }
  if (!quiet) upto_due_[{want.session, want.want.number}] = due;
  return Step::Idle;
}

void Serving::ask_read(const Log& log, Session& session, Served& want, std::uint64_t room,
                       Actions& out) {
  want.asked = next_token_++;
  questions_[want.asked] = {want.session, want.want.number};
  ++session.reads;
  // The event before is looked at too, to see that the peer's is the same.
  const std::uint64_t after = want.check_id ? want.sent - 1 : want.sent;
  ReadEvents read{.token = want.asked, .log = log.record->no, .after = after, .filters = {}};
  if (!want.want.all && !want.check_id) read.filters = want.want.filters;
  read.bytes_max = std::clamp<std::size_t>(room, 4 << 10, 256 << 10);
  out.push_back(std::move(read));
}

bool Serving::on_read(Token token, Result<ReadResult>& read, TimePoint now) {
  const auto question = questions_.find(token);
  if (question == questions_.end()) return false;
  const auto [id, number] = question->second;
  questions_.erase(question);
  Session& session = sessions_[id];
  Served& want = session.wants[number];
  want.asked = 0;
  --session.reads;
  touched_.insert(id);
  Log* const log = logs_.at(want.log);
  if (log == nullptr || !log->record) return true;
  if (!read) {  // tried again in a while
    upto_due_[{id, number}] = now + options_.upto_every;
    return true;
  }
  const bool checked = want.check_id;
  take_read(*log, want, *read);
  if (want.blocked) want.indices.clear();
  if (want.indices.empty()) want.batch.reset();
  count(session, want);
  // Where what was read ends with the event before, the rest is read without it.
  const bool goes_on = checked && !want.blocked;
  const bool nothing = !goes_on && want.next >= want.indices.size() && want.upto <= want.sent;
  if (nothing && want.want.kind == WantKind::Repair) {
    want.over = true;  // what is missing here too
  } else if (nothing && !want.blocked) {
    upto_due_[{id, number}] = now + options_.upto_every;
    return true;
  }
  if (!want.blocked || want.over) make_ready(session, want);
  return true;
}

// What of it may be sent: nothing is passed over that is not known to be a gap.
void Serving::take_read(Log& log, Served& want, ReadResult& read) {
  const auto upto = limit(log, want);
  if (!upto) return;
  want.gaps.clear();
  want.indices.clear();
  want.next = 0;
  std::erase_if(read.gaps, [&](const Gap& gap) { return gap.to <= want.sent; });
  want.batch = std::move(read.batch);
  std::uint64_t end = std::min(read.upto, *upto);
  const std::uint64_t first = std::max(read.first, log.record->first);
  if (first > want.sent + 1) {
    const bool told = std::any_of(read.gaps.begin(), read.gaps.end(), [&](const Gap& gap) {
      return gap.from <= want.sent + 1 && gap.to + 1 >= first;
    });
    if (!log.writes() && !told) {
      want.blocked = true;  // the copy has been trimmed; on_log() tells what it is now
      return;
    }
    if (!told) read.gaps.insert(read.gaps.begin(), Gap{0, want.sent + 1, first - 1, kRetention});
    end = std::max(end, std::min(first - 1, *upto));
  }
  if (log.writes()) mark_unclaimed(log, read.gaps);
  std::uint64_t seen = want.sent;  // everything up to here is accounted for
  std::size_t gap = 0;
  std::uint64_t told_to = want.sent;  // stretches recorded twice are told once
  const auto pass_gaps = [&](std::uint64_t before) {
    for (; gap < read.gaps.size() && read.gaps[gap].from <= before; ++gap) {
      Gap told = read.gaps[gap];
      told.from = std::max(told.from, told_to + 1);
      told.to = std::min(told.to, end);
      if (told.from > told.to || want.want.kind == WantKind::Repair) continue;
      told_to = told.to;
      want.gaps.push_back(std::move(told));
    }
  };
  TopicTest wanted(want.want);
  for (std::uint32_t i = 0; want.batch && i < want.batch->size(); ++i) {
    const EventView& event = want.batch->events()[i];
    const std::uint64_t seq = event.position.seq();
    if (event.position.log() != log.record->no || seq > end) continue;
    if (want.check_id && seq == want.sent && event.id_text() != want.want.id) {
      forks_.emplace_back(want.session, want.log);
      want.blocked = true;
      return;
    }
    if (seq <= seen) continue;
    seen = seq;
    if (wanted.passes(event.topic)) want.indices.push_back(i);
  }
  want.check_id = false;
  if (want.want.kind == WantKind::Repair && !read.gaps.empty()) {
    // A gap is no answer to a repair: what lies before it is.
    end = std::min(end, std::max(read.gaps.front().from, want.sent + 1) - 1);
    std::erase_if(want.indices,
                  [&](std::uint32_t i) { return want.batch->events()[i].position.seq() > end; });
  }
  pass_gaps(end);
  want.upto = std::max(end, want.sent);
  if (!log.writes() || want.indices.empty()) return;
  const auto seq = [&](std::uint32_t i) { return want.batch->events()[i].position.seq(); };
  const Log::Sent sent = log.sent.value_or(Log::Sent{seq(want.indices.front()), 0});
  log.sent = Log::Sent{std::min(sent.from, seq(want.indices.front())),
                       std::max(sent.to, seq(want.indices.back()))};
}

void Serving::send_gaps(Link& link, Served& want, std::uint64_t upto, TimePoint now, Actions& out) {
  while (!want.gaps.empty() && want.gaps.front().from <= upto) {
    const Gap gap = want.gaps.front();
    want.gaps.erase(want.gaps.begin());
    link.on_data_sent(wire::kFrameCredit, now);
    out.push_back(
        SendFrame{link.id(), wire::LinkGap{want.want.number, gap.from, gap.to, gap.reason}});
  }
}

// One frame of what has been read; at its end the rest that does not match is passed.
void Serving::send_events(Link& link, Served& want, TimePoint now, Actions& out) {
  const EventView* const events = want.batch ? want.batch->events().data() : nullptr;
  const std::uint64_t most = link.pace().frame_bytes();
  std::uint64_t bytes = wire::kFrameCredit;
  std::vector<std::uint32_t> indices;
  while (want.next < want.indices.size() && indices.size() < wire::kLinkEventsMax) {
    const EventView& event = events[want.indices[want.next]];
    const std::uint64_t size = wire::credit_bytes(event);
    if (bytes + size > most && !indices.empty()) break;
    const std::uint64_t seq = event.position.seq();
    if (size > link.peer().event_bytes_max) {  // it cannot keep that
      want.gaps.push_back({0, seq, seq, "too_large"});
      ++want.next;
      continue;
    }
    if (bytes + size > most && size > Pace::kFrameMin) {
      want.packed = wire::pack_event(event);
      want.offset = 0;
      return send_part(link, want, now, out);
    }
    bytes += size;
    indices.push_back(want.indices[want.next++]);
  }
  const bool all = want.next >= want.indices.size();
  const std::uint64_t upto = all ? want.upto : events[indices.back()].position.seq();
  std::sort(want.gaps.begin(), want.gaps.end(),
            [](const Gap& a, const Gap& b) { return a.from < b.from; });
  const bool told_gap = !want.gaps.empty() && want.gaps.front().from <= upto;
  send_gaps(link, want, upto, now, out);
  want.sent = upto;
  if (all) {
    want.upto = upto;
    want.indices.clear();
    want.next = 0;
  }
  if (!indices.empty()) {
    link.on_data_sent(bytes, now);
    out.push_back(
        SendData{link.id(), want.want.number, want.told, upto, want.batch, std::move(indices)});
    told(want, upto, now);
  } else if (told_gap) {
    send_upto(link, want, now, out);
  }
  if (all) want.batch.reset();
}

// A stretch of an event that is larger than a frame.
void Serving::send_part(Link& link, Served& want, TimePoint now, Actions& out) {
  const EventView& event = want.batch->events()[want.indices[want.next]];
  const std::size_t most =
      std::min<std::size_t>(link.pace().frame_bytes() - wire::kFrameCredit, wire::kPartBytesMax);
  const std::string bytes = want.packed.substr(want.offset, most);
  const bool last_event = want.next + 1 >= want.indices.size();
  const std::uint64_t upto = last_event ? want.upto : event.position.seq();
  if (want.offset == 0) send_gaps(link, want, upto, now, out);
  link.on_data_sent(wire::kFrameCredit + bytes.size(), now);
  out.push_back(SendFrame{link.id(), wire::Part{want.want.number, want.told, upto, want.offset,
                                                want.packed.size(), bytes}});
  want.offset += bytes.size();
  if (want.offset < want.packed.size()) return;
  want.packed.clear();
  ++want.next;
  want.sent = upto;
  told(want, upto, now);
  if (last_event) {
    want.indices.clear();
    want.next = 0;
    want.batch.reset();
  }
}

void Serving::told(Served& want, std::uint64_t upto, TimePoint now) {
  // The peer had it another way, and will not say so again.
  pins_moved_ = pins_moved_ || want.acked > want.told;
  want.told = upto;
  want.told_at = now;
  want.answered = true;
}

void Serving::send_upto(Link& link, Served& want, TimePoint now, Actions& out) {
  link.on_data_sent(wire::kFrameCredit, now);
  out.push_back(SendFrame{link.id(), wire::Upto{want.want.number, want.told, want.sent}});
  told(want, want.sent, now);
}

void Serving::reassure(Link& link, const std::function<bool(const Log&)>& comes, TimePoint now,
                       Actions& out) {
  const auto session = sessions_.find(link.id());
  if (session == sessions_.end() || link.pace().room() < wire::kFrameCredit) return;
  for (auto& [number, want] : session->second.wants) {
    const Log* const log = logs_.at(want.log);
    if (!may_reassure(want) || log == nullptr || !comes(*log)) continue;
    return send_upto(link, want, now, out);
  }
}

// Within a large event nothing else of its log is said.
bool Serving::may_reassure(const Served& want) {
  return want.want.kind == WantKind::Main && want.answered && want.told == want.sent &&
         want.packed.empty();
}

void Serving::tell_turns(Link& link, const std::vector<std::uint32_t>& waiting, TimePoint now,
                         Actions& out) {
  const auto found = sessions_.find(link.id());
  if (found == sessions_.end()) return;
  Session& session = found->second;
  std::vector<Served*> silent;
  const auto add = [&](std::uint64_t number) {
    Served& want = session.wants.at(number);
    if (may_reassure(want) && now - want.told_at >= kTurnTold) silent.push_back(&want);
  };
  for (const auto& [rank, number] : session.ready) add(number);
  for (const std::uint32_t index : waiting) {
    const auto number = session.by_log.find({index, WantKind::Main});
    if (number != session.by_log.end()) add(number->second);
  }
  std::sort(silent.begin(), silent.end(),
            [](const auto* a, const auto* b) { return a->told_at < b->told_at; });
  const std::uint64_t most = std::clamp(link.pace().rate() / kTurnShare, kTurnsLeast, kTurnsMost);
  for (std::size_t i = 0; i < std::min<std::size_t>(silent.size(), most); ++i) {
    if (silent[i]->told_at == now || link.pace().window() < wire::kFrameCredit) continue;
    send_upto(link, *silent[i], now, out);
  }
}

}  // namespace marram::mesh
