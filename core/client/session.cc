#include "core/client/session.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <type_traits>
#include <utility>

#include "core/base/quantity.h"
#include "core/wire/encode.h"

namespace marram::client {

namespace {

constexpr int kPingsInSilence = 3;                         // before the other side is given up
constexpr Duration kAnswerLate = std::chrono::seconds(2);  // on its way, when the time is over

}  // namespace

Session::Session(Options options, std::atomic<std::size_t>& queued_bytes)
    : options_(std::move(options)), outbox_(queued_bytes), readers_(numbers_) {}

void Session::ask(Question question) {
  // What a log was called is known for good, whatever the node has there by now.
  if (const LogId* id = numbers_.id(question.log); question.what == Question::What::Log && id) {
    question.answer->set(Answer(*id));
    return;
  }
  const std::uint64_t number = next_number_++;
  if (ready()) send_question(number, question);
  questions_.emplace(number, std::move(question));
}

void Session::send_question(std::uint64_t number, const Question& question) {
  switch (question.what) {
    case Question::What::Consumers:
      out_.push_back(wire::encode(wire::AskConsumers{number}));
      return;
    case Question::What::Status:
      out_.push_back(wire::encode(wire::AskStatus{number}));
      return;
    case Question::What::Log:
      out_.push_back(wire::encode(wire::AskLog{number, numbers_.last_there(question.log)}));
      return;
  }
}

void Session::answer(std::uint64_t number, Result<Answer> answer) {
  const auto found = questions_.find(number);
  if (found == questions_.end()) return;
  found->second.answer->set(std::move(answer));
  questions_.erase(found);
  lists_.erase(number);
}

void Session::await(Awaiting awaiting, TimePoint now) {
  now_ = now;
  const std::uint64_t number = next_number_++;
  const auto entry = awaits_.emplace(number, std::move(awaiting)).first;
  if (ready() && !send_await(number, entry->second)) answer_await(number, false);
}

// A wait goes out when the session knows the numbers of all its logs; under those of an earlier
// session there may be other logs now.  What the node does not have stays pending.
void Session::send_awaits() {
  std::vector<std::uint64_t> hopeless;
  for (auto& [number, awaiting] : awaits_) {
    if (!awaiting.sent && !send_await(number, awaiting)) hopeless.push_back(number);
  }
  for (const std::uint64_t number : hopeless) answer_await(number, false);
}

// False: the node does not have one of its logs.
bool Session::send_await(std::uint64_t number, Awaiting& awaiting) {
  std::vector<Position> there;
  bool asked = false;
  for (const Position position : awaiting.positions) {
    if (const auto log = numbers_.there(position.log())) {
      there.emplace_back(*log, position.seq());
    } else if (ask_name(numbers_.last_there(position.log()))) {
      asked = true;
    } else {
      return false;
    }
  }
  if (asked) return true;
  awaiting.sent = true;
  out_.push_back(wire::encode(wire::Await{number, level_text(awaiting.level),
                                          std::max(awaiting.until - now_, Duration(0)), there}));
  return true;
}

// False: the node has been asked, and its answer did not help.
bool Session::ask_name(std::uint32_t log) {
  const auto [asked, is_new] = names_asked_.try_emplace(log, next_number_);
  if (is_new) out_.push_back(wire::encode(wire::AskLog{next_number_++, log}));
  return asked->second != 0;
}

// Null: there is no such log.  False: that was not the question.
bool Session::on_name_answer(std::uint64_t number, const LogId* id) {
  const auto asked = std::ranges::find(names_asked_, number, [](auto& one) { return one.second; });
  if (asked == names_asked_.end()) return false;
  asked->second = 0;
  if (id != nullptr) numbers_.name(asked->first, *id);
  send_awaits();
  return true;
}

bool Session::answer_await(std::uint64_t number, Result<bool> reached) {
  const auto found = awaits_.find(number);
  if (found == awaits_.end()) return false;
  found->second.listener->notify(Reached{found->second.token, std::move(reached)});
  awaits_.erase(found);
  return true;
}

// The node answers when the time is over; when it cannot, this does.
void Session::end_awaits(TimePoint now) {
  const Duration late = ready() ? kAnswerLate : Duration(0);
  std::erase_if(awaits_, [&](auto& entry) {
    if (entry.second.until + late > now) return false;
    entry.second.listener->notify(Reached{entry.second.token, false});
    return true;
  });
}

void Session::remove(std::string name, ListenerPtr listener, std::uint64_t token) {
  if (!ready()) {
    listener->notify(Removed{
        token, fail(Errc::Unreachable, fmt::format("client: cannot reach {} (is the node running? "
                                                   "marram run)",
                                                   options_.endpoint))});
    return;
  }
  const std::uint64_t number = next_number_++;
  removals_.emplace(number, Removal{std::move(listener), token});
  out_.push_back(wire::encode(wire::Remove{number, std::move(name)}));
}

void Session::on_connected(TimePoint now) {
  state_ = State::Greeting;
  heard_ = pinged_ = now_ = now;
  wire::Hello hello;
  hello.name = options_.name;
  hello.instance = options_.instance;
  hello.silent_after = options_.silent_after;
  out_.push_back(wire::encode(hello));
}

void Session::on_lost() {
  state_ = State::Down;
  broken_.reset();
  out_.clear();
  lists_.clear();
  names_asked_.clear();
  for (auto& [number, awaiting] : awaits_) awaiting.sent = false;
  outbox_.stop();
  readers_.stop();
  const Error unknown{Errc::Unreachable,
                      fmt::format("client: lost {} before it answered; the consumer may be removed",
                                  options_.endpoint)};
  for (auto& [number, removal] : std::exchange(removals_, {})) {
    removal.listener->notify(Removed{removal.token, tl::unexpected(unknown)});
  }
}

void Session::on_frame(wire::Frame frame, TimePoint now) {
  heard_ = now_ = now;
  if (broken_) return;
  std::visit(
      [&](auto& one) {
        using Kind = std::decay_t<decltype(one)>;
        if constexpr (std::is_same_v<Kind, wire::Welcome>) {
          on(one, now);
        } else if constexpr (std::is_same_v<Kind, wire::OpenAnswer>) {
          readers_.on_opened(one);
        } else if constexpr (std::is_same_v<Kind, wire::ChangeAnswer>) {
          readers_.on_changed(std::move(one));
        } else if constexpr (std::is_same_v<Kind, wire::Deliver>) {
          readers_.on_deliver(std::move(one));
        } else if constexpr (std::is_same_v<Kind, wire::GapNotice>) {
          readers_.on_gap(std::move(one));
        } else if constexpr (std::is_same_v<Kind, wire::EndNotice>) {
          readers_.on_ended(std::move(one));
        } else if constexpr (requires { on(one); }) {
          on(one);
        } else if constexpr (!std::is_same_v<Kind, wire::Pong> &&
                             !std::is_same_v<Kind, wire::Unknown>) {
          give_up({Errc::Protocol, fmt::format("client: {} sent a frame that only clients send",
                                               options_.endpoint)});
        }
      },
      frame);
}

void Session::on(wire::Welcome& welcome, TimePoint now) {
  if (state_ != State::Greeting) {
    give_up({Errc::Protocol, fmt::format("client: {} greeted twice", options_.endpoint)});
    return;
  }
  if (welcome.version < wire::kVersionLow || welcome.version > wire::kVersionHigh) {
    give_up(
        {Errc::Version,
         fmt::format("client: {} chose protocol version {}, this build speaks {} "
                     "to {}",
                     options_.endpoint, welcome.version, wire::kVersionLow, wire::kVersionHigh)});
    return;
  }
  state_ = State::Ready;
  pinged_ = now;
  outbox_.start(welcome.window_bytes, welcome.limits.frame_bytes_max);
  welcome_ = std::move(welcome);
  numbers_.start();
  readers_.start();
  for (const auto& [number, question] : questions_) send_question(number, question);
  now_ = now;
  send_awaits();
}

void Session::on(wire::Ping& ping) { out_.push_back(wire::encode(wire::Pong{ping.number})); }

void Session::on(wire::Broken& broken) { give_up(std::move(broken.error)); }

void Session::on(wire::Bye& bye) {
  bye_answered_ = true;
  give_up({Errc::Unreachable,
           fmt::format("client: {} said good-bye: {}", options_.endpoint, bye.error.message)});
}

void Session::on(wire::LogIs& log) { numbers_.name(log.log, std::move(log.id)); }

void Session::on(wire::PublishAnswer& answer) {
  for (wire::Run& run : answer.runs) {
    if (!run.error) run.position = numbers_.here(run.position);
  }
  if (auto status = outbox_.on_answer(answer); !status) give_up(std::move(status.error()));
}

void Session::on(wire::RemoveAnswer& answer) {
  const auto found = removals_.find(answer.number);
  if (found == removals_.end()) return;
  found->second.listener->notify(Removed{found->second.token, std::move(answer.status)});
  removals_.erase(found);
}

void Session::on(wire::ConsumerList& list) {
  if (!questions_.contains(list.number)) return;
  std::vector<ConsumerInfo>& all = lists_[list.number];
  std::ranges::move(list.consumers, std::back_inserter(all));
  if (!list.more) answer(list.number, Answer(std::move(all)));
}

void Session::on(wire::StatusText& text) { answer(text.number, Answer(std::move(text.json))); }
void Session::on(wire::LogName& name) {
  if (!on_name_answer(name.number, &name.id)) answer(name.number, Answer(std::move(name.id)));
}
void Session::on(wire::Awaited& awaited) { answer_await(awaited.number, awaited.reached); }
void Session::on(wire::Failed& failed) {
  if (answer_await(failed.number, tl::unexpected(failed.error))) return;
  if (on_name_answer(failed.number, nullptr)) return;
  answer(failed.number, tl::unexpected(std::move(failed.error)));
}

void Session::give_up(Error error) {
  if (!broken_) broken_ = std::move(error);
}

void Session::on_tick(TimePoint now) {
  now_ = now;
  readers_.end_waiting(
      now - options_.silent_after,
      {Errc::Unreachable,
       fmt::format("client: cannot reach {}: no answer in {} (is the node running? "
                   "marram run)",
                   options_.endpoint, duration_text(options_.silent_after))});
  std::erase_if(questions_, [&](const auto& entry) { return entry.second.expires <= now; });
  end_awaits(now);
  if (state_ == State::Down) return;
  if (now - heard_ >= options_.silent_after) {
    give_up({Errc::TimedOut, fmt::format("client: {} was silent for {}", options_.endpoint,
                                         duration_text(options_.silent_after))});
    return;
  }
  if (ready() && now >= wake_at()) {
    pinged_ = now;
    out_.push_back(wire::encode(wire::Ping{next_number_++}));
  }
}

TimePoint Session::wake_at() const {
  if (!ready()) {
    TimePoint wake = now_ + options_.silent_after / kPingsInSilence;
    for (const auto& [number, awaiting] : awaits_) wake = std::min(wake, awaiting.until);
    return wake;
  }
  return pinged_ + std::min(options_.silent_after, welcome_->silent_after) / kPingsInSilence;
}

void Session::say_bye() {
  readers_.close_all();
  collect();
  out_.push_back(wire::encode(wire::Bye{{Errc::Closed, "client: closed"}}));
}

void Session::fail_all(const Error& error) {
  outbox_.fail_all(error);
  readers_.end_all(error);
  for (auto& [number, question] : std::exchange(questions_, {})) {
    question.answer->set(tl::unexpected(error));
  }
  for (auto& [number, removal] : std::exchange(removals_, {})) {
    removal.listener->notify(Removed{removal.token, tl::unexpected(error)});
  }
  for (auto& [number, awaiting] : std::exchange(awaits_, {})) {
    awaiting.listener->notify(Reached{awaiting.token, tl::unexpected(error)});
  }
}

std::vector<std::string>& Session::collect() {
  if (ready()) {
    readers_.send(out_);
    outbox_.send(out_);
  }
  return out_;
}

}  // namespace marram::client
