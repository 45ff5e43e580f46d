#include "gateway/mqtt/session_book.h"

#include <algorithm>

namespace marram::mqtt {

namespace {

constexpr std::string_view kPrefix = "mqtt:";

void lower(std::optional<TimePoint>& first, TimePoint when) {
  first = first ? std::min(*first, when) : when;
}

}  // namespace

void SessionBook::load(std::span<const ConsumerInfo> consumers, TimePoint now) {
  for (const ConsumerInfo& consumer : consumers) {
    if (!consumer.name.starts_with(kPrefix)) continue;
    auto session = from_attributes(consumer.attributes);
    if (!session) continue;
    const TimePoint until = now + std::chrono::seconds(session->expiry_s);
    keep(consumer.name.substr(kPrefix.size()), std::move(*session), true, until);
  }
}

void SessionBook::attach(std::string_view client_id) {
  entries_[std::string(client_id)].until.reset();
}

void SessionBook::keep(std::string_view client_id, StoredSession session, bool durable,
                       TimePoint until) {
  entries_[std::string(client_id)] = {std::move(session), durable, until};
  lower(first_, until);
}

void SessionBook::forget(std::string_view client_id) { entries_.erase(std::string(client_id)); }

const SessionBook::Entry* SessionBook::find(std::string_view client_id) const {
  const auto found = entries_.find(std::string(client_id));
  return found == entries_.end() ? nullptr : &found->second;
}

std::vector<SessionBook::Expired> SessionBook::take_expired(TimePoint now) {
  std::vector<Expired> out;
  if (!first_ || *first_ > now) return out;
  first_.reset();
  for (auto at = entries_.begin(); at != entries_.end();) {
    const Entry& entry = at->second;
    if (entry.until && *entry.until <= now) {
      out.push_back({at->first, entry.durable});
      at = entries_.erase(at);
      continue;
    }
    if (entry.until) lower(first_, *entry.until);
    ++at;
  }
  return out;
}

std::optional<TimePoint> SessionBook::first_expiry() const { return first_; }

}  // namespace marram::mqtt
