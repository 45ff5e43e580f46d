#include "core/node/client_session.h"

#include <fmt/format.h>

#include <algorithm>
#include <type_traits>
#include <utility>

#include "core/base/quantity.h"
#include "core/node/broker.h"
#include "core/store/store.h"
#include "core/wire/encode.h"

namespace marram {

namespace {

constexpr std::size_t kDeliverBytes = 1 << 20;  // of one frame
constexpr std::size_t kListBytes = 256 << 10;
constexpr std::size_t kQuestionsMax = 16;
constexpr std::size_t kAwaitsMax = 1024;

std::size_t list_bytes(const ConsumerInfo& info) {
  std::size_t bytes = info.name.size() + info.attributes.size() + 128;
  for (const std::string& filter : info.filters) bytes += filter.size() + 5;
  return bytes;
}

// Leaves the events that keep the rules.
PublishQueue::Refusals take_out_refused(EventBatch& batch, const Limits& limits) {
  std::vector<EventView>& events = batch.events();
  PublishQueue::Refusals refused;
  for (std::size_t i = 0; i < events.size(); ++i) {
    auto status = check_event(events[i], limits);
    if (!status) {
      refused.emplace_back(i, std::move(status.error()));
    } else if (!refused.empty()) {
      events[i - refused.size()] = events[i];
    }
  }
  events.resize(events.size() - refused.size());
  return refused;
}

}  // namespace

// What the broker and others hold of a session, and may call when it has gone.
class ClientSession::Gate : public Listener {
 public:
  explicit Gate(ClientSession* to) : session(to) {}
  void notify(Notice notice) override {
    if (session != nullptr) session->on_notice(notice);
  }
  ClientSession* session;
};

ClientSession::ClientSession(Shared& shared, const wire::Hello& hello, TimePoint now)
    : heard(now),
      shared_(shared),
      name_(hello.name),
      instance_(hello.instance),
      gate_(std::make_shared<Gate>(this)) {}

ClientSession::~ClientSession() {
  gate_->session = nullptr;
  for (const auto& [wire, broker] : by_wire_) shared_.broker.close_subscription(broker);
}

template <class Frame>
void ClientSession::send(const Frame& frame) {
  out_.push_back(wire::encode(frame));
}

Result<bool> ClientSession::on_frame(wire::Frame& frame, std::size_t bytes,
                                     const std::shared_ptr<ClientSession>& self) {
  return std::visit(
      [&](auto& one) -> Result<bool> {
        using Kind = std::decay_t<decltype(one)>;
        if constexpr (std::is_same_v<Kind, wire::Publish>) {
          return on(one, bytes, self);
        } else if constexpr (std::is_same_v<Kind, wire::Ping>) {
          send(wire::Pong{one.number});
          return true;
        } else if constexpr (std::is_same_v<Kind, wire::Pong> ||
                             std::is_same_v<Kind, wire::Unknown>) {
          return true;
        } else if constexpr (std::is_same_v<Kind, wire::Broken>) {
          return tl::unexpected(one.error);
        } else if constexpr (requires {
                               { on(one) } -> std::same_as<Status>;
                             }) {
          if (auto status = on(one); !status) return tl::unexpected(status.error());
          return true;
        } else {
          return fail(Errc::Protocol, "endpoint: a frame that clients do not send here");
        }
      },
      frame);
}

// --- publishing ---

Result<bool> ClientSession::on(wire::Publish& publish, std::size_t bytes,
                               const std::shared_ptr<ClientSession>& self) {
  if (publish.number != next_publish_) {
    return fail(Errc::Protocol, fmt::format("endpoint: PUBLISH has number {}, expected {}",
                                            publish.number, next_publish_));
  }
  if (!publishes_.empty() && publishes_.unanswered_bytes() + bytes > shared_.window_bytes) {
    return fail(Errc::Protocol, fmt::format("endpoint: over the window of {} without an answer",
                                            bytes_text(shared_.window_bytes)));
  }
  const std::size_t count = publish.batch->size();
  PublishQueue::Refusals refused = take_out_refused(*publish.batch, shared_.limits);
  if (!publish.batch->empty()) {
    auto status = shared_.store.submit(std::move(publish.batch), shared_.stored, 0);
    if (status) {
      shared_.order.push_back(self);
    } else if (status.error().code == Errc::Overloaded || status.error().code == Errc::Closed) {
      return false;  // closed: the node stops, the client asks its next run
    } else {
      refused.clear();
      for (std::size_t i = 0; i < count; ++i) refused.emplace_back(i, status.error());
    }
  }
  ++next_publish_;
  publishes_.add(publish.number, bytes, count, std::move(refused));
  send_answers();
  return true;
}

void ClientSession::on_stored(const Published& published) {
  publishes_.on_stored(published);
  send_answers();
}

void ClientSession::send_answers() {
  while (const auto answer = publishes_.take()) {
    for (const wire::Run& run : answer->runs) {
      if (!run.error) name_log(run.position.log());
    }
    send(*answer);
  }
}

// --- subscriptions ---

Status ClientSession::on(wire::Open& open) {
  if (by_wire_.contains(open.id)) {
    return fail(Errc::Protocol, fmt::format("endpoint: subscription {} is open already", open.id));
  }
  if (by_wire_.size() >= shared_.subscriptions_max) {
    send(wire::EndNotice{
        open.id,
        {Errc::Overloaded, fmt::format("endpoint: {} subscriptions are open already (close "
                                       "some, or use another client)",
                                       by_wire_.size())}});
    return {};
  }
  const SubscriptionId id = shared_.broker.new_id();
  by_wire_.emplace(open.id, id);
  by_broker_.emplace(id, Opened{open.id});
  shared_.broker.open(id, open.options, gate_);
  return {};
}

Status ClientSession::on(wire::Change& change) {
  const auto found = by_wire_.find(change.id);
  if (found == by_wire_.end()) {
    send(wire::ChangeAnswer{change.id, fail(Errc::NotFound, "endpoint: no such subscription")});
    return {};
  }
  shared_.broker.change(found->second, change.filters, change.attributes);
  return {};
}

// The subscription may have ended while the frame was on its way.
Status ClientSession::on(wire::Settlement& settlement) {
  const auto found = by_wire_.find(settlement.id);
  if (found != by_wire_.end()) {
    shared_.broker.settle(found->second, settlement.positions, settlement.how, settlement.delay);
  }
  return {};
}

Status ClientSession::on(wire::Close& close) {
  const auto found = by_wire_.find(close.id);
  if (found == by_wire_.end()) return {};
  const SubscriptionId id = found->second;
  by_broker_.at(id).closing = true;
  shared_.broker.close_subscription(id);
  return {};
}

void ClientSession::on_notice(Notice& notice) {
  std::visit([&](auto& one) { on(one); }, notice);
}

// Before the first position in a log: a client that was here before may know another one by
// that number.
void ClientSession::name_log(std::uint32_t no) {
  if (!named_.insert(no).second) return;
  if (const KnownLog* const known = shared_.broker.logs().find(no)) {
    return send(wire::LogIs{no, known->id});
  }
  // One that opened a moment ago, of which the broker has not been told.
  for (const LogRecord& record : shared_.store.logs()) {
    if (record.no == no) return send(wire::LogIs{no, record.id});
  }
}

void ClientSession::on(Delivered& delivered) {
  const auto found = by_broker_.find(delivered.subscription);
  if (found == by_broker_.end()) return;
  const std::vector<EventView>& events = delivered.batch->events();
  std::uint32_t named = 0;  // nowhere
  for (const std::uint32_t index : delivered.indices) {
    const std::uint32_t log = events[index].position.log();
    if (log != named) name_log(named = log);
  }
  for (std::span<const std::uint32_t> rest = delivered.indices; !rest.empty();) {
    const std::size_t some = wire::first_frame(events, rest, kDeliverBytes);
    out_.push_back(
        wire::encode_deliver(found->second.wire, delivered.attempt, events, rest.first(some)));
    rest = rest.subspan(some);
  }
}

void ClientSession::on(Skipped& skipped) {
  const auto found = by_broker_.find(skipped.subscription);
  if (found == by_broker_.end()) return;
  name_log(skipped.gap.log);
  send(wire::GapNotice{found->second.wire, std::move(skipped.gap)});
}

void ClientSession::on(marram::Opened& opened) {
  const auto found = by_broker_.find(opened.subscription);
  if (found == by_broker_.end()) return;
  send(wire::OpenAnswer{found->second.wire, Clock::system().wall()});
}

void ClientSession::on(Changed& changed) {
  const auto found = by_broker_.find(changed.subscription);
  if (found == by_broker_.end()) return;
  send(wire::ChangeAnswer{found->second.wire, std::move(changed.status)});
}

void ClientSession::on(Ended& ended) {
  const auto found = by_broker_.find(ended.subscription);
  if (found == by_broker_.end()) return;
  const Opened opened = found->second;
  by_broker_.erase(found);
  by_wire_.erase(opened.wire);
  // The client opens them again when the node is back.
  if (shared_.stopping && !opened.closing) return;
  send(wire::EndNotice{opened.wire, std::move(ended.error)});
}

// --- questions ---

bool ClientSession::begin_question() {
  if (questions_ == kQuestionsMax) return false;
  ++questions_;
  return true;
}

Error ClientSession::too_many_questions() const {
  return {Errc::Overloaded, fmt::format("endpoint: {} questions of this client wait for an answer "
                                        "already (try again)",
                                        questions_)};
}

Status ClientSession::on(wire::Remove& remove) {
  if (begin_question()) {
    shared_.broker.remove_consumer(remove.name, gate_, remove.number);
  } else {
    send(wire::RemoveAnswer{remove.number, tl::unexpected(too_many_questions())});
  }
  return {};
}

void ClientSession::on(Removed& removed) {
  --questions_;
  send(wire::RemoveAnswer{removed.token, std::move(removed.status)});
}

Status ClientSession::on(wire::AskConsumers& ask) {
  if (!begin_question()) {
    send(wire::Failed{ask.number, too_many_questions()});
    return {};
  }
  shared_.broker.consumers([gate = gate_, number = ask.number](std::vector<ConsumerInfo> all) {
    if (gate->session != nullptr) gate->session->answer_consumers(number, std::move(all));
  });
  return {};
}

void ClientSession::answer_consumers(std::uint64_t number, std::vector<ConsumerInfo> consumers) {
  --questions_;
  wire::ConsumerList list{number, true, {}};
  std::size_t bytes = 0;
  for (ConsumerInfo& info : consumers) {
    bytes += list_bytes(info);
    if (bytes > kListBytes && !list.consumers.empty()) {
      send(list);
      list.consumers.clear();
      bytes = list_bytes(info);
    }
    list.consumers.push_back(std::move(info));
  }
  list.more = false;
  send(list);
}

Status ClientSession::on(wire::AskStatus& ask) {
  if (!begin_question()) {
    send(wire::Failed{ask.number, too_many_questions()});
    return {};
  }
  shared_.broker.status_json([gate = gate_, number = ask.number](std::string json) {
    if (gate->session != nullptr) gate->session->answer_status(number, std::move(json));
  });
  return {};
}

void ClientSession::answer_status(std::uint64_t number, std::string json) {
  --questions_;
  if (json.size() + 64 > shared_.limits.frame_bytes_max) {
    send(wire::Failed{number,
                      {Errc::TooLarge,
                       "endpoint: the status is larger than a frame (raise "
                       "limits.frame_bytes_max)"}});
    return;
  }
  send(wire::StatusText{number, std::move(json)});
}

Status ClientSession::on(wire::AskLog& ask) {
  for (const LogRecord& record : shared_.store.logs()) {
    if (record.no != ask.log) continue;
    send(wire::LogName{ask.number, record.id});
    return {};
  }
  send(wire::Failed{ask.number, {Errc::NotFound, fmt::format("endpoint: no log {}", ask.log)}});
  return {};
}

Status ClientSession::on(wire::Await& await) {
  const auto level = parse_level(await.level);
  if (!level || awaits_ == kAwaitsMax) {
    send(wire::Failed{
        await.number,
        level ? Error{Errc::Overloaded,
                      fmt::format("endpoint: {} publishers of this client wait already (try again)",
                                  awaits_)}
              : level.error()});
    return {};
  }
  ++awaits_;
  shared_.broker.await_level(*level, await.positions, await.patience,
                             [gate = gate_, number = await.number](const Result<bool>& reached) {
                               if (gate->session != nullptr)
                                 gate->session->answer_await(number, reached);
                             });
  return {};
}

void ClientSession::answer_await(std::uint64_t number, const Result<bool>& reached) {
  --awaits_;
  if (reached) {
    send(wire::Awaited{number, *reached});
  } else {
    send(wire::Failed{number, reached.error()});
  }
}

Status ClientSession::on(wire::Bye& bye) {
  bye_ = true;
  send(bye);
  return {};
}

}  // namespace marram
