// How much more the database may hold.
//
// max_bytes counts pages that hold something; the write-ahead log comes on top.
// When the disk is low the file must not grow, and only its free pages count.
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
  // Counts pages, those of the open transaction included.
  Status measure();

  std::uint64_t left() const { return left_; }  // as measured
  std::uint64_t used_bytes() const { return used_; }
  std::uint64_t max_bytes() const { return max_bytes_; }
  const DiskSpace& disk() const { return disk_; }

 private:
  const std::uint64_t max_bytes_;
  const DiskSpace& disk_;
  std::uint64_t used_ = 0;
  std::uint64_t left_ = 0;
  Statement pages_;
  Statement free_pages_;
};

}  // namespace marram::store
