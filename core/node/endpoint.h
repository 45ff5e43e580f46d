// Where clients (core/client) reach the node: a ZeroMQ ROUTER on the loop thread.
//
// Every client is a ClientSession; the endpoint reads and writes its frames, and
// gives it up when it breaks the protocol, is silent, does not read, or its
// connection is gone.  What a client can make the node hold is bounded: PUBLISH
// frames by its window, deliveries by the windows of its consumers, answers by
// PINGs among them that it must answer before more follows; when the store is
// overloaded frames stay unread.
//
// Threads: open() by one, before the loop starts; the rest on the loop thread.
#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/node/client_session.h"
#include "core/node/loop.h"
#include "core/node/router.h"
#include "core/wire/decode.h"

namespace marram {

class Broker;
class Store;

class Endpoint : public LoopPart {
 public:
  struct Options {
    std::vector<std::string> listen;
    Limits limits;
    std::string node_name;
    std::string node_id;
    Duration silent_after = std::chrono::seconds(15);     // a client's silence
    Connections::Options connections{.silent_max = 256};  // of those who are no clients
    const Clock* clock = &Clock::system();
    Log* log = nullptr;  // null: none
  };
  // Errors: as Router::bind()
  static Result<std::unique_ptr<Endpoint>> open(Options options, Broker& broker, Store& store);
  ~Endpoint() override;

  const std::vector<std::string>& endpoints() const { return router_->endpoints(); }
  std::size_t clients() const { return clients_.size(); }

  // The node goes away: subscriptions that end from now on end for that reason, and
  // clients that connect again to the next run open them again.
  void begin_stop() { shared_.stopping = true; }

  void add_poll_items(std::vector<zmq::pollitem_t>& items) override;
  bool run(TimePoint now) override;
  std::optional<TimePoint> wake_at() const override;
  void stop() override;

 private:
  struct Waiting {
    zmq::message_t frame;
    bool delivery;  // bounded by windows
  };
  struct Client {
    std::shared_ptr<ClientSession> session;
    Connections::Known connection;
    std::deque<Waiting> unsent;  // the peer's pipe is full, or it reads too slowly
    std::size_t unsent_answer_bytes = 0;
    std::size_t unread_answer_bytes = 0;  // sent, and no PONG since
    std::size_t pinged_answer_bytes = 0;  // of them, before the PING
    std::optional<std::uint64_t> ping;    // its number, which nobody guesses
    std::deque<zmq::message_t> parked;    // PUBLISH and what follows: the store is overloaded
    std::optional<Error> over;            // to be dropped, why
    bool say_why = true;
  };
  using Clients = std::unordered_map<std::string, Client>;

  Endpoint(Options options, Broker& broker, Store& store, std::unique_ptr<Router> router);

  bool take_stored();
  bool read_frames(TimePoint now);
  void take(Router::Incoming& incoming, TimePoint now);
  void take(Client& client, zmq::message_t& frame, TimePoint now);
  void handle(Client& client, zmq::message_t& frame);
  void greet(const Router::Incoming& incoming, const wire::Hello& hello, TimePoint now);
  std::optional<Error> refusal(const wire::Hello& hello) const;
  void refuse(const std::string& peer, const Error& error);
  void log_refusal(const Error& error);
  void retry_parked();
  void send_all();
  void send(const std::string& peer, Client& client);
  Router::Sent send_unsent(const std::string& peer, Client& client);
  void ping_reader(const std::string& peer, Client& client);
  void watch(bool all_read);
  void probe(TimePoint now);
  void check_silence(TimePoint now);
  bool drop_over();
  bool paused() const { return parked_bytes_ >= shared_.limits.queued_bytes_max; }

  const Options options_;
  Broker& broker_;
  ClientSession::Shared shared_;
  std::unique_ptr<Router> router_;
  wire::Decoder decoder_;
  Clients clients_;
  std::vector<Notice> notices_;
  std::size_t parked_bytes_ = 0;
  bool parked_ = false;  // some client has frames parked
  bool unsent_ = false;  // some client has frames unsent
  std::mt19937_64 random_{std::random_device{}()};
  TimePoint now_{};
  TimePoint check_at_{};               // for silence
  std::optional<TimePoint> probe_at_;  // a connection ended; whose is to be found out
  Duration probe_pause_{};
  TimePoint log_at_{};
  std::uint64_t unlogged_ = 0;
};

}  // namespace marram
