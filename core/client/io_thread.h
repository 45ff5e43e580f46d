// The client's one thread: it owns the connection and the session, and carries
// out what the others ask for.
//
// Threads: post(), ready() and queued_bytes() from any; start() and stop() from
// the owner.
#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <thread>
#include <variant>
#include <vector>

#include "core/base/log.h"
#include "core/base/mailbox.h"
#include "core/client/connection.h"
#include "core/client/session.h"
#include "core/wire/decode.h"

namespace marram::client {

struct SubmitCommand {
  std::unique_ptr<EventBatch> batch;
  ListenerPtr listener;
  std::uint64_t token;
};
struct OpenCommand {
  SubscriptionId id;
  SubscribeOptions options;
  ListenerPtr listener;
};
struct ChangeCommand {
  SubscriptionId id;
  std::vector<std::string> filters;
  std::string attributes;
};
struct SettleCommand {
  SubscriptionId id;
  std::vector<Position> positions;
  Settle how;
  Duration delay;
};
struct CloseCommand {
  SubscriptionId id;
};
struct RemoveCommand {
  std::string name;
  ListenerPtr listener;
  std::uint64_t token;
};
struct ShutCommand {};
using Command = std::variant<SubmitCommand, OpenCommand, ChangeCommand, SettleCommand, CloseCommand,
                             RemoveCommand, Question, Awaiting, ShutCommand>;

class IoThread {
 public:
  struct Options {
    Session::Options session;
    bool reconnect = true;
    Log* log = nullptr;
  };
  explicit IoThread(Options options);
  ~IoThread();

  void start();
  // The first handshake, or why there will be none; empty when `timeout` passed.
  std::optional<Result<wire::Welcome>> wait_greeted(Duration timeout);
  // Ends in order, as far as the node answers in time, and joins the thread.
  void stop();

  // False, and the command is dropped, after the end.
  bool post(Command command) { return mailbox_.post(std::move(command)); }
  // As post(), but after the end `command` is left as it was.
  bool offer(Command& command) { return mailbox_.offer(command); }
  bool ready() const { return ready_.load(std::memory_order_relaxed); }
  std::atomic<std::size_t>& queued_bytes() { return queued_bytes_; }

 private:
  void run();
  bool turn(TimePoint now);
  bool run_commands();
  void carry_out(Command& command);
  bool read_frames(TimePoint now);
  void dial(TimePoint now);
  void lose(Error error, TimePoint now);
  void close_in_order(TimePoint now);
  void note_greeted();
  void wait(TimePoint now, bool busy);
  void finish();

  Options options_;
  std::atomic<std::size_t> queued_bytes_ = 0;
  std::atomic<bool> ready_ = false;
  Mailbox<Command> mailbox_;
  Handoff<Result<wire::Welcome>> greeted_;

  // Of the thread:
  Session session_;
  Connection connection_;
  wire::Decoder decoder_;
  std::vector<Command> commands_;
  std::vector<zmq::pollitem_t> items_;
  std::minstd_rand random_{std::random_device{}()};
  bool greeted_told_ = false;
  bool lost_ = false;  // once what came before has been read
  TimePoint dial_at_{};
  Duration backoff_{};
  std::optional<TimePoint> shut_by_;  // closing: until then at most
  bool bye_said_ = false;
  bool finished_ = false;
  Error end_{Errc::Closed, "client: closed before the node answered; what became of it is unknown"};
  std::thread thread_;
};

}  // namespace marram::client
