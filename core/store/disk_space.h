// How much room the file system has, and the ballast that is given up when it
// has none.
//
// On a full disk even deleting rows needs room in the write-ahead log.  So new
// events are refused while some is left (reserve_free), and a file of zeros,
// marram.ballast, is removed when a write fails all the same.  What is committed
// has its place in the database before it is brought there.
#pragma once

#include <cstdint>
#include <filesystem>
#include <limits>

#include "core/base/clock.h"

namespace marram::store {

class DiskSpace {
 public:
  // Makes the ballast where there is room for it.
  DiskSpace(const std::filesystem::path& data_dir, double reserve_share);

  // How long the write-ahead log gets; that has its place too.
  void keep_for_wal(std::uint64_t bytes) { wal_max_ = bytes; }
  std::uint64_t wal_bytes_max() const { return wal_max_; }
  // Asks the file system.
  void look();
  // The same, at most five times a second.
  void refresh(TimePoint now);
  // Fewer bytes are free than are to be left.
  bool low() const { return low_; }
  std::uint64_t free_bytes() const { return free_; }
  std::uint64_t reserve_bytes() const { return reserve_; }
  std::uint64_t kept_bytes() const { return kept_; }  // with what the write-ahead log may take
  // How long marram.db may become until the next refresh(); 0: not longer than it is.
  std::uint64_t database_bytes_max() const { return database_max_; }

  // A write has failed for lack of room: gives up the ballast, and counts as low
  // until refresh() finds room again.
  void on_full(TimePoint now);

 private:
  void make_ballast();

  const std::filesystem::path directory_;
  const double share_;
  std::uint64_t total_ = 0;
  std::uint64_t free_ = 0;
  std::uint64_t reserve_ = 0;
  std::uint64_t kept_ = 0;
  std::uint64_t wal_max_ = 0;
  std::uint64_t database_max_ = std::numeric_limits<std::uint64_t>::max();
  bool low_ = false;
  bool has_ballast_ = false;
  TimePoint next_{};
};

}  // namespace marram::store
