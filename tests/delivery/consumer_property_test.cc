// Random schedules of everything that can happen to a consumer, checked against the
// rules in world.h; a failure prints the shortest schedule that breaks one.
#include <rapidcheck.h>

#include "tests/delivery/world.h"

namespace marram::test {

namespace {

TEST_SUITE_BEGIN("delivery/consumer_property");

// Reads a schedule: one number is one thing that happens.
class Player {
 public:
  Player(bool durable, std::size_t window, bool times_out)
      : durable_(durable),
        window_(window),
        ack_wait_(times_out ? 100ms : 0ms),
        world_(
            {.durable = durable,
             .start = {.at = durable ? Start::At::Earliest : Start::At::New, .seq = 0, .time = {}},
             .filters = {{"a/#", {}}, {"b/+", {}}}},
            4 << 10) {
    open_log(0);
    world_.make();
    attach();
  }

  void play(std::uint32_t code) {
    const std::uint32_t what = code % 32;
    choice_ = code / 32;
    if (what < 6) return store();
    if (what < 11) return world_.tell();
    if (what < 15) return world_.tick();
    if (what < 18) return world_.answer();
    if (what < 24) return settle(false);
    if (what < 26) return world_.save();
    switch (what) {
      case 26:
        return world_.answer(false);
      case 27:
        return settle(true);
      case 28:
        return world_.tell(true);
      case 29:
        return wait();
      case 30:
        return durable_ ? world_.save_idle() : world_.set_extra(choice_ % 2 == 0);
      default:
        return upset();
    }
  }

  // Everything is told, handed out and settled in the end.
  std::string finish() {
    while (world_.untold()) world_.tell();
    if (!world_.consumer->attached()) attach();
    for (int round = 0; round < 2000 && !done(); ++round) {
      world_.advance(200ms);
      world_.ack(world_.in_hand());
      world_.settle_down();
    }
    if (!done()) return "every matching event is handed out: " + missing();
    world_.save_idle();
    world_.save();
    world_.settle_down();
    for (const auto& [no, log] : world_.logs.all()) {
      if (durable_ && world_.cursors[no] != log.head) return "the cursor reaches the head";
    }
    return world_.broken.empty() ? "" : world_.broken.front();
  }

 private:
  std::uint32_t choose(std::uint32_t below) {
    const std::uint32_t chosen = choice_ % below;
    choice_ = choice_ / below + 0x9E3779B9U * (chosen + 1);
    return chosen;
  }
  void attach() { world_.attach(window_, ack_wait_); }

  void open_log(std::size_t stream) {
    const auto epoch = std::to_string(++opened_) + "-x";
    world_.open_log(opened_, epoch, stream == 0 ? "events" : "alarms");
    open_[stream] = opened_;
  }

  void store() {
    static const std::vector<std::string> topics = {"a/0", "a/1",   "a/2=k",   "b/0=k", "b/1=l",
                                                    "c/0", "c/1=k", "extra/0", "a/3=l"};
    const std::size_t stream = choose(4) == 0 ? 1 : 0;
    if (open_[stream] == 0) open_log(stream);
    std::vector<std::string> events;
    for (std::uint32_t i = choose(8) + 1; i > 0; --i) {
      events.push_back(topics[choose(static_cast<std::uint32_t>(topics.size()))]);
    }
    world_.store(open_[stream], events, choose(16) == 0 ? 150ms : 0ms);
  }

  void settle(bool nack) {
    const auto hand = world_.in_hand();
    if (hand.empty()) return;
    if (nack) {
      const Position position = hand[choose(static_cast<std::uint32_t>(hand.size()))];
      return world_.nack(position.log(), position.seq(), Duration(choose(3) * 40'000));
    }
    std::vector<Position> chosen;
    const std::uint32_t most = choose(3);
    for (const Position position : hand) {
      if (most == 0 || choose(most + 1) == 0) chosen.push_back(position);
    }
    world_.ack(chosen);
  }

  void wait() {
    world_.now.steady += 60ms;
    world_.now.wall += 60ms;
    world_.tick();
  }

  // A new run's log, another member, or a crash.
  void upset() {
    const std::uint32_t what = choose(4);
    if (what == 0) {
      while (world_.untold()) world_.tell();
      return open_log(choose(2));
    }
    if (world_.consumer->attached() && what < 3) return world_.detach();
    if (durable_ && what == 3) {
      world_.restart();
      open_[0] = open_[1] = 0;
    }
    if (!world_.consumer->attached()) attach();
  }

  bool done() { return missing().empty() && world_.consumer->backlog() == 0; }
  std::string missing() {
    for (const auto& [no, events] : world_.disk) {
      for (std::size_t i = 0; i < events.size(); ++i) {
        const Stored& event = events[i];
        const bool expired = event.expires != WallTime() && event.expires <= world_.now.wall;
        if (event.must && !event.settled && !event.gone && !expired) {
          return std::to_string(no) + "/" + std::to_string(i + 1);
        }
      }
    }
    return {};
  }

  bool durable_;
  std::size_t window_;
  Duration ack_wait_;
  World world_;
  std::uint32_t choice_ = 0;
  std::uint32_t opened_ = 0;
  std::uint32_t open_[2] = {0, 0};
};

void play_all(bool durable) {
  // A few steps at first, hundreds in the end.
  const auto size = *rc::gen::withSize([](int n) { return rc::gen::inRange(1, 4 * n + 8); });
  const auto schedule = *rc::gen::container<std::vector<std::uint32_t>>(
      static_cast<std::size_t>(size),
      rc::gen::resize(rc::kNominalSize, rc::gen::inRange<std::uint32_t>(0, 1U << 31)));
  const auto window = *rc::gen::element<std::size_t>(1, 2, 5, 30);
  Player player(durable, window, *rc::gen::arbitrary<bool>());
  for (const std::uint32_t code : schedule) player.play(code);
  RC_ASSERT(player.finish() == "");
}

TEST_CASE("whatever happens, a durable consumer hands out every event in key order") {
  CHECK(rc::check([] { play_all(true); }));
}

TEST_CASE("whatever happens, an ephemeral consumer hands out every event in key order") {
  CHECK(rc::check([] { play_all(false); }));
}

TEST_SUITE_END();

}  // namespace

}  // namespace marram::test
