// How much more the database may hold.
//
// max_bytes counts pages that hold something; the write-ahead log comes on top.
// The file does not grow beyond what the disk has room for; when that is low, only its free pages
// count.
#pragma once

#include <cstdint>

#include "core/store/disk_space.h"
#include "core/store/sqlite.h"

namespace marram::store {

// The bytes of pages that an event of `bytes` takes, rather too many than too few.
std::uint64_t stored_bytes(std::uint64_t bytes);

class Room {
 public:
  // `disk` outlives the object.
  Room(std::uint64_t max_bytes, const DiskSpace& disk) : max_bytes_(max_bytes), disk_(disk) {}

  Status prepare(Connection& connection);
  // By how much the write-ahead log is to grow beyond what the disk has for it.
  void set_wal_growth(std::uint64_t bytes) { wal_growth_ = bytes; }
  // Counts pages, those of the open transaction included.
  Status measure();

  std::uint64_t left() const { return left_; }         // as measured
  bool disk_is_less() const { return disk_is_less_; }  // than max_bytes
  std::uint64_t used_bytes() const { return used_; }
  std::uint64_t max_bytes() const { return max_bytes_; }
  const DiskSpace& disk() const { return disk_; }

 private:
  const std::uint64_t max_bytes_;
  const DiskSpace& disk_;
  std::uint64_t used_ = 0;
  std::uint64_t left_ = 0;
  std::uint64_t wal_growth_ = 0;
  bool disk_is_less_ = false;
  Statement pages_;
  Statement free_pages_;
};

}  // namespace marram::store
