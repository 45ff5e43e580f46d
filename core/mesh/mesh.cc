#include "core/mesh/mesh.h"

#include "core/mesh/mesh_body.h"
#include "core/wire/link_codec.h"

namespace marram::mesh {

namespace {

wire::LinkHello hello_of(const MeshOptions& options) {
  wire::LinkHello hello;
  hello.name = options.name;
  hello.instance = options.instance;
  hello.silent_after = options.silent_after;
  hello.node_id = options.node_id;
  hello.window_bytes = options.window_bytes;
  hello.event_bytes_max = wire::event_bytes_max(options.limits);
  hello.addresses = options.addresses;
  return hello;
}

// Tokens of reads and of writes are told apart by their range.
constexpr std::uint64_t kNumbersUnsaved = 64;
constexpr Token kFirstRead = Token{1} << 62;

}  // namespace

Mesh::Body::Body(MeshOptions the_options, const std::vector<LogRecord>& records,
                 const MeshRecords& mesh, Now now)
    : options(std::move(the_options)),
      link_options{hello_of(options)},
      logs(options.logs_max),
      // Above what may have been flooded and not saved before a crash.
      map({.node_id = options.node_id,
           .nodes_max = options.nodes_max,
           .expire = options.hold_away_max},
          mesh.facts.map_number + kNumbersUnsaved),
      roll({.node_id = options.node_id,
            .nodes_max = options.nodes_max,
            .expire = options.hold_away_max,
            .clock_suspect = options.clock_suspect}),
      sources(options.node_id, map),
      membership({.node_id = options.node_id,
                  .seeds = options.seeds,
                  .redial_min = options.redial_min,
                  .redial_max = options.redial_max,
                  .random_seed = options.random_seed}),
      beacons({.on = options.beacon,
               .node_id = options.node_id,
               .redial_max = options.redial_max,
               .random_seed = options.random_seed}),
      copies({.node_id = options.node_id,
              .limits = options.limits,
              .keep_upstream = options.keep_upstream,
              .repair_after = options.repair_after,
              .hold_away_max = options.hold_away_max,
              .lost_after = options.lost_after,
              .stuck_max = options.stuck_max},
             {logs, map, sources, links}),
      serving({.wants_per_peer_max = options.wants_per_peer_max}, logs, links),
      custody({.away_max = options.hold_away_max, .clock_suspect = options.clock_suspect}, logs),
      facts(mesh.facts),
      runs_stored(mesh.facts.runs) {
  serving.set_first_token(kFirstRead);
  for (const LogRecord& record : records) {
    Log* const log = know(record.id, now, true);
    log->heard = TimePoint();
    logs.set_record(*log, record);
    if (log->own) runs_stored = std::max(runs_stored, start_number(record.id.epoch));
    const auto backfill = mesh.backfills.find(record.no);
    if (backfill != mesh.backfills.end()) log->backfill = backfill->second;
    if (!log->writes()) copies.on_record(*log);
    mark(*log, now.steady);
  }
  custody.load(mesh.holds, now);
  roll.load(mesh.facts.nodes, now);
  sweep_at = now.steady;
}

Mesh::Mesh(MeshOptions options, const std::vector<LogRecord>& logs, const MeshRecords& records,
           Now now)
    : body_(std::make_unique<Body>(std::move(options), logs, records, now)) {}
Mesh::~Mesh() = default;

void Mesh::on_session_up(const SessionInfo& session, Now now, Actions& out) {
  body_->session_up(session, now, out);
}

void Mesh::on_frame(SessionId session, wire::LinkFrame frame, Now now, Actions& out) {
  Link* const link = body_->links.find(session);
  if (link == nullptr) return;
  if (const auto* const hello = std::get_if<wire::LinkHello>(&frame)) {
    return body_->greet(*link, *hello, now, out);
  }
  const bool over =
      std::holds_alternative<wire::Bye>(frame) || std::holds_alternative<wire::Broken>(frame);
  const Status status = body_->hear(*link, std::move(frame), now, out);
  if (status) return;
  if (!over) return body_->refuse(*link, status.error(), now, out);
  if (status.error().code == Errc::Refused) {
    out.push_back(Report{Report::What::Refused, link->info().proven_id, status.error().message});
  }
  body_->close(session, status.error(), now, out);
  out.push_back(HangUp{session, status.error(), false});
}

void Mesh::on_session_down(SessionId session, const Error& why, Now now, Actions& out) {
  body_->close(session, why, now, out);
}

bool Mesh::dials(const std::string& address) const { return body_->membership.dials(address); }

void Mesh::on_dial_failed(const std::string& address, bool refused, Now now, Actions&) {
  body_->dial_failed(address, refused, now);
}

void Mesh::put_interest(Interest interest, Now now, Actions&) {
  const Interest* const before = body_->readers.find(interest.id);
  const TimePoint at = now.steady + body_->options.gather;
  for (const auto& [index, log] : body_->logs.all()) {
    const auto concerned = [&](const Interest& one) {
      for (const FilterStart& filter : one.filters) {
        if (concerns(filter.filter, log->topics)) return true;
      }
      return false;
    };
    if (concerned(interest) || (before != nullptr && concerned(*before))) body_->mark(*log, at);
  }
  const bool durable = interest.durable || (before != nullptr && before->durable);
  body_->expects_changed = body_->expects_changed || durable;
  body_->readers.put(std::move(interest));
}

void Mesh::drop_interest(std::uint64_t id, Now now, Actions&) {
  const Interest* const interest = body_->readers.find(id);
  if (interest == nullptr) return;
  body_->expects_changed = body_->expects_changed || interest->durable;
  body_->readers.drop(id);
  body_->mark_all(now.steady + body_->options.gather);
}

void Mesh::move_cursor(std::uint64_t interest, std::uint32_t log, std::uint64_t upto, Now,
                       Actions&) {
  body_->readers.move(interest, log, upto);
}

void Mesh::on_log_opened(const LogRecord& record, Now now, Actions&) {
  Log* const log = body_->know(record.id, now, true);
  if (log->writes() && !record.open) body_->own_news();
  if (!log->record || log->own) body_->set_record(*log, record);
  if (log->own) {
    body_->own_news();
    body_->runs_stored = std::max(body_->runs_stored, start_number(record.id.epoch));
  }
  body_->changed(*log, now);
}

void Mesh::on_committed(std::span<const Head> heads, Now now, Actions&) {
  for (const Head& head : heads) {
    Log* const log = body_->logs.find_no(head.log);
    if (log == nullptr || !log->writes()) continue;
    log->record->head = head.head;
    log->record->head_id = head.head_id;
    body_->changed(*log, now);
  }
}

void Mesh::on_copied(const LogRecord& record, Now now, Actions&) {
  Log* const log = body_->know(record.id, now, true);
  LogRecord copy = record;
  // Nothing of it is on disk, and what memory has begins where the copy began.
  if (copy.durability == Durability::Memory && log->record) copy.first = log->record->first;
  body_->set_record(*log, copy);
  body_->copies.on_record(*log);
  body_->changed(*log, now);
}

void Mesh::on_backfilled(const LogRecord& record, const std::optional<BackfillRecord>& backfill,
                         Now now, Actions&) {
  Log* const log = body_->know(record.id, now, true);
  body_->set_record(*log, record);
  log->backfill = backfill;
  body_->copies.on_record(*log);
  body_->changed(*log, now);
}

void Mesh::on_trimmed(std::uint32_t no, std::uint64_t first, Now now, Actions&) {
  Log* const log = body_->logs.find_no(no);
  if (log == nullptr || !log->record) return;
  LogRecord& record = *log->record;
  record.first = std::max(record.first, first);
  record.trimmed = true;
  if (record.whole_from != 0) record.whole_from = std::max(record.whole_from, first);
  for (CopyFilter& known : record.filters) known.from = std::max(known.from, first);
  if (!log->writes()) body_->copies.on_trimmed(*log);
  body_->changed(*log, now);
}

void Mesh::on_log_forgotten(std::uint32_t no, Now, Actions&) {
  Log* const log = body_->logs.find_no(no);
  if (log == nullptr) return;
  const std::uint32_t index = log->index;
  body_->copies.forget(index);
  body_->custody.on_forgotten(*log);
  body_->empty_since.erase(index);
  body_->replicas.erase(index);
  body_->logs.forget(index);
  body_->own_news();
}

void Mesh::on_written(Token token, const Result<std::uint32_t>& log, Now now, Actions& out) {
  body_->copies.on_written(token, log, now, out);
}

void Mesh::on_read(Token token, Result<ReadResult> read, Now now, Actions&) {
  body_->serving.on_read(token, read, now.steady);
}

void Mesh::on_time_found(Token token, const Result<std::uint64_t>& seq, Now now, Actions&) {
  if (!body_->copies.on_time_found(token, seq))
    body_->serving.on_time_found(token, seq, now.steady);
}

void Mesh::on_hold_not_saved(const std::string& peer, const std::string& stream, Now now,
                             Actions&) {
  body_->custody.on_not_saved(peer, stream, now.steady);
}

void Mesh::add_seed(const std::string& address, Now, Actions&) {
  body_->membership.add_seed(address);
}

void Mesh::revoke(const std::string& node_id, Now now, Actions& out) {
  if (const Link* const link = body_->links.live(node_id)) {
    const SessionId id = link->id();
    const Error why{Errc::Refused, "mesh: the key is not trusted any more"};
    body_->close(id, why, now, out);
    out.push_back(HangUp{id, why});
  }
  body_->custody.forget_peer(node_id);
  body_->roll.forget(node_id, now.steady);
  body_->facts.nodes = body_->roll.days();
  body_->facts_changed = true;
  body_->roll_version = 0;
  body_->membership.forget(node_id);
  body_->beacons.forget(node_id);
}

void Mesh::on_beacon(const wire::PeerRecord& peer, bool asks, Now now, Actions&) {
  body_->beacons.on_heard(peer, asks, now.steady);
}

void Mesh::on_tick(Now now, Actions& out) { body_->tick(now, out); }

std::optional<TimePoint> Mesh::wake_at() const { return body_->wake_at(); }

void Mesh::stop(Now, Actions& out) {
  for (const auto& [id, link] : body_->links.all()) {
    out.push_back(HangUp{id, {Errc::Closed, "mesh: the node stops"}});
  }
}

MeshStatus Mesh::status() const {
  MeshStatus status;
  for (const auto& [peer, id] : body_->links.peers()) {
    const Link& link = *body_->links.find(id);
    LinkStatus one{.peer = peer,
                   .name = link.peer().name,
                   .address = link.info().address,
                   .dialled = link.info().dialled,
                   .round_trip = link.round_trip().value_or(Duration(0)),
                   .rate_bytes = link.pace().rate(),
                   .in_flight_bytes = link.pace().in_flight(),
                   .received_bytes = link.held_bytes(),
                   .read_bytes = body_->serving.read_bytes(id),
                   .wants = body_->serving.wants(id)};
    body_->serving.add_backlog(id, one.backlog);
    status.links.push_back(std::move(one));
  }
  body_->custody.add_status(status.holds);
  body_->copies.holes(status.holes);
  body_->beacons.add_status(status.heard);
  status.nodes = body_->map.size();
  status.logs = body_->logs.size();
  status.gaps = body_->copies.gaps();
  status.duplicates = body_->copies.duplicates();
  status.refused = body_->refused;
  return status;
}

std::vector<wire::MapRecord> Mesh::map() const { return body_->map.records(); }

}  // namespace marram::mesh
