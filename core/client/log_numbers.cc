#include "core/client/log_numbers.h"

#include <tuple>
#include <utility>

namespace marram::client {

bool LogNumbers::Less::operator()(const LogId& a, const LogId& b) const {
  return std::tie(a.origin, a.epoch, a.stream) < std::tie(b.origin, b.epoch, b.stream);
}

void LogNumbers::start() {
  ++session_;
  here_.clear();
}

void LogNumbers::name(std::uint32_t there, LogId id) {
  if (here_.contains(there)) return;
  const auto [log, is_new] = by_id_.try_emplace(std::move(id));
  if (is_new) log->second = free_number(there);
  known_[log->second].id = &log->first;
  bind(log->second, there);
}

std::uint32_t LogNumbers::here(std::uint32_t there) {
  const auto found = here_.find(there);
  if (found != here_.end()) return found->second;
  const std::uint32_t here = free_number(there);
  bind(here, there);
  return here;
}

void LogNumbers::bring_here(EventBatch& batch) {
  std::uint32_t from = 0;  // nowhere
  std::uint32_t to = 0;
  for (EventView& event : batch.events()) {
    const std::uint32_t log = event.position.log();
    if (log != from) {
      from = log;
      to = here(log);
    }
    if (to != from) event.position = {to, event.position.seq()};
  }
}

std::uint32_t LogNumbers::free_number(std::uint32_t wanted) {
  if (!known_.contains(wanted)) return wanted;
  while (known_.contains(next_)) --next_;
  return next_;
}

void LogNumbers::bind(std::uint32_t here, std::uint32_t there) {
  Known& known = known_[here];
  known.there = there;
  known.session = session_;
  here_[there] = here;
}

std::optional<std::uint32_t> LogNumbers::there(std::uint32_t here) const {
  const auto found = known_.find(here);
  if (found == known_.end() || found->second.session != session_) return {};
  return found->second.there;
}

std::uint32_t LogNumbers::last_there(std::uint32_t here) const {
  const auto found = known_.find(here);
  if (found == known_.end()) return here;
  const Known& known = found->second;
  return known.id != nullptr || known.session == session_ ? known.there : 0;
}

const LogId* LogNumbers::id(std::uint32_t here) const {
  const auto found = known_.find(here);
  return found == known_.end() ? nullptr : found->second.id;
}

}  // namespace marram::client
