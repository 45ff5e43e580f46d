#include <algorithm>

#include "core/wire/elements.h"
#include "core/wire/encode.h"
#include "core/wire/link_codec.h"
#include "core/wire/writer.h"

namespace marram::wire {

namespace {

constexpr std::size_t kLogBytes = 96;  // about what a log and its numbers take

// As in an event.  One over the limit is left out: without it a fork goes unseen, with it
// the session would break.
void write_event_id(Writer& out, const std::string& id) {
  if (id.empty() || id.size() > kIdBytesMax) {
    out.nil();
  } else if (const auto uuid = Uuid::parse(id)) {
    out.uuid(*uuid);
  } else {
    out.text(id);
  }
}

void write_event(Writer& out, const EventView& event) {
  const std::size_t fields = fields_of(event);
  out.array(fields + 2).number(event.position.seq()).time(event.recorded);
  write_fields(out, event, fields);
}

std::string encode(const LinkHello& hello) {
  return Writer(Verb::Hello, 11, 512)
      .text(kMagic)
      .number(hello.low)
      .number(hello.high)
      .text(kRoleNode)
      .text(hello.name)
      .text(hello.instance)
      .duration(hello.silent_after)
      .text(hello.node_id)
      .number(hello.window_bytes)
      .number(hello.event_bytes_max)
      .texts(hello.addresses)
      .take();
}

std::string encode(const Peers& peers) {
  Writer out(LinkVerb::Peers, 1, 16 + peers.peers.size() * 160);
  out.array(peers.peers.size());
  for (const PeerRecord& peer : peers.peers) {
    out.array(4).text(peer.node_id).text(peer.key).texts(peer.addresses).duration(peer.age);
  }
  return out.take();
}

void write_record(Writer& out, const MapRecord& record) {
  out.array(9).text(record.node_id).number(record.number).text(record.instance);
  out.text(record.name).flag(record.clock_suspect).array(record.neighbours.size());
  for (const Neighbour& neighbour : record.neighbours) {
    out.array(2).text(neighbour.node_id).number(neighbour.cost);
  }
  out.array(record.open.size());
  for (const OpenLog& log : record.open) {
    out.array(5).text(log.epoch).text(log.stream).texts(log.topics);
    out.number(static_cast<std::uint64_t>(log.durability));
    out.number(static_cast<std::uint64_t>(log.priority));
  }
  out.array(record.copies.size());
  for (const CopyNote& copy : record.copies) {
    out.array(5);
    out.log(copy.log);
    out.number(copy.first).number(copy.upto);
  }
  out.flag(record.misses);
}

std::string encode(const State& state) {
  Writer out(LinkVerb::State, 2, 256 + state.known.size() * 48);
  out.array(state.known.size());
  for (const KnownRecord& known : state.known) {
    out.array(2).text(known.node_id).number(known.number);
  }
  out.array(state.records.size());
  for (const MapRecord& record : state.records) write_record(out, record);
  return out.take();
}

std::string encode(const Have& have) {
  Writer out(LinkVerb::Have, 1, 16 + have.logs.size() * kLogBytes);
  out.array(have.logs.size());
  for (const HaveEntry& entry : have.logs) {
    out.array(6);
    out.log(entry.log);
    out.number(entry.first).number(entry.upto);
    write_event_id(out, entry.id);
  }
  return out.take();
}

std::string encode(const Held& held) {
  Writer out(LinkVerb::Held, 2, 64 + held.logs.size() * kLogBytes);
  out.text(held.stream).array(held.logs.size());
  for (const HeldEntry& entry : held.logs) {
    out.array(3).text(entry.log.origin).text(entry.log.epoch).number(entry.acked);
  }
  return out.take();
}

void write_begin(Writer& out, const Begin& begin) {
  out.array(2).number(static_cast<std::uint64_t>(begin.at));
  switch (begin.at) {
    case Begin::At::Seq:
      // Readers may ask for any; whoever decodes it ends the session for one out of bounds.
      out.number(std::clamp<std::uint64_t>(begin.seq, 1, kSeqMax + 1));
      break;
    case Begin::At::Time:
      out.time(begin.time);
      break;
    case Begin::At::Head:
      out.nil();
      break;
  }
}

std::string encode(const Want& want) {
  Writer out(LinkVerb::Want, 11, 256);
  out.number(want.number);
  out.log(want.log);
  out.number(static_cast<std::uint64_t>(want.kind)).flag(want.standing);
  want.all ? out.nil() : out.texts(want.filters);
  write_begin(out, want.from);
  out.number(want.to);
  write_event_id(out, want.id);
  out.number(want.owed);
  return out.take();
}

std::string encode(const Stop& stop) { return Writer(LinkVerb::Stop, 1).number(stop.want).take(); }

std::string encode(const Release& release) {
  Writer out(LinkVerb::Release, 2, 64 + release.logs.size() * kLogBytes);
  out.text(release.stream).array(release.logs.size());
  for (const LogId& log : release.logs) out.array(2).text(log.origin).text(log.epoch);
  return out.take();
}

std::string encode(const Expect& expect) {
  return Writer(LinkVerb::Expect, 2, 256).texts(expect.filters).texts(expect.streams).take();
}

std::string encode(const Data& data) {
  if (data.batch == nullptr) return encode_data(data.want, data.after, data.upto, {}, {});
  return encode_data(data.want, data.after, data.upto, data.batch->events(), {});
}

std::string encode(const Upto& upto) {
  return Writer(LinkVerb::Upto, 3).number(upto.want).number(upto.after).number(upto.upto).take();
}

std::string encode(const LinkGap& gap) {
  return Writer(LinkVerb::Gap, 4)
      .number(gap.want)
      .number(gap.from)
      .number(gap.to)
      .text(gap.reason)
      .take();
}

std::string encode(const Part& part) {
  return Writer(LinkVerb::Part, 6, 64 + part.bytes.size())
      .number(part.want)
      .number(part.after)
      .number(part.upto)
      .number(part.offset)
      .number(part.total)
      .bytes(part.bytes)
      .take();
}

std::string encode(const Ack& ack) {
  Writer out(LinkVerb::Ack, 1, 16 + ack.logs.size() * kLogBytes);
  out.array(ack.logs.size());
  for (const AckEntry& entry : ack.logs) {
    out.array(5);
    out.log(entry.log);
    out.number(entry.acked).number(entry.stored);
  }
  return out.take();
}

std::string encode(const Credit& credit) {
  return Writer(LinkVerb::Credit, 1).number(credit.granted).take();
}

std::string encode(const Unknown&) { return {}; }

}  // namespace

std::string encode_link(const LinkFrame& frame) {
  return std::visit([](const auto& one) { return encode(one); }, frame);
}

std::string encode_data(std::uint64_t want, std::uint64_t after, std::uint64_t upto,
                        std::span<const EventView> events, std::span<const std::uint32_t> indices) {
  std::size_t bytes = 64;
  if (indices.empty()) {
    for (const EventView& event : events) bytes += frame_bytes(event);
  } else {
    for (const std::uint32_t index : indices) bytes += frame_bytes(events[index]);
  }
  Writer out(LinkVerb::Data, 4, bytes);
  out.number(want).number(after).number(upto);
  if (indices.empty()) {
    out.array(events.size());
    for (const EventView& event : events) write_event(out, event);
  } else {
    out.array(indices.size());
    for (const std::uint32_t index : indices) write_event(out, events[index]);
  }
  return out.take();
}

bool filters_fit(const std::vector<std::string>& filters) {
  std::size_t bytes = 0;
  for (const std::string& filter : filters) bytes += filter.size() + 5;
  return filters.size() <= kLinkFiltersMax && bytes <= kLinkFrameBytesMax / 2;
}

std::string pack_event(const EventView& event) {
  Writer out(frame_bytes(event));
  write_event(out, event);
  return out.take();
}

std::uint64_t event_bytes_max(const Limits& limits) {
  EventView nothing;
  return frame_bytes(nothing) + limits.topic_bytes_max + limits.payload_bytes_max +
         limits.id_bytes_max + limits.key_bytes_max + 2 * limits.name_bytes_max +
         limits.headers_bytes_max;
}

std::uint64_t credit_bytes(const EventView& event) { return event.bytes() + kEventCredit; }

std::uint64_t credit_bytes(const LinkFrame& frame) {
  if (const auto* data = std::get_if<Data>(&frame)) {
    std::uint64_t bytes = kFrameCredit;
    if (data->batch == nullptr) return bytes;
    for (const EventView& event : data->batch->events()) bytes += credit_bytes(event);
    return bytes;
  }
  if (const auto* part = std::get_if<Part>(&frame)) return kFrameCredit + part->bytes.size();
  const bool small = std::holds_alternative<Upto>(frame) || std::holds_alternative<LinkGap>(frame);
  return small ? kFrameCredit : 0;
}

}  // namespace marram::wire
