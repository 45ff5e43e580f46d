#include "core/node/link_log.h"

#include <algorithm>
#include <utility>

#include "core/base/utf8.h"

namespace marram {

namespace {

using What = mesh::Report::What;

constexpr Duration kChangePause = std::chrono::seconds(10);
constexpr int kChangesAtOnce = 4;  // a restart of the peer, twice
constexpr Duration kTellAgain = std::chrono::minutes(1);
constexpr Duration kUnreachedAgain = std::chrono::hours(1);
constexpr std::size_t kKeptMax = 1024;
constexpr std::size_t kMessageBytesMax = 1000;

// What of it a peer may choose makes no matter of its own.
std::string matter_of(const mesh::Report& report) {
  const bool of_peer =
      report.what == What::Refused || report.what == What::TwoNodes || report.what == What::Forked;
  const std::string kind = std::to_string(static_cast<int>(report.what)) + " " + report.peer;
  return of_peer ? kind : kind + " " + report.message;
}

// Cut, where a peer had much to say.
std::string text_of(const std::string& message) {
  return message.size() <= kMessageBytesMax ? message : in_quotes(message, kMessageBytesMax);
}

}  // namespace

void LinkLog::write(const mesh::Report& report, TimePoint now) {
  if (report.what == What::Found) {
    if (!admit(found_, report.peer, kTellAgain, now)) return;
    log_.info("mesh", "found by the beacon",
              {{"peer", report.peer}, {"address", text_of(report.message)}});
    return;
  }
  const bool changed = report.what == What::PeerUp || report.what == What::PeerDown;
  changed ? change(report, now) : tell(report, now);
}

void LinkLog::change(const mesh::Report& report, TimePoint now) {
  if (changes_.size() >= kKeptMax && !changes_.contains(report.peer)) {
    std::erase_if(changes_, [&](const auto& one) { return one.second.free_at <= now; });
  }
  if (changes_.size() >= kKeptMax && !changes_.contains(report.peer)) return;
  Changes& known = changes_[report.peer];
  if (known.waits) {
    ++known.passed_over;
    known.waits = report;
    return;
  }
  // A bucket of kChangesAtOnce lines, which fills by one each kChangePause.
  known.free_at = std::max(known.free_at, now - (kChangesAtOnce - 1) * kChangePause);
  if (known.free_at > now) {
    known.waits = report;
    wake_at_ = std::min(wake_at_.value_or(known.free_at), known.free_at);
    return;
  }
  known.free_at += kChangePause;
  tell_change(report, 0);
}

void LinkLog::run(TimePoint now) {
  if (!wake_at_ || now < *wake_at_) return;
  wake_at_.reset();
  for (auto& [peer, known] : changes_) {
    if (!known.waits) continue;
    if (known.free_at > now) {
      wake_at_ = std::min(wake_at_.value_or(known.free_at), known.free_at);
      continue;
    }
    known.free_at += kChangePause;
    tell_change(*known.waits, std::exchange(known.passed_over, 0));
    known.waits.reset();
  }
}

void LinkLog::tell_change(const mesh::Report& report, std::uint64_t passed_over) {
  const bool up = report.what == What::PeerUp;
  const std::string_view message = up ? "link up" : "link down";
  const std::string_view detail = up ? "address" : "why";
  if (passed_over == 0) {
    log_.info("mesh", message, {{"peer", report.peer}, {detail, text_of(report.message)}});
  } else {
    log_.info("mesh", message,
              {{"peer", report.peer},
               {detail, text_of(report.message)},
               {"changes_not_logged", std::to_string(passed_over)}});
  }
}

void LinkLog::tell(const mesh::Report& report, TimePoint now) {
  const auto passed_over = admit(matters_, matter_of(report), kTellAgain, now);
  if (!passed_over) return;
  if (*passed_over == 0) {
    log_.warn("mesh", text_of(report.message), {{"peer", report.peer}});
  } else {
    log_.warn("mesh", text_of(report.message),
              {{"peer", report.peer}, {"not_logged", std::to_string(*passed_over)}});
  }
}

void LinkLog::write_unreached(const Error& why, TimePoint now) {
  const auto passed_over = admit(unreached_, why.message, kUnreachedAgain, now);
  if (!passed_over) return;
  if (*passed_over == 0) {
    log_.warn("mesh", why.message);
  } else {
    log_.warn("mesh", why.message, {{"not_logged", std::to_string(*passed_over)}});
  }
}

// Whether the matter may have a line now: how many it had none for since the last one.
std::optional<std::uint64_t> LinkLog::admit(Matters& matters, const std::string& key,
                                            Duration pause, TimePoint now) {
  if (matters.size() >= kKeptMax) {
    std::erase_if(matters, [&](const auto& one) { return one.second.free_at <= now; });
  }
  if (matters.size() >= kKeptMax && !matters.contains(key)) return {};
  const auto [known, fresh] = matters.try_emplace(key, Matter{now + pause, 0});
  Matter& matter = known->second;
  if (!fresh && matter.free_at > now) {
    ++matter.passed_over;
    return {};
  }
  matter.free_at = now + pause;
  return std::exchange(matter.passed_over, 0);
}

}  // namespace marram
