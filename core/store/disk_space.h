// How much room the file system has, and the ballast that is given up when it
// has none.
//
// On a full disk even deleting rows needs room in the write-ahead log.  So new
// events are refused while some is left (reserve_free), and a file of zeros,
// marram.ballast, is removed when a write fails all the same.
#pragma once

#include <cstdint>
#include <filesystem>

#include "core/base/clock.h"

namespace marram::store {

class DiskSpace {
 public:
  // Makes the ballast where there is room for it.
  DiskSpace(const std::filesystem::path& data_dir, double reserve_share);

  // Asks the file system, at most five times a second.
  void refresh(TimePoint now);
  // Fewer bytes are free than are to be left.
  bool low() const { return low_; }
  std::uint64_t free_bytes() const { return free_; }
  std::uint64_t reserve_bytes() const { return reserve_; }

  // A write has failed for lack of room: gives up the ballast, and counts as low
  // until refresh() finds room again.
  void on_full(TimePoint now);

 private:
  void ask();
  void make_ballast();

  const std::filesystem::path directory_;
  const double share_;
  std::uint64_t total_ = 0;
  std::uint64_t free_ = 0;
  std::uint64_t reserve_ = 0;
  bool low_ = false;
  bool has_ballast_ = false;
  TimePoint next_{};
};

}  // namespace marram::store
