// The listener's one thread: sockets, the Bus, and the sessions between them.
//
// It goes in rounds.  Whatever is ready is read; packets become events in one
// batch, notices of the Bus become packets; then the batch is submitted and each
// connection with something to say is written to once.  What a session asks for
// besides (commands) is carried out in between, never from within a session.
#pragma once

#include <atomic>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "gateway/mqtt/connection.h"
#include "gateway/mqtt/deadlines.h"
#include "gateway/mqtt/endpoint.h"
#include "gateway/mqtt/listener.h"
#include "gateway/mqtt/password_checker.h"
#include "gateway/mqtt/session_book.h"
#include "gateway/mqtt/users.h"

namespace marram::mqtt {

class Server : public MqttListener {
 public:
  Server(MqttOptions options, Bus& bus, std::optional<Users> users, std::optional<TlsContext> tls);
  ~Server() override { close(); }

  Status bind(const std::vector<Endpoint>& endpoints);
  Status load_sessions();
  void start();

  std::vector<std::string> endpoints() const override;
  std::string report_json() override;
  Status reload_users() override;
  void close() override;

 private:
  struct Door {
    Door(boost::asio::ip::tcp::acceptor open, Endpoint at)
        : acceptor(std::move(open)), endpoint(std::move(at)) {}
    boost::asio::ip::tcp::acceptor acceptor;
    Endpoint endpoint;
    bool waiting = false;  // after an error of accept, for `accept_again_at_`
  };
  // Events of one connection that stand together in a batch.
  struct Run {
    Handle who;
    std::uint32_t count;
  };
  // A batch that the store has not answered.
  struct Flight {
    std::uint64_t token = 0;
    std::vector<Run> runs;
    std::vector<std::uint16_t> packet_ids;
    bool second_try = false;  // of a held connection
  };
  // A durable consumer that is being removed; nobody may open it before it is gone.
  struct Removal {
    std::uint64_t token = 0;
    int tries = 0;
    TimePoint again_at = TimePoint::max();
    Handle claimant;  // gets its id when it is gone
    Handle opener;    // and this one its subscription
    std::optional<SubscribeOptions> open;
  };
  struct Task {
    Handle who;
    std::optional<Command> command;  // none: look at the unfinished bytes again
  };

  // server.cc: rounds, doors, time
  void run();
  void look_at_clock();
  void finish_round();
  void accept_at(Door& door);
  void admit(boost::asio::ip::tcp::socket socket, const Door& door);
  bool has_room_for(const boost::asio::ip::address& address) const;
  void wait_for_notices();
  void arm_timer();
  void on_time();
  void look_at(Handle who);
  void begin_closing();
  bool may_finish() const;
  void say_goodbye();
  std::string make_report() const;

  // server_io.cc: bytes
  void wait_readable(Connection& connection);
  void wait_writable(Connection& connection);
  void on_readable(Connection& connection);
  void take_bytes(Connection& connection, std::size_t count, std::size_t carried);
  std::string_view parse(Connection& connection, std::string_view bytes);
  void parse_unfinished(Connection& connection);
  void count_unfinished(Connection& connection);
  void flush(Connection& connection);
  bool write_out(Connection& connection);
  std::size_t held_bytes_max() const;
  bool is_held_back(const Connection& connection) const;
  bool wants_reading(const Connection& connection) const;
  void discard(Connection& connection);
  void drop(Connection& connection);

  // server_tasks.cc: what sessions ask for
  template <class Decide>
  void with(Connection& connection, Decide decide);
  void begin(Connection& connection);
  void collect(Connection& connection);
  void settle(Connection& connection);
  void run_tasks();
  void act(Connection& connection, Authenticate&& command);
  void act(Connection& connection, Claim&& command);
  void act(Connection& connection, Open&& command);
  void act(Connection& connection, Change&& command);
  void act(Connection& connection, const Leave& command);
  void act(Connection& connection, const Close& command);
  void on_password(const PasswordChecker::Answer& answer);
  void set_users(Users users);
  void take_over(const std::string& client_id);
  void log_end(const Connection& connection, Reason reason);
  void release(Connection& connection);
  void remove_consumer(const std::string& client_id, Handle claimant);
  void ask_to_remove(const std::string& client_id, Removal& removal);
  void remove_again();
  void finish_removal(Removal& removal, bool gone);
  void expire_sessions();

  // server_bus.cc: events to the store, notices from it
  void submit();
  bool launch(std::unique_ptr<EventBatch>& events, Flight& flight);
  bool take_notices();
  void on(Published& notice);
  void on(Delivered& notice);
  void on(Skipped& notice);
  void on(Opened& notice);
  void on(Changed& notice);
  void on(Ended& notice);
  void on(Removed& notice);
  void on(Reached&) {}
  void answer(Connection& connection, const Published& notice, std::size_t first,
              std::span<const std::uint16_t> packet_ids);
  void hold(Connection& connection, const EventView& event, std::uint16_t packet_id);
  void after_second_try(Connection& connection);
  void try_again();
  void try_again(Connection& connection);

  Connection* find(Handle who) {
    Connection* found = who.slot < slots_.size() ? slots_[who.slot].get() : nullptr;
    return found != nullptr && found->handle == who ? found : nullptr;
  }
  Connection* find(SubscriptionId subscription);
  void mark_dirty(Connection& connection);

  MqttOptions options_;
  Bus& bus_;
  Log& log_;
  SessionRules rules_;
  std::optional<Users> users_;
  const std::optional<TlsContext> tls_;
  const AccessPtr everything_ = everything();

  boost::asio::io_context io_;
  std::deque<Door> doors_;
  std::vector<std::string> endpoints_;
  std::shared_ptr<Inbox> inbox_ = std::make_shared<Inbox>();
  boost::asio::posix::stream_descriptor inbox_ready_{io_};
  boost::asio::steady_timer timer_{io_};
  TimePoint timer_at_ = TimePoint::max();
  TimePoint accept_again_at_ = TimePoint::max();
  std::optional<PasswordChecker> passwords_;

  std::vector<std::unique_ptr<Connection>> slots_;
  std::vector<std::uint32_t> free_slots_;
  std::uint32_t generation_ = 0;
  std::vector<std::unique_ptr<Connection>> dropped_;  // freed at the end of the round
  std::map<boost::asio::ip::address, std::size_t> per_address_;
  std::unordered_map<SubscriptionId, Handle> subscriptions_;
  std::unordered_map<std::string, Handle> clients_;
  std::unordered_map<std::string, Removal> removals_;  // by client id
  TimePoint remove_again_at_ = TimePoint::max();
  SessionBook book_;
  Deadlines deadlines_;

  Now now_;
  Actions actions_;
  UuidMaker ids_;
  Tally tally_;
  std::uint64_t bytes_received_ = 0;
  std::uint64_t bytes_sent_ = 0;
  std::uint64_t turned_away_ = 0;  // over a connection limit
  std::size_t unfinished_bytes_ = 0;
  TimePoint log_again_at_{};
  std::size_t logged_ = 0;
  std::uint64_t unlogged_ = 0;
  std::uint64_t skipped_ = 0;        // events that a session lost to a limit
  std::vector<char> buffer_;         // everybody reads into this one
  std::vector<std::string> spares_;  // buffers for bytes to be sent
  std::vector<Task> tasks_;
  std::vector<Handle> dirty_;
  std::vector<Handle> flushing_;
  std::vector<Notice> notices_;

  std::unique_ptr<EventBatch> batch_ = std::make_unique<EventBatch>();
  Flight next_flight_;
  std::deque<Flight> flights_;
  std::uint64_t last_token_ = 0;
  bool stalled_ = false;  // the store takes no more just now: nobody is read
  TimePoint unstall_at_ = TimePoint::max();
  std::vector<Handle> holding_;
  TimePoint hold_until_ = TimePoint::max();
  Duration hold_for_{};

  bool waits_for_notices_ = false;
  bool busy_ = false;  // the inbox may have more
  bool closing_ = false;
  TimePoint closing_until_{};
  bool finished_ = false;
  std::atomic<bool> stopped_ = false;
  std::thread thread_;
};

template <class Decide>
void Server::with(Connection& connection, Decide decide) {
  begin(connection);
  decide(connection.session);
  collect(connection);
  mark_dirty(connection);
}

}  // namespace marram::mqtt
