#include <fmt/format.h>

#include <algorithm>

#include "core/base/utf8.h"
#include "core/wire/elements.h"
#include "core/wire/link_codec.h"

namespace marram::wire {

namespace {

std::uint64_t read_seq(Reader& in, const char* what) { return in.number(what, kSeqMax); }

// It comes into logs, status and terminals.
void check_printable(Reader& in, const char* what, std::string_view text) {
  if (find_unprintable(text)) in.refuse(what, "is no printable UTF-8");
}

std::string read_text(Reader& in, const char* what, std::size_t most = kIdBytesMax) {
  const std::string_view text = in.text(what);
  if (text.size() > most) in.refuse(what, fmt::format("has {} bytes, over {}", text.size(), most));
  check_printable(in, what, text);
  return in.ok() ? std::string(text) : std::string();
}

// Of a node, an epoch, a stream: never empty.
std::string read_name(Reader& in, const char* what) {
  std::string name = read_text(in, what);
  if (name.empty()) in.refuse(what, "is empty");
  return name;
}

LogId read_log(Reader& in) {
  LogId log;
  log.origin = read_name(in, "origin");
  log.epoch = read_name(in, "epoch");
  log.stream = read_name(in, "stream");
  return log;
}

// One of 0 to `last`.
template <class Kind>
Kind read_kind(Reader& in, const char* what, Kind last) {
  return static_cast<Kind>(in.number(what, static_cast<std::uint64_t>(last)));
}

Duration read_span(Reader& in, const char* what) {
  return Duration(static_cast<std::int64_t>(
      in.number(what, static_cast<std::uint64_t>(kLinkDurationMax.count()))));
}

std::vector<std::string> read_addresses(Reader& in) {
  const Reader::Array array = in.array("addresses", 0, kAddressesMax);
  std::vector<std::string> addresses;
  for (std::size_t i = 0; i < array.count && in.ok(); ++i) {
    addresses.push_back(read_text(in, "address", kAddressBytesMax));
  }
  return addresses;
}

// The id of a stored event, as EventView::id_text() gives it.
std::string read_event_id(Reader& in) {
  if (in.nil()) return {};
  if (in.next_is(Token::Kind::Text)) return read_text(in, "event id");
  Uuid uuid;
  const std::string_view bytes = in.bytes("event id");
  if (bytes.size() != uuid.bytes.size()) in.refuse("event id", "does not have 16 bytes");
  if (!in.ok()) return {};
  std::copy(bytes.begin(), bytes.end(), uuid.bytes.begin());
  return uuid.text();
}

// `first` to `upto`, or nothing: first == upto + 1.
void read_stretch(Reader& in, std::uint64_t& first, std::uint64_t& upto) {
  first = in.number("first", kSeqMax + 1);
  upto = read_seq(in, "upto");
  if (first == 0 || first > upto + 1) {
    in.refuse("first", fmt::format("is {}, not 1 to {}", first, upto + 1));
  }
}

struct Entries {
  const char* what;
  std::size_t most;
  std::size_t elements;  // that each must have; a later version may append some
};

template <class Entry, class Read>
std::vector<Entry> read_entries(Reader& in, const Entries& which, Read read) {
  const Reader::Array array = in.array(which.what, 0, which.most);
  std::vector<Entry> entries;
  for (std::size_t i = 0; i < array.count && in.ok(); ++i) {
    const Reader::Array one = in.array(which.what, which.elements, kElementsMax);
    entries.push_back(read(in));
    in.leave(one);
  }
  return entries;
}

LinkHello read_link_hello(Reader& in) {
  const Hello start = read_hello(in);
  if (start.role != kRoleNode) in.refuse("role", "is not \"node\"");
  for (const std::string* text : {&start.name, &start.instance}) {
    if (text->size() > kIdBytesMax) in.refuse("name", "is too long");
    check_printable(in, "name", *text);
  }
  if (start.silent_after > kLinkDurationMax) in.refuse("silent_after", "is too long");
  LinkHello hello;
  hello.low = start.low;
  hello.high = start.high;
  hello.name = start.name;
  hello.instance = start.instance;
  hello.silent_after = start.silent_after;
  hello.node_id = read_name(in, "node id");
  hello.window_bytes = in.number("window");
  hello.event_bytes_max = in.number("event_bytes_max");
  hello.addresses = read_addresses(in);
  return hello;
}

PeerRecord read_peer(Reader& in) {
  PeerRecord peer;
  peer.node_id = read_name(in, "node id");
  peer.key = read_text(in, "key", kKeyBytes);
  peer.addresses = read_addresses(in);
  peer.age = read_span(in, "age");
  return peer;
}

Neighbour read_neighbour(Reader& in) {
  Neighbour neighbour{.node_id = read_name(in, "node id")};
  neighbour.cost = static_cast<std::uint32_t>(in.number("cost", UINT16_MAX));
  if (neighbour.cost == 0) in.refuse("cost", "is 0");
  return neighbour;
}

OpenLog read_open_log(Reader& in) {
  OpenLog log;
  log.epoch = read_name(in, "epoch");
  log.stream = read_name(in, "stream");
  log.topics = read_texts(in, "topics", kStreamTopicsMax);
  for (const std::string& topic : log.topics) check_printable(in, "topics", topic);
  log.durability = read_kind(in, "durability", Durability::Memory);
  log.priority = read_kind(in, "priority", Priority::Low);
  return log;
}

CopyNote read_copy(Reader& in) {
  CopyNote copy{.log = read_log(in)};
  read_stretch(in, copy.first, copy.upto);
  return copy;
}

MapRecord read_record(Reader& in) {
  MapRecord record;
  record.node_id = read_name(in, "node id");
  record.number = in.number("number");
  record.instance = read_text(in, "instance");
  record.name = read_text(in, "name");
  record.clock_suspect = in.flag("clock_suspect");
  record.neighbours =
      read_entries<Neighbour>(in, {"neighbours", kNeighboursMax, 2}, read_neighbour);
  record.open = read_entries<OpenLog>(in, {"open logs", kOpenLogsMax, 5}, read_open_log);
  record.copies = read_entries<CopyNote>(in, {"copies", kCopiesMax, 5}, read_copy);
  record.misses = in.flag("misses");
  return record;
}

KnownRecord read_known(Reader& in) {
  KnownRecord known{.node_id = read_name(in, "node id")};
  known.number = in.number("number");
  return known;
}

State read_state(Reader& in) {
  State state;
  state.known = read_entries<KnownRecord>(in, {"known", kKnownPerFrameMax, 2}, read_known);
  state.records = read_entries<MapRecord>(in, {"records", kRecordsPerFrameMax, 9}, read_record);
  return state;
}

HaveEntry read_have(Reader& in) {
  HaveEntry entry;
  entry.log = read_log(in);
  read_stretch(in, entry.first, entry.upto);
  entry.id = read_event_id(in);
  return entry;
}

Held read_held(Reader& in) {
  Held held;
  held.stream = read_name(in, "stream");
  held.logs = read_entries<HeldEntry>(in, {"logs", kLogsPerFrameMax, 3}, [&](Reader& one) {
    HeldEntry entry;
    entry.log.origin = read_name(one, "origin");
    entry.log.epoch = read_name(one, "epoch");
    entry.log.stream = held.stream;
    entry.acked = read_seq(one, "acked");
    return entry;
  });
  return held;
}

Begin read_begin(Reader& in) {
  const Reader::Array array = in.array("begin", 2, kElementsMax);
  Begin begin;
  begin.at = read_kind(in, "begin", Begin::At::Head);
  if (begin.at == Begin::At::Seq) {
    begin.seq = in.number("begin", kSeqMax + 1);
    if (begin.seq == 0) in.refuse("begin", "is 0");
  } else if (begin.at == Begin::At::Time) {
    begin.time = read_time(in, "begin");
  } else if (!in.nil()) {
    in.refuse("begin", "has a value");
  }
  in.leave(array);
  return begin;
}

Want read_want(Reader& in) {
  Want want;
  want.number = in.number("number");
  want.log = read_log(in);
  want.kind = read_kind(in, "kind", WantKind::Repair);
  want.standing = in.flag("standing");
  want.all = in.nil();
  if (!want.all) want.filters = read_texts(in, "filters", kLinkFiltersMax);
  want.from = read_begin(in);
  want.to = read_seq(in, "to");
  want.id = read_event_id(in);
  want.owed = read_seq(in, "owed");
  return want;
}

Release read_release(Reader& in) {
  Release release;
  release.stream = read_name(in, "stream");
  release.logs = read_entries<LogId>(in, {"logs", kLogsPerFrameMax, 2}, [&](Reader& one) {
    std::string origin = read_name(one, "origin");
    return LogId{std::move(origin), read_name(one, "epoch"), release.stream};
  });
  return release;
}

Expect read_expect(Reader& in) {
  Expect expect;
  expect.filters = read_texts(in, "filters", kLinkFiltersMax);
  const Reader::Array streams = in.array("streams", 0, kExpectStreamsMax);
  for (std::size_t i = 0; i < streams.count && in.ok(); ++i)
    expect.streams.push_back(read_name(in, "stream"));
  in.leave(streams);
  return expect;
}

// An event in a log has its id: one made here would be another one at each node.
void read_event(Reader& in, EventBatch& batch, UuidMaker& ids) {
  const Reader::Array array = in.array("event", 6, kElementsMax);
  EventView event;
  event.position = Position(0, read_seq(in, "seq"));
  event.recorded = read_time(in, "recorded");
  read_fields(in, event, array.count - 2);
  in.leave(array);
  if (event.id.empty() && event.uuid.is_nil()) in.refuse("event id", "is missing");
  if (in.ok()) batch.add(event, event.time, ids);
}

Data read_data(Reader& in, UuidMaker& ids) {
  Data data;
  data.want = in.number("want");
  data.after = read_seq(in, "after");
  data.upto = read_seq(in, "upto");
  data.batch = std::make_unique<EventBatch>();
  const Reader::Array events = in.array("events", 1, kLinkEventsMax);
  data.batch->events().reserve(events.count);
  std::uint64_t last = data.after;
  for (std::size_t i = 0; i < events.count && in.ok(); ++i) {
    read_event(in, *data.batch, ids);
    if (!in.ok()) break;
    const std::uint64_t seq = data.batch->events().back().position.seq();
    if (seq <= last || seq > data.upto) {
      in.refuse("seq", fmt::format("is {}, not {} to {}", seq, last + 1, data.upto));
    }
    last = seq;
  }
  return data;
}

Upto read_upto(Reader& in) {
  Upto upto{.want = in.number("want")};
  upto.after = read_seq(in, "after");
  upto.upto = read_seq(in, "upto");
  if (upto.upto < upto.after) in.refuse("upto", fmt::format("is below {}", upto.after));
  return upto;
}

LinkGap read_link_gap(Reader& in) {
  LinkGap gap;
  gap.want = in.number("want");
  gap.from = read_seq(in, "from");
  gap.to = read_seq(in, "to");
  gap.reason = read_text(in, "reason");
  if (gap.from == 0 || gap.from > gap.to) {
    in.refuse("from", fmt::format("is {}, not 1 to {}", gap.from, gap.to));
  }
  return gap;
}

Part read_part(Reader& in, std::uint64_t event_bytes_most) {
  Part part;
  part.want = in.number("want");
  part.after = read_seq(in, "after");
  part.upto = read_seq(in, "upto");
  part.offset = in.number("offset", event_bytes_most);
  part.total = in.number("total", event_bytes_most);
  const std::string_view bytes = in.bytes("bytes");
  if (part.upto <= part.after) in.refuse("upto", fmt::format("is not above {}", part.after));
  if (bytes.empty() || bytes.size() > kPartBytesMax) {
    in.refuse("bytes", fmt::format("has {} bytes, not 1 to {}", bytes.size(), kPartBytesMax));
  }
  if (part.offset + bytes.size() > part.total) {
    in.refuse("offset", fmt::format("is {}: {} bytes from there are more than {}", part.offset,
                                    bytes.size(), part.total));
  }
  if (in.ok()) part.bytes = bytes;
  return part;
}

AckEntry read_ack(Reader& in) {
  AckEntry entry{.log = read_log(in)};
  entry.acked = read_seq(in, "acked");
  entry.stored = read_seq(in, "stored");
  return entry;
}

Error read_bounded_reason(Reader& in) {
  Error reason = read_reason(in);
  if (reason.message.size() > kReasonBytesMax) {
    in.refuse("error message", fmt::format("has over {} bytes", kReasonBytesMax));
  }
  return reason;
}

// The elements behind the verb that a frame must have; 0 for verbs unknown here.  HELLO
// needs as many as tell that it is not from a node.
std::size_t elements_of(std::uint64_t verb) {
  switch (static_cast<Verb>(verb)) {
    case Verb::Hello:
      return 7;
    case Verb::Ping:
    case Verb::Pong:
      return 1;
    case Verb::Error:
    case Verb::Bye:
      return 2;
    default:
      break;
  }
  switch (static_cast<LinkVerb>(verb)) {
    case LinkVerb::Peers:
    case LinkVerb::Have:
    case LinkVerb::Stop:
    case LinkVerb::Ack:
    case LinkVerb::Credit:
      return 1;
    case LinkVerb::State:
    case LinkVerb::Held:
    case LinkVerb::Release:
    case LinkVerb::Expect:
      return 2;
    case LinkVerb::Upto:
      return 3;
    case LinkVerb::Data:
    case LinkVerb::Gap:
      return 4;
    case LinkVerb::Part:
      return 6;
    case LinkVerb::Want:
      return 11;
  }
  return 0;
}

// Of the verbs of any session.
LinkFrame read_session_frame(Reader& in, Verb verb) {
  switch (verb) {
    case Verb::Hello:
      return read_link_hello(in);
    case Verb::Ping:
      return Ping{in.number("number")};
    case Verb::Pong:
      return Pong{in.number("number")};
    case Verb::Error:
      return Broken{read_bounded_reason(in)};
    default:
      return Bye{read_bounded_reason(in)};
  }
}

}  // namespace

LinkFrame LinkDecoder::read_frame(Reader& in, std::uint64_t verb) {
  switch (static_cast<LinkVerb>(verb)) {
    case LinkVerb::Peers:
      return Peers{read_entries<PeerRecord>(in, {"peers", kPeersPerFrameMax, 4}, read_peer)};
    case LinkVerb::State:
      return read_state(in);
    case LinkVerb::Have:
      return Have{read_entries<HaveEntry>(in, {"logs", kLogsPerFrameMax, 6}, read_have)};
    case LinkVerb::Held:
      return read_held(in);
    case LinkVerb::Want:
      return read_want(in);
    case LinkVerb::Stop:
      return Stop{in.number("want")};
    case LinkVerb::Release:
      return read_release(in);
    case LinkVerb::Expect:
      return read_expect(in);
    case LinkVerb::Data:
      return read_data(in, ids_);
    case LinkVerb::Upto:
      return read_upto(in);
    case LinkVerb::Gap:
      return read_link_gap(in);
    case LinkVerb::Part:
      return read_part(in, event_bytes_max(limits_));
    case LinkVerb::Ack:
      return Ack{read_entries<AckEntry>(in, {"logs", kLogsPerFrameMax, 5}, read_ack)};
    case LinkVerb::Credit:
      return Credit{in.number("granted")};
  }
  return read_session_frame(in, static_cast<Verb>(verb));
}

Result<LinkFrame> LinkDecoder::decode(std::string_view bytes) {
  if (bytes.size() > kLinkFrameBytesMax) {
    return fail(Errc::TooLarge, fmt::format("wire: a frame of a link has {} bytes, over {}",
                                            bytes.size(), kLinkFrameBytesMax));
  }
  if (auto status = tape_.load(bytes); !status) return tl::unexpected(status.error());
  Reader in(tape_);
  const Reader::Array array = in.array("frame", 1, kElementsMax);
  const std::uint64_t verb = in.number("verb");
  if (!in.ok()) return fail(Errc::Protocol, "wire: " + in.error());
  const bool expect = verb == static_cast<std::uint64_t>(LinkVerb::Expect);
  if (verb >= kIgnorableFrom && !expect) return Unknown{verb};
  const std::size_t elements = elements_of(verb);
  if (elements == 0) {
    return fail(Errc::Protocol, fmt::format("wire: verb {} is none of a link", verb));
  }
  if (array.count - 1 < elements) {
    return fail(Errc::Protocol, fmt::format("wire: verb {} has {} elements, needs {}", verb,
                                            array.count - 1, elements));
  }
  LinkFrame frame = read_frame(in, verb);
  if (in.ok()) return frame;
  return fail(Errc::Protocol, fmt::format("wire: in verb {}: {}", verb, in.error()));
}

Status LinkDecoder::unpack_event(std::string_view bytes, EventBatch& batch) {
  if (auto status = tape_.load(bytes); !status) return status;
  Reader in(tape_);
  read_event(in, batch, ids_);
  if (in.ok()) return {};
  return fail(Errc::Protocol, fmt::format("wire: in an event in parts: {}", in.error()));
}

}  // namespace marram::wire
