#include "gateway/connectors/outbound_window.h"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <memory>
#include <string>

namespace marram {
namespace {

TEST_SUITE_BEGIN("connectors/outbound_window");

// Events 1 to `count`, named by their position.
EventBatchPtr events(std::uint64_t count) {
  auto batch = std::make_shared<EventBatch>();
  UuidMaker ids;
  for (std::uint64_t seq = 1; seq <= count; ++seq) {
    EventView view;
    view.topic = "t";
    batch->add(view, WallTime{}, ids).position = Position(1, seq);
  }
  return batch;
}

void fill(OutboundWindow& window, std::uint64_t count) {
  const EventBatchPtr batch = events(count);
  for (std::uint32_t i = 0; i < count; ++i) window.add(batch, i);
}

// Sends all that may be sent: the sequence numbers, in order.
std::string send_all(OutboundWindow& window) {
  std::string sent;
  while (const auto item = window.next()) {
    sent += fmt::format("{}{}", sent.empty() ? "" : " ", item->event->position.seq());
  }
  return sent;
}

TEST_CASE("events are sent in order until the window is full, one more for each acknowledgement") {
  OutboundWindow window(3);
  fill(window, 5);

  CHECK(send_all(window) == "1 2 3");
  CHECK(window.done(1)->seq() == 1);
  CHECK(send_all(window) == "4");
  CHECK(window.in_flight() == 3);
  CHECK(window.size() == 4);
}

TEST_CASE("a broker's receive maximum narrows the window, never widens it") {
  OutboundWindow window(3);
  fill(window, 5);

  window.on_connected(2);
  CHECK(send_all(window) == "1 2");
  window.on_lost(false);
  window.on_connected(65'535);
  CHECK(send_all(window) == "1 2 3");
}

TEST_CASE("what is unacknowledged when the connection is lost is sent again, in order") {
  OutboundWindow window(4);
  fill(window, 6);
  CHECK(send_all(window) == "1 2 3 4");
  window.done(1);
  window.done(3);

  window.on_lost(false);

  CHECK(window.in_flight() == 0);
  CHECK(send_all(window) == "2 4 5 6");
}

TEST_CASE("an acknowledgement of the past, or for the second time, settles nothing") {
  OutboundWindow window(2);
  fill(window, 2);
  send_all(window);

  CHECK(window.done(1));
  CHECK_FALSE(window.done(1));
  CHECK_FALSE(window.done(77));
  CHECK_FALSE(window.done(0));
  CHECK(window.find(1) == nullptr);
  CHECK(window.find(2) != nullptr);
}

TEST_CASE("an event that is handed out again while it is here is not sent twice") {
  OutboundWindow window(10);
  fill(window, 3);
  send_all(window);

  fill(window, 4);

  CHECK(send_all(window) == "4");
  window.done(1);
  fill(window, 1);
  CHECK(send_all(window) == "1");
}

TEST_CASE("a broker that blames an event without naming it gets them one by one") {
  OutboundWindow window(3);
  fill(window, 5);
  window.on_connected(10);
  CHECK(send_all(window) == "1 2 3");
  CHECK(window.done(1));

  CHECK_FALSE(window.on_lost(true));

  window.on_connected(10);
  CHECK(send_all(window) == "2");
  window.done(2);
  CHECK(send_all(window) == "3");
  const auto blame = window.on_lost(true);
  REQUIRE(blame);
  CHECK(blame->certain);
  CHECK(window.find(blame->serial)->position.seq() == 3);
}

TEST_CASE("after the suspects are through the whole window is used again") {
  OutboundWindow window(3);
  fill(window, 5);
  send_all(window);
  window.on_lost(true);
  CHECK(window.careful());

  for (std::uint64_t serial = 1; serial <= 3; ++serial) {
    CHECK(send_all(window) == std::to_string(serial));
    window.done(serial);
  }

  CHECK_FALSE(window.careful());
  CHECK(send_all(window) == "4 5");
}

TEST_CASE("losses without any acknowledgement lead to one event, then to blame") {
  OutboundWindow window(3);
  fill(window, 5);
  std::string sent;
  std::optional<OutboundWindow::Blame> blame;

  int losses = 0;
  for (; !blame && losses < 20; ++losses) {
    window.on_connected(10);
    sent = send_all(window);
    blame = window.on_lost(false);
  }

  REQUIRE(blame);
  CHECK(losses == 6);
  CHECK(sent == "1");
  CHECK_FALSE(blame->certain);
  CHECK(window.find(blame->serial)->position.seq() == 1);
}

TEST_CASE("losses with acknowledgements in between blame nobody") {
  OutboundWindow window(2);
  fill(window, 40);

  for (std::uint64_t serial = 1; serial <= 30; ++serial) {
    window.on_connected(10);
    send_all(window);
    window.done(serial);
    CHECK_FALSE(window.on_lost(false));
  }

  CHECK_FALSE(window.careful());
}

TEST_CASE("a connection that the route ends itself blames nobody") {
  OutboundWindow window(2);
  fill(window, 3);

  for (int i = 0; i < 10; ++i) {
    window.on_connected(10);
    CHECK(send_all(window) == "1 2");
    window.rewind();
  }

  CHECK_FALSE(window.careful());
}

TEST_SUITE_END();

}  // namespace
}  // namespace marram
