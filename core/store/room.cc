#include "core/store/room.h"

#include <algorithm>

#include "core/store/schema.h"

namespace marram::store {

namespace {

// For cursors and consumers, which are written in a full store too.
constexpr std::uint64_t kPagesKept = 16;

Result<std::uint64_t> number(Statement& statement) {
  const auto row = statement.step();
  if (!row) return tl::unexpected(row.error());
  const auto value = static_cast<std::uint64_t>(statement.number(0));
  statement.reset();
  return value;
}

}  // namespace

std::uint64_t stored_bytes(std::uint64_t bytes) {
  const std::uint64_t page = kPageBytes;
  const std::uint64_t row = bytes + bytes / 8 + 16;
  // What does not fit a page goes to pages of its own.
  return bytes < page - 192 ? row : (row / page + 2) * page;
}

Status Room::prepare(Connection& connection) {
  return Preparer(connection)
      .add(pages_, "PRAGMA page_count")
      .add(free_pages_, "PRAGMA freelist_count")
      .done();
}

Status Room::measure() {
  const auto pages = number(pages_);
  if (!pages) return tl::unexpected(pages.error());
  const auto free_pages = number(free_pages_);
  if (!free_pages) return tl::unexpected(free_pages.error());
  const std::uint64_t used = *pages - *free_pages;
  const std::uint64_t place = disk_.database_bytes_max();
  const std::uint64_t on_disk =
      std::max(*pages, (place - std::min(place, wal_growth_)) / kPageBytes);
  disk_is_less_ = on_disk < max_bytes_ / kPageBytes;
  const std::uint64_t most = std::min(on_disk, max_bytes_ / kPageBytes);
  used_ = used * kPageBytes;
  left_ = most > used + kPagesKept ? (most - used - kPagesKept) * kPageBytes : 0;
  return {};
}

}  // namespace marram::store
