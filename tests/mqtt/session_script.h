// A session on its own, told what happens and asked for its actions in words:
//
//     script.on("connect"); CHECK(script.words() == "authenticate c1");
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "gateway/mqtt/session.h"

namespace marram::mqtt {

class SessionScript {
 public:
  explicit SessionScript(Version version = Version::V5, MqttLimits limits = {});

  // The packet comes from the client.
  void connect(Connect packet = {.client_id = "c1"});
  void subscribe(std::string_view filter, std::uint8_t qos, std::uint32_t identifier = 0,
                 bool no_local = false);
  void unsubscribe(std::string_view filter);
  void publish(Publish packet);
  void publish(std::string_view topic, std::uint16_t packet_id);
  void ack(std::uint16_t packet_id, Reason reason = Reason::Success);
  void raw(std::string_view bytes);

  // Connect, authenticate, claim; forgets the actions.
  void enter(Connect packet = {.client_id = "c1"});
  void authenticated(AccessPtr access = everything(), Reason refusal = Reason::BadUserOrPassword);
  void claimed(std::optional<StoredSession> stored = {});
  void opened() { session.on_opened(out); }
  void changed(const Status& status = {}) { session.on_changed(status, out); }
  void ended(Errc code) { session.on_ended({code, "ended"}, out); }
  // One event of these positions' batch, with `topic`.
  void deliver(Event event, std::uint64_t seq, std::uint32_t attempt = 1);
  void stored(std::uint16_t packet_id, Reason reason = Reason::Success);
  void sent() { session.on_sent(out); }
  void tick(std::chrono::milliseconds later);

  // All actions since the last call: packets, then "store TOPIC" for events, then
  // "settle SEQ", then commands.
  std::string words();
  // The properties of the last packet of that type since the last words().
  std::string bytes() const { return out.bytes; }

  SessionRules rules;
  EventBatch events;
  UuidMaker ids;
  Tally tally;
  Actions out;
  Now now;
  Version version;
  Session session;

 private:
  std::size_t told_ = 0;  // events
  std::uint16_t last_id_ = 0;
};

}  // namespace marram::mqtt
