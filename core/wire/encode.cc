#include "core/wire/encode.h"

#include "core/wire/elements.h"
#include "core/wire/writer.h"

namespace marram::wire {

namespace {

void write_start(Writer& out, const std::optional<Start>& start) {
  if (!start) {
    out.nil();
    return;
  }
  out.array(2);
  switch (start->at) {
    case Start::At::New:
      out.text("new").nil();
      break;
    case Start::At::Earliest:
      out.text("earliest").nil();
      break;
    case Start::At::Seq:
      out.text("seq").number(start->seq);
      break;
    case Start::At::Time:
      out.text("time").time(start->time);
      break;
  }
}

void write_consumer(Writer& out, const ConsumerInfo& info) {
  out.array(9).text(info.name).texts(info.filters).bytes(info.attributes).flag(info.attached);
  out.number(info.backlog);
  info.oldest ? out.time(*info.oldest) : out.nil();
  out.number(info.in_flight).number(info.redelivered).time(info.created);
}

}  // namespace

std::size_t frame_bytes(const EventView& event) { return event.bytes() + 96; }

std::string encode(const Hello& hello) {
  return Writer(Verb::Hello, 7)
      .text(kMagic)
      .number(hello.low)
      .number(hello.high)
      .text(hello.role)
      .text(hello.name)
      .text(hello.instance)
      .duration(hello.silent_after)
      .take();
}

std::string encode(const Welcome& welcome) {
  const Limits& limits = welcome.limits;
  return Writer(Verb::Welcome, 6, 256)
      .number(welcome.version)
      .text(welcome.node_name)
      .text(welcome.node_id)
      .duration(welcome.silent_after)
      .number(welcome.window_bytes)
      .array(12)
      .number(limits.topic_bytes_max)
      .number(limits.topic_levels_max)
      .number(limits.filters_per_consumer_max)
      .number(limits.payload_bytes_max)
      .number(limits.headers_max)
      .number(limits.headers_bytes_max)
      .number(limits.key_bytes_max)
      .number(limits.id_bytes_max)
      .number(limits.name_bytes_max)
      .number(limits.in_flight_max)
      .number(limits.in_flight_bytes_max)
      .number(limits.frame_bytes_max)
      .take();
}

std::string encode(const Ping& ping) { return Writer(Verb::Ping, 1).number(ping.number).take(); }
std::string encode(const Pong& pong) { return Writer(Verb::Pong, 1).number(pong.number).take(); }
std::string encode(const Broken& broken) {
  return Writer(Verb::Error, 2).error(broken.error).take();
}
std::string encode(const Bye& bye) { return Writer(Verb::Bye, 2).error(bye.error).take(); }

std::string encode(const PublishAnswer& answer) {
  Writer out(Verb::Published, 2);
  out.number(answer.number).array(answer.runs.size());
  for (const Run& run : answer.runs) {
    out.array(3).number(run.count);
    run.error ? out.error(*run.error) : out.position(run.position).time(run.recorded);
  }
  return out.take();
}

std::string encode(const Open& open) {
  const SubscribeOptions& options = open.options;
  Writer out(Verb::Open, 9, 256);
  out.number(open.id).text(options.name).texts(options.filters);
  write_start(out, options.start);
  return out.number(options.in_flight_max)
      .number(options.in_flight_bytes_max)
      .duration(options.ack_wait)
      .flag(options.take_over)
      .bytes(options.attributes)
      .take();
}

std::string encode(const OpenAnswer& answer) {
  return Writer(Verb::Opened, 2).number(answer.id).time(answer.now).take();
}

std::string encode(const Change& change) {
  return Writer(Verb::Change, 3)
      .number(change.id)
      .texts(change.filters)
      .bytes(change.attributes)
      .take();
}

std::string encode(const ChangeAnswer& answer) {
  return Writer(Verb::Changed, 3).number(answer.id).status(answer.status).take();
}

std::string encode(const GapNotice& notice) {
  return Writer(Verb::Gap, 5)
      .number(notice.id)
      .number(notice.gap.log)
      .number(notice.gap.from)
      .number(notice.gap.to)
      .text(notice.gap.reason)
      .take();
}

std::string encode(const Close& close) { return Writer(Verb::Close, 1).number(close.id).take(); }
std::string encode(const EndNotice& notice) {
  return Writer(Verb::Ended, 3).number(notice.id).error(notice.error).take();
}

std::string encode(const LogIs& log) {
  return Writer(Verb::LogIs, 4).number(log.log).log(log.id).take();
}

std::string encode(const Remove& remove) {
  return Writer(Verb::Remove, 2).number(remove.number).text(remove.name).take();
}
std::string encode(const RemoveAnswer& answer) {
  return Writer(Verb::Removed, 3).number(answer.number).status(answer.status).take();
}

std::string encode(const AskConsumers& ask) {
  return Writer(Verb::Consumers, 1).number(ask.number).take();
}
std::string encode(const ConsumerList& list) {
  Writer out(Verb::ConsumerList, 3);
  out.number(list.number).flag(list.more).array(list.consumers.size());
  for (const ConsumerInfo& info : list.consumers) write_consumer(out, info);
  return out.take();
}

std::string encode(const AskStatus& ask) {
  return Writer(Verb::Status, 1).number(ask.number).take();
}
std::string encode(const StatusText& text) {
  return Writer(Verb::StatusText, 2, text.json.size() + 32)
      .number(text.number)
      .text(text.json)
      .take();
}

std::string encode(const AskLog& ask) {
  return Writer(Verb::Log, 2).number(ask.number).number(ask.log).take();
}
std::string encode(const LogName& name) {
  return Writer(Verb::LogName, 4).number(name.number).log(name.id).take();
}

std::string encode(const Failed& failed) {
  return Writer(Verb::Failed, 3).number(failed.number).error(failed.error).take();
}

std::string encode(const Await& await) {
  Writer out(Verb::Await, 4);
  out.number(await.number).text(await.level).duration(await.patience);
  out.array(await.positions.size());
  for (const Position position : await.positions) out.position(position);
  return out.take();
}
std::string encode(const Awaited& awaited) {
  return Writer(Verb::Awaited, 2).number(awaited.number).flag(awaited.reached).take();
}

std::string encode_publish(std::uint64_t number, std::span<const EventView> events) {
  std::size_t bytes = 32;
  for (const EventView& event : events) bytes += frame_bytes(event);
  Writer out(Verb::Publish, 2, bytes);
  out.number(number).array(events.size());
  for (const EventView& event : events) {
    const std::size_t fields = fields_of(event);
    out.array(fields);
    write_fields(out, event, fields);
  }
  return out.take();
}

std::string encode_deliver(SubscriptionId id, std::uint32_t attempt,
                           std::span<const EventView> events,
                           std::span<const std::uint32_t> indices) {
  std::size_t bytes = 32;
  for (const std::uint32_t index : indices) bytes += frame_bytes(events[index]);
  Writer out(Verb::Deliver, 3, bytes);
  out.number(id).number(attempt).array(indices.size());
  for (const std::uint32_t index : indices) {
    const EventView& event = events[index];
    const std::size_t fields = fields_of(event);
    out.array(fields + 2).position(event.position).time(event.recorded);
    write_fields(out, event, fields);
  }
  return out.take();
}

std::string encode_settle(SubscriptionId id, std::span<const Position> positions, Settle how,
                          Duration delay) {
  std::size_t runs = 0;
  for (std::size_t i = 0; i < positions.size(); ++i) {
    runs += i == 0 || positions[i].packed() != positions[i - 1].packed() + 1 ? 1 : 0;
  }
  Writer out(Verb::Settle, 4, 32 + runs * 12);
  out.number(id).flag(how == Settle::Ack).duration(delay).array(runs * 2);
  for (std::size_t i = 0; i < positions.size();) {
    std::size_t end = i + 1;
    while (end < positions.size() && positions[end].packed() == positions[end - 1].packed() + 1) {
      ++end;
    }
    out.position(positions[i]).number(end - i);
    i = end;
  }
  return out.take();
}

FrameShare first_frame(std::span<const EventView> events, std::size_t bytes) {
  FrameShare share;
  for (; share.events < events.size() && share.events < kEventsMax; ++share.events) {
    const std::size_t more = frame_bytes(events[share.events]);
    if (share.events > 0 && share.bytes + more > bytes) break;
    share.bytes += more;
  }
  return share;
}

std::size_t first_frame(std::span<const EventView> events, std::span<const std::uint32_t> indices,
                        std::size_t bytes) {
  std::size_t count = 0;
  for (std::size_t sum = 0; count < indices.size() && count < kEventsMax; ++count) {
    sum += frame_bytes(events[indices[count]]);
    if (count > 0 && sum > bytes) break;
  }
  return count;
}

}  // namespace marram::wire
