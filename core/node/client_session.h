// One client at the endpoint: what it may do, what it has open, what it is owed.
//
// It takes the client's frames, has the broker and the store do what they say,
// and leaves frames for the client in out(); it has no socket.  Notices of the
// broker come through its listener, which outlives it and then says nothing.
//
// Threads: the loop thread only.
#pragma once

#include <deque>
#include <memory>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "core/base/clock.h"
#include "core/base/limits.h"
#include "core/event/bus.h"
#include "core/node/publish_queue.h"
#include "core/wire/decode.h"
#include "core/wire/frames.h"

namespace marram {

class Broker;
class Store;

class ClientSession {
 public:
  // What all sessions share; outlives them.
  struct Shared {
    Broker& broker;
    Store& store;
    const Limits limits;
    std::shared_ptr<Inbox> stored;                   // answers of the store, for all sessions
    std::deque<std::weak_ptr<ClientSession>> order;  // who gets the next of them
    std::uint64_t window_bytes = 0;                  // of unanswered PUBLISH frames of a client
    std::size_t subscriptions_max = 1000;            // of one client
    bool stopping = false;                           // the node goes away, not the subscriptions
  };

  ClientSession(Shared& shared, const wire::Hello& hello, TimePoint now);
  ~ClientSession();  // closes its subscriptions
  ClientSession(const ClientSession&) = delete;
  ClientSession& operator=(const ClientSession&) = delete;

  // What the client sent.  `bytes` is the frame as it came.  False: the store is
  // overloaded, nothing was done, the frame is to come again.
  //
  // Errors: any  the client breaks the protocol, the session is over
  Result<bool> on_frame(wire::Frame& frame, std::size_t bytes,
                        const std::shared_ptr<ClientSession>& self);
  void on_stored(const Published& published);

  const std::string& name() const { return name_; }
  const std::string& instance() const { return instance_; }
  bool bye() const { return bye_; }  // it has said so; the answer is in out()
  std::vector<std::string>& out() { return out_; }

  // Kept by the endpoint.
  TimePoint heard{};

 private:
  class Gate;
  struct Opened {
    SubscriptionId wire;
    bool closing = false;
  };

  Result<bool> on(wire::Publish& publish, std::size_t bytes,
                  const std::shared_ptr<ClientSession>& self);
  Status on(wire::Open& open);
  Status on(wire::Change& change);
  Status on(wire::Settlement& settlement);
  Status on(wire::Close& close);
  Status on(wire::Remove& remove);
  Status on(wire::AskConsumers& ask);
  Status on(wire::AskStatus& ask);
  Status on(wire::AskLog& ask);
  Status on(wire::Await& await);
  Status on(wire::Bye& bye);
  bool begin_question();
  Error too_many_questions() const;

  void on_notice(Notice& notice);
  void name_log(std::uint32_t no);
  void on(Delivered& delivered);
  void on(Skipped& skipped);
  void on(marram::Opened& opened);
  void on(Changed& changed);
  void on(Ended& ended);
  void on(Removed& removed);
  void on(Published&) {}
  void on(Reached&) {}
  void answer_await(std::uint64_t number, const Result<bool>& reached);
  void answer_consumers(std::uint64_t number, std::vector<ConsumerInfo> consumers);
  void answer_status(std::uint64_t number, std::string json);
  void send_answers();
  template <class Frame>
  void send(const Frame& frame);

  Shared& shared_;
  std::string name_;
  std::string instance_;
  std::shared_ptr<Gate> gate_;
  PublishQueue publishes_;
  std::uint64_t next_publish_ = 1;
  std::unordered_map<SubscriptionId, SubscriptionId> by_wire_;  // to the broker's
  std::unordered_map<SubscriptionId, Opened> by_broker_;
  std::unordered_set<std::uint32_t> named_;  // logs that the client knows
  std::size_t questions_ = 0;                // unanswered
  std::size_t awaits_ = 0;                   // likewise
  bool bye_ = false;
  std::vector<std::string> out_;
};

}  // namespace marram
