// The sessions that are kept while their clients are away, and those of clients
// that are here and want to be kept.
//
// What was subscribed to is on disk, with the durable consumer; a session without
// subscriptions is known to this process only.
//
// Threads: one at a time.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "core/base/clock.h"
#include "core/event/bus.h"
#include "gateway/mqtt/subscriptions.h"

namespace marram::mqtt {

class SessionBook {
 public:
  // Takes in what the node has kept.  The time of those sessions runs from `now`.
  // Consumers named mqtt:... whose attributes are not ours are left alone.
  void load(std::span<const ConsumerInfo> consumers, TimePoint now);

  // The client is here: its entry does not expire.
  void attach(std::string_view client_id);
  // The client has left, or changed what is to be kept.
  void keep(std::string_view client_id, StoredSession session, bool durable, TimePoint until);
  void forget(std::string_view client_id);

  struct Entry {
    StoredSession session;
    bool durable = false;            // there is a consumer
    std::optional<TimePoint> until;  // none: the client is here
  };
  const Entry* find(std::string_view client_id) const;
  std::size_t size() const { return entries_.size(); }

  // Takes out what has expired.
  struct Expired {
    std::string client_id;
    bool durable;
  };
  std::vector<Expired> take_expired(TimePoint now);
  std::optional<TimePoint> first_expiry() const;

 private:
  std::unordered_map<std::string, Entry> entries_;
  std::optional<TimePoint> first_;  // not later than the first expiry
};

}  // namespace marram::mqtt
