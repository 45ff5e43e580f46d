#include "core/mesh/coverage.h"

#include <algorithm>

#include "core/event/topic.h"

namespace marram::mesh {

Coverage::Coverage(const LogRecord& record)
    : first_(record.first), whole_from_(record.whole_from), filters_(record.filters) {}

void Coverage::begin(bool all, const std::vector<std::string>& filters, std::uint64_t after,
                     std::optional<WallTime> since) {
  *this = Coverage();
  first_ = after + 1;
  whole_from_ = all ? after + 1 : 0;
  if (all) {
    whole_since_ = since;
    return;
  }
  for (const std::string& filter : filters) {
    filters_.push_back({filter, after + 1});
    if (since) since_.push_back({filter, *since});
  }
}

void Coverage::follow(const LogRecord& record) {
  first_ = record.first;
  whole_from_ = record.whole_from;
  filters_ = record.filters;
}

void Coverage::make_whole(std::uint64_t next) {
  if (whole()) return;
  whole_from_ = next;
  whole_since_.reset();
}

void Coverage::make_filtered(const std::vector<std::string>& filters, std::uint64_t next) {
  std::vector<CopyFilter> kept;
  std::vector<Since> times;
  for (const std::string& filter : filters) {
    kept.push_back({filter, std::min(from(filter), next)});
    std::optional<WallTime> best = whole() ? whole_since_ : std::nullopt;
    for (const Since& known : since_) {
      if (covers(known.filter, filter)) best = std::min(best.value_or(known.time), known.time);
    }
    if (best) times.push_back({filter, *best});
  }
  filters_ = std::move(kept);
  since_ = std::move(times);
  whole_from_ = 0;
  whole_since_.reset();
}

void Coverage::fill(bool all, const std::vector<std::string>& filters, std::uint64_t from,
                    std::optional<WallTime> since) {
  first_ = std::min(first_, from);
  if (all) {
    whole_from_ = whole() ? std::min(whole_from_, from) : from;
    if (since) whole_since_ = std::min(whole_since_.value_or(*since), *since);
  }
  for (const std::string& filter : filters) {
    const auto found = std::find_if(filters_.begin(), filters_.end(),
                                    [&](const auto& known) { return known.filter == filter; });
    if (found != filters_.end()) {
      found->from = std::min(found->from, from);
    } else {
      filters_.push_back({filter, from});
    }
    if (since) since_.push_back({filter, *since});
  }
}

std::uint64_t Coverage::from(const std::string& filter) const {
  std::uint64_t from = whole() ? whole_from_ : kNever;
  for (const CopyFilter& known : filters_) {
    if (known.from < from && covers(known.filter, filter)) from = known.from;
  }
  return from == kNever ? from : std::max(from, first_);
}

bool Coverage::since(const std::string& filter, WallTime time) const {
  if (from(filter) == 1 || whole_since(time)) return true;
  return std::any_of(since_.begin(), since_.end(), [&](const Since& known) {
    return known.time <= time && covers(known.filter, filter);
  });
}

bool Coverage::whole_since(WallTime time) const {
  return whole() && (whole_from_ == 1 || (whole_since_ && *whole_since_ <= time));
}

}  // namespace marram::mesh
