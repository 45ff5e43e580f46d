#include "core/store/disk_space.h"

#include <fcntl.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>

namespace marram::store {

namespace {

constexpr Duration kAskEvery = std::chrono::milliseconds(200);
constexpr std::uint64_t kBallastMax = 8 << 20;
constexpr std::uint64_t kBallastMin = 64 << 10;

std::uint64_t ballast_bytes(std::uint64_t disk) { return std::min(kBallastMax, disk / 64); }

}  // namespace

DiskSpace::DiskSpace(const std::filesystem::path& data_dir, double reserve_share)
    : directory_(data_dir), share_(reserve_share) {
  look();
  make_ballast();
}

void DiskSpace::look() {
  struct statvfs found{};
  if (::statvfs(directory_.c_str(), &found) != 0) return;
  total_ = std::uint64_t{found.f_blocks} * found.f_frsize;
  free_ = std::uint64_t{found.f_bavail} * found.f_frsize;
  reserve_ = static_cast<std::uint64_t>(static_cast<double>(total_) * share_);
  low_ = free_ < reserve_;
  if (total_ == 0) {  // some file systems do not say
    database_max_ = std::numeric_limits<std::uint64_t>::max();
    return;
  }
  const auto length = [&](const char* file) {
    std::error_code missing;
    const std::uint64_t bytes = std::filesystem::file_size(directory_ / file, missing);
    return missing ? 0 : bytes;
  };
  const std::uint64_t wal = length("marram.db-wal");
  kept_ = reserve_ + std::max(wal, wal_max_) - wal;
  const std::uint64_t room = length("marram.db") + free_;
  database_max_ = low_ || room < kept_ ? 0 : room - kept_;
}

void DiskSpace::refresh(TimePoint now) {
  if (now < next_) return;
  next_ = now + kAskEvery;
  look();
  make_ballast();
}

void DiskSpace::on_full(TimePoint now) {
  std::error_code ignored;
  std::filesystem::remove(directory_ / "marram.ballast", ignored);
  has_ballast_ = false;
  low_ = true;
  database_max_ = 0;
  next_ = now + kAskEvery;
}

void DiskSpace::make_ballast() {
  const std::uint64_t bytes = ballast_bytes(total_);
  if (has_ballast_ || bytes < kBallastMin || free_ < reserve_ + 4 * bytes) return;
  const auto path = directory_ / "marram.ballast";
  const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd < 0) return;
  has_ballast_ = ::posix_fallocate(fd, 0, static_cast<off_t>(bytes)) == 0;
  ::close(fd);
  std::error_code ignored;
  if (!has_ballast_) std::filesystem::remove(path, ignored);
  look();
}

}  // namespace marram::store
