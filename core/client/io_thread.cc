#include "core/client/io_thread.h"

#include <fmt/format.h>
#include <signal.h>

#include <algorithm>
#include <chrono>
#include <type_traits>
#include <utility>

namespace marram::client {

namespace {

using namespace std::chrono_literals;

constexpr Duration kBackoffLeast = 20ms;
constexpr Duration kBackoffMost = 2s;
constexpr Duration kShutMost = 5s;  // for what is not answered yet
constexpr Duration kByeMost = 1s;   // for the answer to BYE
constexpr int kFramesATurn = 64;
constexpr std::size_t kFrameBytesMax = 1 << 30;  // of the node, whose limits are its own

TimePoint now_steady() { return Clock::system().now(); }

}  // namespace

IoThread::IoThread(Options options)
    : options_(std::move(options)),
      session_(options_.session, queued_bytes_),
      connection_(options_.session.endpoint, kFrameBytesMax),
      decoder_({.frame_bytes_max = kFrameBytesMax}) {}

IoThread::~IoThread() { stop(); }

void IoThread::start() {
  // Signals are for the program's own threads.
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  thread_ = std::thread([this] { run(); });
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

std::optional<Result<wire::Welcome>> IoThread::wait_greeted(Duration timeout) {
  return greeted_.wait_until(std::chrono::steady_clock::now() + timeout);
}

void IoThread::stop() {
  if (!thread_.joinable()) return;
  mailbox_.post(ShutCommand{});
  thread_.join();
}

void IoThread::run() {
  while (!finished_) {
    const bool busy = turn(now_steady());
    if (!finished_) wait(now_steady(), busy);
  }
  finish();
}

// One round: what was asked, what came, what is due, what is to be sent.
bool IoThread::turn(TimePoint now) {
  bool busy = run_commands();
  if (!connection_.dialled() && now >= dial_at_ && !finished_) dial(now);
  busy = read_frames(now) || busy;
  session_.on_tick(now);
  note_greeted();
  if (shut_by_) close_in_order(now);
  std::vector<std::string>& frames = session_.collect();
  for (std::string& frame : frames) connection_.send(std::move(frame));
  frames.clear();
  if (session_.broken()) {
    lose(*session_.broken(), now);
  } else if (connection_.lost()) {
    lost_ = true;
  }
  // What came before the end is read first: an answer that is not heard is asked for again.
  if (lost_ && !busy) {
    lose({Errc::Unreachable,
          fmt::format("client: lost the connection to {}", options_.session.endpoint)},
         now);
  }
  return busy;
}

bool IoThread::run_commands() {
  if (!mailbox_.take(commands_)) return false;
  for (Command& command : commands_) carry_out(command);
  return true;
}

void IoThread::carry_out(Command& command) {
  std::visit(
      [&](auto& one) {
        using Kind = std::decay_t<decltype(one)>;
        Readers& readers = session_.readers();
        if constexpr (std::is_same_v<Kind, SubmitCommand>) {
          session_.outbox().submit(std::move(one.batch), std::move(one.listener), one.token);
        } else if constexpr (std::is_same_v<Kind, OpenCommand>) {
          readers.open(one.id, std::move(one.options), std::move(one.listener), now_steady());
        } else if constexpr (std::is_same_v<Kind, ChangeCommand>) {
          readers.change(one.id, std::move(one.filters), std::move(one.attributes));
        } else if constexpr (std::is_same_v<Kind, SettleCommand>) {
          readers.settle(one.id, one.positions, one.how, one.delay);
        } else if constexpr (std::is_same_v<Kind, CloseCommand>) {
          readers.close(one.id);
        } else if constexpr (std::is_same_v<Kind, RemoveCommand>) {
          session_.remove(std::move(one.name), std::move(one.listener), one.token);
        } else if constexpr (std::is_same_v<Kind, Question>) {
          session_.ask(std::move(one));
        } else if constexpr (std::is_same_v<Kind, Awaiting>) {
          session_.await(std::move(one), now_steady());
        } else {
          shut_by_ = now_steady() + kShutMost;
        }
      },
      command);
}

bool IoThread::read_frames(TimePoint now) {
  for (int i = 0; i < kFramesATurn; ++i) {
    auto message = connection_.receive();
    if (!message) {
      lose(std::move(message.error()), now);
      return false;
    }
    if (!*message) return false;
    const std::string_view bytes((*message)->data<char>(), (*message)->size());
    auto frame = decoder_.decode(bytes, {});
    if (!frame) {
      lose(std::move(frame.error()), now);
      return false;
    }
    session_.on_frame(std::move(*frame), now);
  }
  return true;
}

void IoThread::dial(TimePoint now) {
  if (auto status = connection_.dial(); !status) {
    lose(std::move(status.error()), now);
    return;
  }
  session_.on_connected(now);
}

// The first handshake settles connect(): done, or refused by the node.
void IoThread::note_greeted() {
  ready_.store(session_.ready(), std::memory_order_relaxed);
  if (!session_.ready()) return;
  backoff_ = {};
  if (!std::exchange(greeted_told_, true)) greeted_.set(*session_.welcome());
}

void IoThread::lose(Error error, TimePoint now) {
  const bool refused = error.code != Errc::Unreachable && error.code != Errc::TimedOut;
  const bool had_session = session_.ready();
  connection_.hang_up();
  session_.on_lost();
  lost_ = false;
  ready_.store(false, std::memory_order_relaxed);
  // The answer to our own BYE is no loss.
  if (options_.log != nullptr && !bye_said_ && (had_session || refused)) {
    options_.log->warn("client", error.message);
  }
  if (!greeted_told_ && refused) {
    greeted_told_ = finished_ = true;
    greeted_.set(tl::unexpected(error));
  }
  if (greeted_told_ && !options_.reconnect) finished_ = true;
  if (finished_ && !shut_by_) end_ = std::move(error);
  backoff_ = std::clamp(backoff_ * 2, kBackoffLeast, kBackoffMost);
  dial_at_ = now + backoff_ / 2 +
             Duration(static_cast<std::int64_t>(random_() % std::uint64_t(backoff_.count())) / 2);
}

// Waits for the answers to what was submitted, then for the one to BYE.
void IoThread::close_in_order(TimePoint now) {
  const bool over = !session_.ready() || now >= *shut_by_ || session_.bye_answered();
  if (over) {
    finished_ = true;
    return;
  }
  session_.collect();
  if (bye_said_ || !session_.outbox().empty()) return;
  bye_said_ = true;
  session_.say_bye();
  shut_by_ = std::min(*shut_by_, now + kByeMost);
}

void IoThread::wait(TimePoint now, bool busy) {
  TimePoint until = connection_.dialled() ? session_.wake_at() : dial_at_;
  if (shut_by_) until = std::min(until, *shut_by_);
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - now);
  items_.clear();
  items_.push_back({nullptr, mailbox_.fd(), ZMQ_POLLIN, 0});
  connection_.add_poll_items(items_);
  try {
    zmq::poll(items_, busy ? 0ms : std::max(left, 0ms));
  } catch (const zmq::error_t& error) {
    // A signal that somebody else handles; the loop goes round once more.
    if (error.num() != EINTR && options_.log != nullptr) {
      options_.log->error("client", fmt::format("poll: {}", error.what()));
    }
  }
}

void IoThread::finish() {
  ready_.store(false, std::memory_order_relaxed);
  mailbox_.close();
  connection_.hang_up();
  session_.on_lost();
  while (run_commands()) {
  }
  session_.fail_all(end_);
}

}  // namespace marram::client
