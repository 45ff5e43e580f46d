// A route in: from a broker outside to this node.
//
// The broker keeps a session for the route while it is away.  A message is
// acknowledged there only when the node has committed it: Paho acknowledges
// when its callback returns, so the callback waits for the commit.  Where there
// will be none the callback never returns, and the process has to end; the
// broker then delivers the message again.
//
// Threads: run() on one, the callback on Paho's receiving one.
#pragma once

#include <string>
#include <vector>

#include "core/base/ids.h"
#include "core/event/bus.h"
#include "gateway/connectors/connector_host.h"
#include "gateway/connectors/mqtt_dialer.h"

namespace marram {

class MqttInbound {
 public:
  // `bus` and `host` outlive it.
  MqttInbound(Bus& bus, NodeIdentity node, const ConnectorConfig& config,
              const ConnectorHost& host);

  // Until the host says stop.
  // Errors: a message cannot be stored now, or a filter is refused; end the process
  //         without running destructors, and start it again
  Status run();

 private:
  struct Counts {
    std::uint64_t taken = 0;
    std::uint64_t looped = 0;
    std::uint64_t skipped = 0;
    std::string skipped_why;
  };
  struct Stuck {  // why it cannot go on: the callback does not return, or a filter is refused
    FaultKind kind;
    std::string text;
  };

  // --- on Paho's receiving thread ---
  void on_message(const MqttMessage& message);
  Status submit_and_wait(const Event& event);
  void refuse(const MqttMessage& message, const std::string& why);
  [[noreturn]] void stay(FaultKind kind, std::string text);

  // --- on run()'s ---
  void take_link_events();
  void on(const LinkConnected& event);
  void on(const LinkLost& event);
  void on(const LinkSubscribed& event);
  void on(const LinkAcked&) {}
  void on(const LinkRefused&) {}
  void take_counts();
  // True: it is over, and the process has to end.
  bool look_at_stuck();
  void look_at_clock();

  Bus& bus_;
  const NodeIdentity node_;
  const ConnectorConfig config_;
  const ConnectorHost& host_;
  RouteStatus status_;
  StatusReporter reporter_;
  Mailbox<Stuck> stuck_;
  std::optional<Stuck> over_;
  TimePoint over_at_{};
  Guarded<Counts> counts_;
  bool subscribed_ = false;
  std::vector<LinkEvent> events_;
  TimePoint now_{};
  WallTime wall_{};
  // Of the receiving thread:
  std::shared_ptr<Inbox> inbox_ = std::make_shared<Inbox>();
  UuidMaker ids_;
  std::uint64_t token_ = 0;
  std::vector<Notice> notices_;
  MqttDialer dialer_;  // last: its link calls back until it is gone
};

}  // namespace marram
