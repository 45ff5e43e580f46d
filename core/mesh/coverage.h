// From where on a copy has what matches a filter.
//
// A value: what stands in the store's record, and besides, in memory only, since
// which time a filter's part is complete (a reader that starts at a time need not be
// asked for again).
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/event/log_record.h"

namespace marram::mesh {

class Coverage {
 public:
  static constexpr std::uint64_t kNever = UINT64_MAX;

  Coverage() = default;
  explicit Coverage(const LogRecord& record);

  // A copy that begins behind `after`; `since`: it was asked from that time on.
  void begin(bool all, const std::vector<std::string>& filters, std::uint64_t after,
             std::optional<WallTime> since);
  // From `next` on every event is taken; what was there stays.
  void make_whole(std::uint64_t next);
  // From `next` on only what matches these filters.
  void make_filtered(const std::vector<std::string>& filters, std::uint64_t next);
  // Everything that matches is there from `from` on, since it has been filled in; `all` of a
  // filtered copy: up to its head.
  void fill(bool all, const std::vector<std::string>& filters, std::uint64_t from,
            std::optional<WallTime> since);
  // Events below `first` are gone.
  void trim(std::uint64_t first) {
    first_ = std::max(first_, first);
    if (whole()) whole_from_ = std::max(whole_from_, first);
    for (CopyFilter& known : filters_) known.from = std::max(known.from, first);
  }
  void set_first(std::uint64_t first) { first_ = first; }
  std::uint64_t first() const { return first_; }
  // The numbers are those of the record from now on; what is known of times stays.
  void follow(const LogRecord& record);

  bool whole() const { return whole_from_ != 0; }
  std::uint64_t whole_from() const { return whole_from_; }
  const std::vector<CopyFilter>& filters() const { return filters_; }
  std::vector<std::string> names() const {
    std::vector<std::string> names;
    names.reserve(filters_.size());
    for (const CopyFilter& filter : filters_) names.push_back(filter.filter);
    return names;
  }
  // The position from which on everything that matches is there; kNever: the filter is
  // not taken at all.
  std::uint64_t from(const std::string& filter) const;
  // Everything recorded at or after `time` that matches is there.
  bool since(const std::string& filter, WallTime time) const;
  bool whole_since(WallTime time) const;
  std::optional<WallTime> whole_since() const { return whole_since_; }

 private:
  struct Since {
    std::string filter;
    WallTime time;
  };
  std::uint64_t first_ = 1;
  std::uint64_t whole_from_ = 0;
  std::vector<CopyFilter> filters_;
  std::optional<WallTime> whole_since_;
  std::vector<Since> since_;
};

}  // namespace marram::mesh
