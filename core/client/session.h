// A client's conversation with its node, without a socket.
//
// It is told what the user asks for and what happened on the connection, and
// answers with frames to send, notices to listeners, and broken() when the
// connection is to be given up and made anew.
//
//     Down --connected: HELLO--> Greeting --WELCOME--> Ready --BYE, silence--> Down
//
// Threads: one at a time.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "core/base/clock.h"
#include "core/base/mailbox.h"
#include "core/client/log_numbers.h"
#include "core/client/outbox.h"
#include "core/client/readers.h"
#include "core/wire/frames.h"

namespace marram::client {

// An answer to a blocking question.
using Answer = std::variant<std::vector<ConsumerInfo>, std::string, LogId>;
using AnswerHandoff = std::shared_ptr<Handoff<Result<Answer>>>;

struct Question {
  enum class What { Consumers, Status, Log };
  What what = What::Status;
  std::uint32_t log = 0;
  TimePoint expires{};  // nobody waits for the answer any more
  AnswerHandoff answer;
};

// A publisher that waits for a level.
struct Awaiting {
  Level level;
  std::vector<Position> positions;
  TimePoint until{};
  ListenerPtr listener;
  std::uint64_t token = 0;
  bool sent = false;  // in this session
};

class Session {
 public:
  struct Options {
    std::string name;
    std::string instance;
    std::string endpoint;  // for messages
    Duration silent_after{};
  };
  Session(Options options, std::atomic<std::size_t>& queued_bytes);

  Outbox& outbox() { return outbox_; }
  Readers& readers() { return readers_; }
  void ask(Question question);
  void await(Awaiting awaiting, TimePoint now);
  void remove(std::string name, ListenerPtr listener, std::uint64_t token);

  void on_connected(TimePoint now);
  void on_lost();
  void on_frame(wire::Frame frame, TimePoint now);
  void on_tick(TimePoint now);
  TimePoint wake_at() const;

  // Why the connection cannot go on; reset by on_lost().
  const std::optional<Error>& broken() const { return broken_; }
  bool ready() const { return state_ == State::Ready; }
  // What the node said when it last greeted.
  const std::optional<wire::Welcome>& welcome() const { return welcome_; }

  // Orderly end: the node is asked to end all, and answers BYE after it.
  void say_bye();
  bool bye_answered() const { return bye_answered_; }
  // Everything that still waits fails.
  void fail_all(const Error& error);

  // Frames to send, in order; emptied by who sends them.
  std::vector<std::string>& collect();

 private:
  enum class State { Down, Greeting, Ready };
  struct Removal {
    ListenerPtr listener;
    std::uint64_t token;
  };

  void on(wire::Welcome& welcome, TimePoint now);
  void on(wire::Ping& ping);
  void on(wire::Broken& broken);
  void on(wire::Bye& bye);
  void on(wire::PublishAnswer& answer);
  void on(wire::LogIs& log);
  void on(wire::RemoveAnswer& answer);
  void on(wire::ConsumerList& list);
  void on(wire::StatusText& text);
  void on(wire::LogName& name);
  void on(wire::Failed& failed);
  void on(wire::Awaited& awaited);
  bool send_await(std::uint64_t number, Awaiting& awaiting);
  void send_awaits();
  bool ask_name(std::uint32_t log);
  bool on_name_answer(std::uint64_t number, const LogId* id);
  bool answer_await(std::uint64_t number, Result<bool> reached);
  void end_awaits(TimePoint now);
  void send_question(std::uint64_t number, const Question& question);
  void answer(std::uint64_t number, Result<Answer> answer);
  void give_up(Error error);

  Options options_;
  LogNumbers numbers_;
  Outbox outbox_;
  Readers readers_;
  State state_ = State::Down;
  std::optional<wire::Welcome> welcome_;
  std::optional<Error> broken_;
  bool bye_answered_ = false;
  TimePoint heard_{};
  TimePoint pinged_{};
  TimePoint now_{};
  std::uint64_t next_number_ = 1;
  std::map<std::uint64_t, Question> questions_;               // unanswered
  std::map<std::uint64_t, std::vector<ConsumerInfo>> lists_;  // answers that come in parts
  std::map<std::uint64_t, Removal> removals_;
  std::map<std::uint64_t, Awaiting> awaits_;  // asked again in the next session
  // Which log a number of the node is, was asked by this question; 0: and answered.
  std::map<std::uint32_t, std::uint64_t> names_asked_;
  std::vector<std::string> out_;
};

}  // namespace marram::client
