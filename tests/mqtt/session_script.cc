#include "tests/mqtt/session_script.h"

#include <fmt/format.h>

#include "tests/mqtt/raw_client.h"

namespace marram::mqtt {

namespace {

constexpr WallTime kStart{std::chrono::sys_days(std::chrono::year(2026) / 11 / 24)};

std::string word(const Command& command) {
  struct Words {
    std::string operator()(const Authenticate& what) const {
      return fmt::format("authenticate {}{}", what.client_id,
                         what.user ? fmt::format(" {}:{}", *what.user, what.password) : "");
    }
    std::string operator()(const Claim& what) const {
      return fmt::format("claim {}{}{}", what.client_id, what.clean_start ? " clean" : "",
                         what.persistent ? " persistent" : "");
    }
    std::string operator()(const Open& what) const {
      return fmt::format("open {}[{}]", what.options.name, fmt::join(what.options.filters, " "));
    }
    std::string operator()(const Change& what) const {
      return fmt::format("change [{}]", fmt::join(what.filters, " "));
    }
    std::string operator()(const Leave& what) const {
      return what.forget ? "leave and forget" : "leave";
    }
    std::string operator()(const Close& what) const {
      return what.linger ? "close lingering" : "close";
    }
  };
  return std::visit(Words(), command);
}

}  // namespace

SessionScript::SessionScript(Version spoken, MqttLimits limits)
    : rules{limits, Limits()},
      now{TimePoint(), kStart},
      version(spoken),
      session(rules, "auto-1", TimePoint()) {
  out.events = &events;
  out.ids = &ids;
  out.tally = &tally;
}

void SessionScript::raw(std::string_view bytes) {
  Frame frame;
  while (session.takes_packets()) {
    const FrameState state = read_frame(bytes, session.packet_bytes_max(), frame);
    if (state == FrameState::Partial) return;
    if (state != FrameState::Ready) {
      return session.on_bad_frame(
          state == FrameState::TooLarge ? Reason::PacketTooLarge : Reason::MalformedPacket, out);
    }
    session.on_frame(frame, now, out);
    bytes.remove_prefix(frame.bytes);
  }
}

void SessionScript::connect(Connect packet) {
  packet.version = version;
  std::string bytes;
  encode(packet, bytes);
  raw(bytes);
}

void SessionScript::subscribe(std::string_view filter, std::uint8_t qos, std::uint32_t identifier,
                              bool no_local) {
  std::string properties;
  if (identifier != 0) {
    PropertyWriter(properties).number(PropertyId::SubscriptionIdentifier, identifier);
  }
  std::string bytes;
  encode(Subscribe{.packet_id = ++last_id_,
                   .filters = {{.filter = filter, .qos = qos, .no_local = no_local}},
                   .properties = Properties(properties)},
         version, bytes);
  raw(bytes);
}

void SessionScript::unsubscribe(std::string_view filter) {
  std::string bytes;
  encode(Unsubscribe{.packet_id = ++last_id_, .filters = {filter}, .properties = {}}, version,
         bytes);
  raw(bytes);
}

void SessionScript::publish(Publish packet) {
  std::string bytes;
  encode(packet, version, bytes);
  raw(bytes);
}

void SessionScript::publish(std::string_view topic, std::uint16_t packet_id) {
  publish(Publish{.topic = topic,
                  .payload = "x",
                  .packet_id = packet_id,
                  .qos = static_cast<std::uint8_t>(packet_id == 0 ? 0 : 1)});
}

void SessionScript::ack(std::uint16_t packet_id, Reason reason) {
  std::string bytes;
  encode(Ack{.packet_id = packet_id, .reason = reason}, version, bytes);
  raw(bytes);
}

void SessionScript::authenticated(AccessPtr access, Reason refusal) {
  session.on_authenticated(std::move(access), refusal, out);
}

void SessionScript::claimed(std::optional<StoredSession> stored_session) {
  session.on_claimed(std::move(stored_session), out);
}

void SessionScript::enter(Connect packet) {
  connect(std::move(packet));
  authenticated();
  claimed();
  words();
}

void SessionScript::deliver(Event event, std::uint64_t seq, std::uint32_t attempt) {
  auto batch = std::make_shared<EventBatch>();
  const auto headers = pack_headers(event.headers);
  batch->add(event, *headers, now.wall, ids);
  batch->events()[0].position = Position(1, seq);
  session.on_delivered({1, batch, {0}, attempt}, now.wall, out);
}

void SessionScript::stored(std::uint16_t packet_id, Reason reason) {
  session.on_stored({&packet_id, 1}, reason, out);
}

void SessionScript::tick(std::chrono::milliseconds later) {
  now.steady += later;
  session.on_tick(now.steady, out);
}

std::string SessionScript::words() {
  std::vector<std::string> all;
  if (!out.bytes.empty()) all.push_back(words_of(out.bytes, version));
  for (; told_ < events.size(); ++told_) {
    all.push_back(fmt::format("store {}", events.events()[told_].topic));
  }
  for (const Position position : out.settled)
    all.push_back(fmt::format("settle {}", position.seq()));
  for (const Command& command : out.commands) all.push_back(word(command));
  out.bytes.clear();
  out.settled.clear();
  out.commands.clear();
  out.packet_ids.clear();
  return fmt::format("{}", fmt::join(all, ", "));
}

}  // namespace marram::mqtt
