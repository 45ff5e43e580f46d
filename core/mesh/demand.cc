#include "core/mesh/demand.h"

#include <algorithm>
#include <set>

#include "core/event/topic.h"
#include "core/wire/link_codec.h"

namespace marram::mesh {

void Need::ask_from(const wire::Begin& begin, const std::string& peer) {
  add_low(begin, peer);
  switch (begin.at) {
    case wire::Begin::At::Seq:
      all_from = std::min(all_from.value_or(begin.seq), std::max<std::uint64_t>(begin.seq, 1));
      break;
    case wire::Begin::At::Time:
      all_since = std::min(all_since.value_or(begin.time), begin.time);
      break;
    case wire::Begin::At::Head:
      all_from_head = true;
      break;
  }
}

namespace {

void add_lowest(std::vector<Need::Low>& lows, std::uint64_t from, const std::string& peer) {
  const auto same = std::find_if(lows.begin(), lows.end(),
                                 [&](const Need::Low& low) { return low.peer == peer; });
  if (same != lows.end()) {
    same->from = std::min(same->from, from);
  } else if (lows.size() < 2) {
    lows.push_back({from, peer});
  } else {
    Need::Low& higher = lows[0].from > lows[1].from ? lows[0] : lows[1];
    if (from < higher.from) higher = {from, peer};
  }
}

std::optional<std::uint64_t> lowest_but_for(const std::vector<Need::Low>& lows,
                                            const std::string& peer) {
  std::optional<std::uint64_t> from;
  for (const Need::Low& low : lows) {
    if (low.peer != peer) from = std::min(from.value_or(low.from), low.from);
  }
  return from;
}

}  // namespace

void Need::add_low(const wire::Begin& begin, const std::string& peer) {
  if (begin.at == wire::Begin::At::Head) return;
  add_lowest(lows, begin.at == wire::Begin::At::Seq ? begin.seq : 0, peer);
}

void Need::keep_for(const std::string& peer, std::uint64_t from) {
  keep = true;
  kept_from = std::min(kept_from.value_or(from), from);
  add_lowest(kept, from, peer);
}

void Need::owe_from(std::uint64_t seq, const std::string& peer) { add_lowest(owed, seq, peer); }

std::optional<std::uint64_t> Need::owed_from() const {
  std::optional<std::uint64_t> from;
  for (const Low& low : owed) from = std::min(from.value_or(low.from), low.from);
  return from;
}

bool Need::needs_but_for(const std::string& peer, std::uint64_t upto) const {
  return std::any_of(lows.begin(), lows.end(),
                     [&](const Low& low) { return low.peer != peer && low.from <= upto; });
}

bool Need::wanted_but_for(const std::string& peer) const {
  return for_itself || std::any_of(askers.begin(), askers.end(),
                                   [&](const std::string& asker) { return asker != peer; });
}

bool Need::kept_but_for(const std::string& peer) const {
  return wanted_but_for(peer) || kept_from_but_for(peer);
}

std::optional<std::uint64_t> Need::kept_from_but_for(const std::string& peer) const {
  return lowest_but_for(kept, peer);
}

std::optional<std::uint64_t> Need::owed_from_but_for(const std::string& peer) const {
  return lowest_but_for(owed, peer);
}

// Where positions and times cannot be compared the position goes first: what a time
// asks for below it is filled in behind.
wire::Begin Need::lowest() const {
  std::optional<std::uint64_t> seq = all_from;
  std::optional<WallTime> time = all_since;
  for (const ReaderNeed& reader : readers) {
    for (const FilterStart& filter : reader.filters) {
      if (reader.cursor) {
        seq = std::min(seq.value_or(*reader.cursor + 1), *reader.cursor + 1);
      } else if (filter.from.at == wire::Begin::At::Seq) {
        seq = std::min(seq.value_or(filter.from.seq), std::max<std::uint64_t>(filter.from.seq, 1));
      } else if (filter.from.at == wire::Begin::At::Time) {
        time = std::min(time.value_or(filter.from.time), filter.from.time);
      }
    }
  }
  if (seq) return {wire::Begin::At::Seq, *seq, {}};
  if (time) return {wire::Begin::At::Time, 0, *time};
  return {wire::Begin::At::Head, 0, {}};
}

std::vector<std::string> without_covered(std::vector<std::string> filters) {
  std::sort(filters.begin(), filters.end());
  filters.erase(std::unique(filters.begin(), filters.end()), filters.end());
  if (filters.size() > wire::kLinkFiltersMax) return filters;
  std::vector<std::string> kept;
  for (std::size_t i = 0; i < filters.size(); ++i) {
    bool covered = false;
    for (std::size_t j = 0; j < filters.size() && !covered; ++j) {
      // Of two that cover each other the first one stays.
      covered =
          j != i && covers(filters[j], filters[i]) && (j < i || !covers(filters[i], filters[j]));
    }
    if (!covered) kept.push_back(filters[i]);
  }
  return kept;
}

bool concerns(std::string_view filter, const std::vector<std::string>& topics) {
  if (topics.empty()) return true;
  return std::any_of(topics.begin(), topics.end(),
                     [&](const std::string& topic) { return overlaps(filter, topic); });
}

// What a reader of everything has can be served to others.
bool takes_all(std::string_view filter, const std::vector<std::string>& topics) {
  if (filter == "#") return true;
  return !topics.empty() && std::all_of(topics.begin(), topics.end(),
                                        [&](const auto& topic) { return covers(filter, topic); });
}

void Readers::put(Interest interest) { interests_[interest.id] = std::move(interest); }

void Readers::move(std::uint64_t id, std::uint32_t log, std::uint64_t upto) {
  const auto found = interests_.find(id);
  if (found == interests_.end()) return;
  std::uint64_t& cursor = found->second.cursors[log];
  cursor = std::max(cursor, upto);
}

void Readers::drop(std::uint64_t id) { interests_.erase(id); }

const Interest* Readers::find(std::uint64_t id) const {
  const auto found = interests_.find(id);
  return found == interests_.end() ? nullptr : &found->second;
}

void Readers::add_to(Need& need, const Log& log) const {
  for (const auto& [id, interest] : interests_) {
    ReaderNeed reader{id, {}, {}};
    for (const FilterStart& filter : interest.filters) {
      if (!concerns(filter.filter, log.topics)) continue;
      reader.filters.push_back(filter);
      need.filters.push_back(filter.filter);
      need.whole = need.whole || takes_all(filter.filter, log.topics);
    }
    if (reader.filters.empty()) continue;
    if (log.record) {
      const auto cursor = interest.cursors.find(log.record->no);
      if (cursor != interest.cursors.end()) reader.cursor = cursor->second;
      if (reader.has_read() && interest.durable) {
        const std::uint64_t next = *reader.cursor + 1;
        need.unread_from = std::min(need.unread_from.value_or(next), next);
      }
    }
    for (const FilterStart& filter : reader.filters) {
      const wire::Begin next{wire::Begin::At::Seq, reader.cursor.value_or(0) + 1, {}};
      need.add_low(reader.cursor ? next : filter.from, {});
    }
    need.wanted = need.for_itself = true;
    need.standing = need.standing || interest.durable;
    need.readers.push_back(std::move(reader));
  }
  need.filters = without_covered(std::move(need.filters));
}

bool Readers::any_durable(const std::vector<std::string>& topics) const {
  return std::any_of(interests_.begin(), interests_.end(), [&](const auto& item) {
    return item.second.durable &&
           std::any_of(item.second.filters.begin(), item.second.filters.end(),
                       [&](const FilterStart& filter) { return concerns(filter.filter, topics); });
  });
}

std::vector<std::string> Readers::durable_filters() const {
  std::set<std::string> filters;
  for (const auto& [id, interest] : interests_) {
    if (!interest.durable) continue;
    for (const FilterStart& filter : interest.filters) filters.insert(filter.filter);
  }
  std::vector<std::string> list(filters.begin(), filters.end());
  if (!wire::filters_fit(list)) return {"#"};
  return without_covered(std::move(list));
}

}  // namespace marram::mesh
