#include "core/client/outbox.h"

#include <fmt/format.h>

#include <algorithm>
#include <span>

#include "core/wire/encode.h"

namespace marram::client {

namespace {

// Small enough that the node stores one frame while the next is on its way.
constexpr std::size_t kShareBytes = 256 << 10;

}  // namespace

void Outbox::submit(std::unique_ptr<EventBatch> batch, ListenerPtr listener, std::uint64_t token) {
  Waiting& waiting = batches_.emplace_back();
  waiting.bytes = batch->bytes();
  waiting.batch = std::move(batch);
  waiting.listener = std::move(listener);
  waiting.token = token;
  answer_whole();
}

void Outbox::start(std::size_t window_bytes, std::size_t frame_bytes_max) {
  stop();
  window_bytes_ = window_bytes;
  share_bytes_ = std::min(kShareBytes, frame_bytes_max);
}

void Outbox::stop() {
  for (Waiting& waiting : batches_) waiting.sent = waiting.answered;
  frames_.clear();
  sending_ = 0;
  first_number_ = 1;
  unanswered_bytes_ = 0;
  share_bytes_ = 0;
}

void Outbox::send(std::vector<std::string>& out) {
  if (share_bytes_ == 0) return;
  while (sending_ < batches_.size()) {
    Waiting& waiting = batches_[sending_];
    const auto rest = std::span(waiting.batch->events()).subspan(waiting.sent);
    if (rest.empty()) {
      ++sending_;
      continue;
    }
    const wire::FrameShare share = wire::first_frame(rest, share_bytes_);
    if (!frames_.empty() && unanswered_bytes_ + share.bytes > window_bytes_) return;
    const std::uint64_t number = first_number_ + frames_.size();
    out.push_back(wire::encode_publish(number, rest.first(share.events)));
    frames_.push_back({share.events, out.back().size()});
    unanswered_bytes_ += out.back().size();
    waiting.sent += share.events;
  }
}

Status Outbox::on_answer(const wire::PublishAnswer& answer) {
  std::uint64_t events = 0;
  for (const wire::Run& run : answer.runs) events += run.count;
  if (frames_.empty() || answer.number != first_number_ || events != frames_.front().events) {
    return fail(Errc::Protocol,
                fmt::format("client: the answer {} for {} events fits no frame that "
                            "was sent",
                            answer.number, events));
  }
  unanswered_bytes_ -= frames_.front().bytes;
  frames_.pop_front();
  ++first_number_;
  for (const wire::Run& run : answer.runs) apply(batches_.front(), run);
  answer_whole();
  return {};
}

void Outbox::apply(Waiting& waiting, const wire::Run& run) {
  std::vector<EventView>& events = waiting.batch->events();
  if (run.error && waiting.results.empty()) waiting.results.resize(events.size());
  for (std::uint64_t i = 0; i < run.count; ++i) {
    const std::size_t at = waiting.answered++;
    if (run.error) {
      waiting.results[at] = tl::unexpected(*run.error);
    } else {
      events[at].position =
          Position::from_packed(run.position.packed() + static_cast<std::int64_t>(i));
      events[at].recorded = run.recorded;
    }
  }
}

// An empty batch is whole from the start.
void Outbox::answer_whole() {
  while (!batches_.empty() && batches_.front().answered == batches_.front().batch->size()) {
    answer_first();
  }
}

void Outbox::answer_first() {
  Waiting waiting = std::move(batches_.front());
  batches_.pop_front();
  if (sending_ > 0) --sending_;
  queued_bytes_.fetch_sub(waiting.bytes);
  waiting.listener->notify(Published{waiting.token, EventBatchPtr(std::move(waiting.batch)),
                                     std::move(waiting.results)});
}

void Outbox::fail_all(const Error& error) {
  stop();
  while (!batches_.empty()) {
    Waiting& waiting = batches_.front();
    waiting.results.resize(waiting.batch->size());
    for (std::size_t i = waiting.answered; i < waiting.results.size(); ++i) {
      waiting.results[i] = tl::unexpected(error);
    }
    answer_first();
  }
}

}  // namespace marram::client
