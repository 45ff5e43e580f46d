#include "gateway/cli/publish_pump.h"

#include <fmt/format.h>
#include <poll.h>

#include <array>
#include <cerrno>

#include "core/base/quantity.h"

namespace marram::cli {

namespace {

constexpr std::size_t kBatchEventsMax = 512;
constexpr std::size_t kBatchBytesMax = 256 << 10;
constexpr std::size_t kOnTheirWayMax = 16;

EventView view_of(const Event& event, std::string_view packed_headers) {
  EventView view;
  view.topic = event.topic;
  view.id = event.id;
  view.key = event.key;
  view.content_type = event.content_type;
  view.headers = packed_headers;
  view.time = event.time;
  view.expires = event.expires;
  return view;
}

}  // namespace

PublishPump::PublishPump(Bus& bus, PayloadSource& source, Options options)
    : bus_(bus), source_(source), options_(std::move(options)) {}

Result<PublishPump::Totals> PublishPump::run() {
  auto packed = pack_headers(options_.event.headers);
  if (!packed) return tl::unexpected(packed.error());
  headers_ = std::move(*packed);
  view_ = view_of(options_.event, headers_);
  if (options_.level.at != Level::At::Stored) {
    const auto known = bus_.reach(options_.level, {}, options_.timeout);
    if (!known) return tl::unexpected(known.error());
  }
  for (;;) {
    const auto dry = fill();
    if (!dry) return tl::unexpected(dry.error());
    if (auto status = submit(); !status) return tl::unexpected(status.error());
    const bool answered = take_answers();
    if (source_.ended() && !batch_ && unfinished() == 0) return totals_;
    const bool room = !batch_ && unfinished() < kOnTheirWayMax;
    if (answered || (room && !*dry)) continue;
    if (auto status = wait(); !status) return tl::unexpected(status.error());
  }
}

Result<bool> PublishPump::fill() {
  while (unfinished() < kOnTheirWayMax && !overloaded_) {
    if (batch_ && (batch_->size() >= kBatchEventsMax || batch_->bytes() >= kBatchBytesMax)) break;
    const auto payload = source_.next();
    if (!payload) return tl::unexpected(payload.error());
    if (!payload->has_value()) return true;
    ++number_;
    view_.payload = **payload;
    if (auto status = check_event(view_, bus_.limits()); !status) {
      refuse(number_, status.error());
      continue;
    }
    if (!batch_) batch_ = std::make_unique<EventBatch>();
    batch_->add(view_, Clock::system().wall(), ids_);
    numbers_.push_back(number_);
  }
  return false;
}

Status PublishPump::submit() {
  if (!batch_ || overloaded_) return {};
  const TimePoint until = Clock::system().now() + options_.timeout;
  auto status = bus_.submit(std::move(batch_), inbox_, 0);
  if (status) {
    batch_.reset();
    on_their_way_.push_back({std::exchange(numbers_, {}), until});
    return {};
  }
  // Something of ours is on its way, and its answer makes room.
  overloaded_ = status.error().code == Errc::Overloaded && !on_their_way_.empty();
  return overloaded_ ? Status() : status;
}

bool PublishPump::take_answers() {
  bool any = false;
  while (inbox_->take(notices_)) {
    for (Notice& notice : notices_) {
      if (auto* answer = std::get_if<Published>(&notice)) {
        settle(std::move(*answer));
        any = true;
      } else if (const auto* reached = std::get_if<Reached>(&notice)) {
        // Whatever goes wrong now, they are stored.
        finish(stored_.at(reached->token), !reached->reached.value_or(false));
        stored_.erase(reached->token);
        any = true;
      }
    }
  }
  if (any) overloaded_ = false;
  return any;
}

void PublishPump::settle(Published answer) {
  if (on_their_way_.empty()) return;
  OnItsWay batch = std::move(on_their_way_.front());
  on_their_way_.pop_front();
  Stored stored{std::move(answer), std::move(batch.numbers)};
  if (options_.level.at == Level::At::Stored) return finish(stored, false);
  std::vector<Position> positions = highest(*stored.answer.batch);
  const std::uint64_t token = next_token_++;
  stored_.emplace(token, std::move(stored));
  const Duration left = std::max(batch.until - Clock::system().now(), Duration(0));
  bus_.await_level(options_.level, std::move(positions), left, inbox_, token);
}

void PublishPump::finish(const Stored& batch, bool pending) {
  const Published& answer = batch.answer;
  for (std::size_t i = 0; i < batch.numbers.size(); ++i) {
    if (i < answer.results.size() && !answer.results[i]) {
      refuse(batch.numbers[i], answer.results[i].error());
      continue;
    }
    ++totals_.stored;
    if (pending) ++totals_.pending;
    if (options_.on_stored && answer.batch) options_.on_stored(answer.batch->events()[i], pending);
  }
}

void PublishPump::refuse(std::uint64_t number, const Error& error) {
  ++totals_.refused;
  if (!totals_.first_error) totals_.first_error = error;
  if (options_.on_refused) options_.on_refused(number, error);
}

Status PublishPump::wait() {
  const bool full = unfinished() >= kOnTheirWayMax || overloaded_;
  const bool reading = !full && !source_.ended();
  std::array<pollfd, 2> fds = {
      {{inbox_->fd(), POLLIN, 0}, {reading ? source_.fd() : -1, POLLIN, 0}}};
  int timeout = -1;
  if (!on_their_way_.empty()) {
    const Duration left = on_their_way_.front().until - Clock::system().now();
    timeout = static_cast<int>(
        std::max<std::int64_t>(0, std::chrono::ceil<std::chrono::milliseconds>(left).count()));
  }
  const int ready = ::poll(fds.data(), fds.size(), timeout);
  if (ready != 0 || timeout < 0) return {};
  return fail(Errc::TimedOut,
              fmt::format("pub: no answer within {}: {} events are stored, up to {} more may be "
                          "(publishing again with the same --id can be told)",
                          duration_text(options_.timeout), totals_.stored,
                          number_ - totals_.stored - totals_.refused));
}

}  // namespace marram::cli
