// One node without a world: the test is its peers.
#pragma once

#include <doctest/doctest.h>

#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "core/mesh/mesh.h"

namespace marram::mesh {

struct OneNode {
  explicit OneNode(MeshOptions options = {}, std::vector<LogRecord> logs = {},
                   MeshRecords records = {}) {
    if (options.node_id.empty()) options.node_id = "node";
    options.instance = "1";
    mesh.emplace(std::move(options), std::move(logs), std::move(records), now);
  }

  // A peer dials, or is dialled, and says HELLO.
  SessionId greet(const std::string& peer, const std::string& instance = "1",
                  bool dialled = false) {
    const SessionId id = ++sessions;
    mesh->on_session_up({.id = id, .dialled = dialled, .address = peer + "'s"}, now, out);
    wire::LinkHello hello;
    hello.name = hello.node_id = peer;
    hello.instance = instance;
    hello.silent_after = std::chrono::seconds(15);
    hello.window_bytes = 1 << 20;
    hello.event_bytes_max = 1 << 20;
    say(id, std::move(hello));
    return id;
  }
  void say(SessionId session, wire::LinkFrame frame) {
    mesh->on_frame(session, std::move(frame), now, out);
    tick();
  }
  void tick() { mesh->on_tick(now, out); }
  // In steps, so that everything is done when it is due.
  void run(Duration time, Duration step = std::chrono::milliseconds(50)) {
    for (const TimePoint end = now.steady + time; now.steady < end;) {
      now.steady += step;
      now.wall += step;
      tick();
    }
  }

  // What it was told to send in a session.
  template <class Frame>
  std::vector<Frame> said(SessionId session) const {
    std::vector<Frame> frames;
    for (const Action& action : out) {
      const auto* const send = std::get_if<SendFrame>(&action);
      if (send == nullptr || send->session != session) continue;
      if (const auto* const frame = std::get_if<Frame>(&send->frame)) frames.push_back(*frame);
    }
    return frames;
  }
  std::vector<Dial> dials() const {
    std::vector<Dial> all;
    for (const Action& action : out) {
      if (const auto* const dial = std::get_if<Dial>(&action)) all.push_back(*dial);
    }
    return all;
  }
  // Why it gave a session up; empty: it did not.
  std::optional<Error> hung_up(SessionId session) const {
    for (const Action& action : out) {
      const auto* const over = std::get_if<HangUp>(&action);
      if (over != nullptr && over->session == session) return over->why;
    }
    return {};
  }
  std::size_t reports(Report::What what) const {
    return static_cast<std::size_t>(std::count_if(out.begin(), out.end(), [&](const auto& action) {
      const auto* const report = std::get_if<Report>(&action);
      return report != nullptr && report->what == what;
    }));
  }

  Now now{TimePoint(std::chrono::hours(1)),
          WallTime{std::chrono::sys_days(std::chrono::year(2026) / 11 / 1)}};
  Actions out;
  SessionId sessions = 0;
  std::optional<Mesh> mesh;
};

}  // namespace marram::mesh
