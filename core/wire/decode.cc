#include "core/wire/decode.h"

#include <fmt/format.h>

#include "core/wire/elements.h"

namespace marram::wire {

namespace {

Position read_position(Reader& in, const char* what) {
  return Position::from_packed(static_cast<std::int64_t>(in.number(what, INT64_MAX)));
}

Status read_status(Reader& in) {
  auto error = read_error(in);
  return error ? Status(tl::unexpected(std::move(*error))) : Status();
}

Welcome read_welcome(Reader& in) {
  Welcome welcome;
  welcome.version = static_cast<std::uint32_t>(in.number("version", UINT32_MAX));
  welcome.node_name = in.text("node name");
  welcome.node_id = in.text("node id");
  welcome.silent_after = read_duration(in, "silent_after");
  welcome.window_bytes = in.number("window");
  const Reader::Array array = in.array("limits", 12, kElementsMax);
  Limits& limits = welcome.limits;
  for (std::size_t* limit :
       {&limits.topic_bytes_max, &limits.topic_levels_max, &limits.filters_per_consumer_max,
        &limits.payload_bytes_max, &limits.headers_max, &limits.headers_bytes_max,
        &limits.key_bytes_max, &limits.id_bytes_max, &limits.name_bytes_max, &limits.in_flight_max,
        &limits.in_flight_bytes_max, &limits.frame_bytes_max}) {
    *limit = in.number("limit");
  }
  in.leave(array);
  return welcome;
}

std::unique_ptr<EventBatch> read_events(Reader& in, bool stored, const Defaults& defaults,
                                        UuidMaker& ids) {
  auto batch = std::make_unique<EventBatch>();
  const std::size_t extra = stored ? 2 : 0;
  const Reader::Array events = in.array("events", 1, kEventsMax);
  batch->events().reserve(events.count);
  for (std::size_t i = 0; i < events.count && in.ok(); ++i) {
    EventView event;
    const Reader::Array array = in.array("event", 4 + extra, kElementsMax);
    if (stored) {
      event.position = read_position(in, "position");
      event.recorded = read_time(in, "recorded");
    }
    read_fields(in, event, array.count - extra);
    in.leave(array);
    if (event.client.empty()) event.client = defaults.client;
    if (in.ok()) batch->add(event, defaults.now, ids);
  }
  return batch;
}

PublishAnswer read_published(Reader& in) {
  PublishAnswer answer;
  answer.number = in.number("number");
  const Reader::Array runs = in.array("runs", 1, kEventsMax);
  for (std::size_t i = 0; i < runs.count && in.ok(); ++i) {
    const Reader::Array array = in.array("run", 3, kElementsMax);
    Run& run = answer.runs.emplace_back();
    run.count = in.number("count", kEventsMax);
    if (in.next_is(Token::Kind::Text)) {
      run.error = read_error(in);
    } else {
      run.position = read_position(in, "position");
      run.recorded = read_time(in, "recorded");
    }
    in.leave(array);
  }
  return answer;
}

std::optional<Start> read_start(Reader& in) {
  if (in.nil()) return {};
  const Reader::Array array = in.array("start", 2, kElementsMax);
  Start start;
  const std::string_view at = in.text("start");
  if (at == "new" || at == "earliest") {
    start.at = at == "new" ? Start::At::New : Start::At::Earliest;
    if (!in.nil()) in.refuse("start", "has a value");
  } else if (at == "seq") {
    start.at = Start::At::Seq;
    start.seq = in.number("start");
  } else if (at == "time") {
    start.at = Start::At::Time;
    start.time = read_time(in, "start");
  } else {
    in.refuse("start", "is none of new, earliest, seq, time");
  }
  in.leave(array);
  return start;
}

Open read_open(Reader& in) {
  Open open;
  open.id = in.number("subscription");
  open.options.name = in.text("name");
  open.options.filters = read_texts(in, "filters", kFiltersMax);
  open.options.start = read_start(in);
  open.options.in_flight_max = in.number("in_flight_max");
  open.options.in_flight_bytes_max = in.number("in_flight_bytes_max");
  open.options.ack_wait = read_duration(in, "ack_wait");
  open.options.take_over = in.flag("take_over");
  open.options.attributes = in.bytes("attributes");
  return open;
}

Settlement read_settle(Reader& in) {
  Settlement settlement;
  settlement.id = in.number("subscription");
  settlement.how = in.flag("ack") ? Settle::Ack : Settle::Nack;
  settlement.delay = read_duration(in, "delay");
  const Reader::Array runs = in.array("positions", 0, 2 * kSettledMax);
  if (runs.count % 2 != 0) in.refuse("positions", "are not pairs");
  for (std::size_t i = 0; i < runs.count && in.ok(); i += 2) {
    const std::uint64_t first = in.number("position", INT64_MAX - kSettledMax);
    const std::uint64_t count = in.number("count", kSettledMax - settlement.positions.size());
    for (std::uint64_t at = first; at < first + count; ++at) {
      settlement.positions.push_back(Position::from_packed(static_cast<std::int64_t>(at)));
    }
  }
  return settlement;
}

Await read_await(Reader& in) {
  Await await;
  await.number = in.number("number");
  await.level = in.text("level");
  await.patience = read_duration(in, "patience");
  const Reader::Array array = in.array("positions", 0, kAwaitedMax);
  for (std::size_t i = 0; i < array.count && in.ok(); ++i) {
    await.positions.push_back(read_position(in, "position"));
  }
  return await;
}

GapNotice read_gap(Reader& in) {
  GapNotice notice;
  notice.id = in.number("subscription");
  notice.gap.log = static_cast<std::uint32_t>(in.number("log", UINT32_MAX));
  notice.gap.from = in.number("from");
  notice.gap.to = in.number("to");
  notice.gap.reason = in.text("reason");
  return notice;
}

LogId read_log_id(Reader& in) {
  std::string origin(in.text("origin"));
  std::string epoch(in.text("epoch"));
  return {std::move(origin), std::move(epoch), std::string(in.text("stream"))};
}

ConsumerInfo read_consumer(Reader& in) {
  const Reader::Array array = in.array("consumer", 9, kElementsMax);
  ConsumerInfo info;
  info.name = in.text("name");
  info.filters = read_texts(in, "filters", kFiltersMax);
  info.attributes = in.bytes("attributes");
  info.attached = in.flag("attached");
  info.backlog = in.number("backlog");
  if (!in.nil()) info.oldest = read_time(in, "oldest");
  info.in_flight = in.number("in_flight");
  info.redelivered = in.number("redelivered");
  info.created = read_time(in, "created");
  in.leave(array);
  return info;
}

ConsumerList read_consumers(Reader& in) {
  ConsumerList list;
  list.number = in.number("number");
  list.more = in.flag("more");
  const Reader::Array array = in.array("consumers", 0, kEventsMax);
  for (std::size_t i = 0; i < array.count && in.ok(); ++i) {
    list.consumers.push_back(read_consumer(in));
  }
  return list;
}

// The elements behind the verb that a frame must have; 0 for verbs unknown here.
std::size_t elements_of(std::uint64_t verb) {
  switch (static_cast<Verb>(verb)) {
    case Verb::Ping:
    case Verb::Pong:
    case Verb::Close:
    case Verb::Consumers:
    case Verb::Status:
      return 1;
    case Verb::Error:
    case Verb::Bye:
    case Verb::Publish:
    case Verb::Published:
    case Verb::Opened:
    case Verb::Remove:
    case Verb::StatusText:
    case Verb::Log:
    case Verb::Awaited:
      return 2;
    case Verb::Change:
    case Verb::Changed:
    case Verb::Deliver:
    case Verb::Ended:
    case Verb::Removed:
    case Verb::ConsumerList:
    case Verb::Failed:
      return 3;
    case Verb::Settle:
    case Verb::LogName:
    case Verb::Await:
    case Verb::LogIs:
      return 4;
    case Verb::Gap:
      return 5;
    case Verb::Welcome:
      return 6;
    case Verb::Hello:
      return 7;
    case Verb::Open:
      return 9;
  }
  return 0;
}

}  // namespace

Frame Decoder::read_frame(Reader& in, std::uint64_t verb, const Defaults& defaults) {
  switch (static_cast<Verb>(verb)) {
    case Verb::Hello:
      return read_hello(in);
    case Verb::Welcome:
      return read_welcome(in);
    case Verb::Ping:
      return Ping{in.number("number")};
    case Verb::Pong:
      return Pong{in.number("number")};
    case Verb::Error:
      return Broken{read_reason(in)};
    case Verb::Bye:
      return Bye{read_reason(in)};
    case Verb::Publish:
      return Publish{in.number("number"), read_events(in, false, defaults, ids_)};
    case Verb::Published:
      return read_published(in);
    case Verb::Open:
      return read_open(in);
    case Verb::Opened:
      return OpenAnswer{in.number("subscription"), read_time(in, "now")};
    case Verb::Change:
      return Change{in.number("subscription"), read_texts(in, "filters", kFiltersMax),
                    std::string(in.bytes("attributes"))};
    case Verb::Changed:
      return ChangeAnswer{in.number("subscription"), read_status(in)};
    case Verb::Settle:
      return read_settle(in);
    case Verb::Deliver:
      return Deliver{in.number("subscription"),
                     static_cast<std::uint32_t>(in.number("attempt", UINT32_MAX)),
                     read_events(in, true, {}, ids_)};
    case Verb::Gap:
      return read_gap(in);
    case Verb::Close:
      return Close{in.number("subscription")};
    case Verb::Ended:
      return EndNotice{in.number("subscription"), read_reason(in)};
    case Verb::Remove:
      return Remove{in.number("number"), std::string(in.text("name"))};
    case Verb::Removed:
      return RemoveAnswer{in.number("number"), read_status(in)};
    case Verb::Consumers:
      return AskConsumers{in.number("number")};
    case Verb::ConsumerList:
      return read_consumers(in);
    case Verb::Status:
      return AskStatus{in.number("number")};
    case Verb::StatusText:
      return StatusText{in.number("number"), std::string(in.text("status"))};
    case Verb::Log:
      return AskLog{in.number("number"), static_cast<std::uint32_t>(in.number("log", UINT32_MAX))};
    case Verb::LogName:
      return LogName{in.number("number"), read_log_id(in)};
    case Verb::Failed:
      return Failed{in.number("number"), read_reason(in)};
    case Verb::Await:
      return read_await(in);
    case Verb::Awaited:
      return Awaited{in.number("number"), in.flag("reached")};
    case Verb::LogIs:
      return LogIs{static_cast<std::uint32_t>(in.number("log", Position::kLogMax)),
                   read_log_id(in)};
  }
  return Unknown{verb};
}

Result<Frame> Decoder::decode(std::string_view bytes, const Defaults& defaults) {
  if (bytes.size() > limits_.frame_bytes_max) {
    return fail(Errc::TooLarge,
                fmt::format("wire: a frame has {} bytes, over the limit of {} (raise "
                            "limits.frame_bytes_max)",
                            bytes.size(), limits_.frame_bytes_max));
  }
  if (auto status = tape_.load(bytes); !status) return tl::unexpected(status.error());
  Reader in(tape_);
  const Reader::Array array = in.array("frame", 1, kElementsMax);
  const std::uint64_t verb = in.number("verb");
  if (!in.ok()) return fail(Errc::Protocol, "wire: " + in.error());
  const std::size_t elements = verb <= UINT8_MAX ? elements_of(verb) : 0;
  if (elements == 0) {
    if (verb >= kIgnorableFrom) return Unknown{verb};
    return fail(Errc::Protocol, fmt::format("wire: verb {} is unknown", verb));
  }
  if (array.count - 1 < elements) {
    return fail(Errc::Protocol, fmt::format("wire: verb {} has {} elements, needs {}", verb,
                                            array.count - 1, elements));
  }
  Frame frame = read_frame(in, verb, defaults);
  if (in.ok()) return frame;
  return fail(Errc::Protocol, fmt::format("wire: in verb {}: {}", verb, in.error()));
}

}  // namespace marram::wire
