#include "core/store/quarantine.h"

#include <fmt/format.h>

#include <system_error>
#include <utility>

#include "core/store/data_dir.h"
#include "core/store/salvage.h"

namespace marram::store {

namespace {

using std::filesystem::path;

path with(const path& database, std::string_view ending) {
  return path(database.string() + std::string(ending));
}

// "2026-11-24T06:15:00.000000Z" as part of a file name.
std::string file_time(WallTime now) {
  std::string text;
  for (const char c : iso_text(now).substr(0, 19)) {
    if (c != '-' && c != ':') text += c;
  }
  return text + "Z";
}

path free_name(const path& database, WallTime now) {
  const path wanted = with(database, ".bad-" + file_time(now));
  path name = wanted;
  for (int i = 2; std::filesystem::exists(name); ++i) name = with(wanted, fmt::format("-{}", i));
  return name;
}

void erase_file(const path& file) {
  std::error_code ignored;
  std::filesystem::remove(file, ignored);
}

Status move(const path& from, const path& to) {
  std::error_code error;
  std::filesystem::rename(from, to, error);
  if (!error) return {};
  return fail(Errc::Io, fmt::format("store: cannot rename {} to {}: {} (check the directory)",
                                    from.string(), to.string(), error.message()));
}

void move_if_there(const path& from, const path& to) {
  if (std::filesystem::exists(from)) static_cast<void>(move(from, to));
}

}  // namespace

Result<Salvaged> set_aside(const path& database, WallTime now) {
  const path copy = with(database, ".salvage");
  for (const char* const ending : {"", "-wal", "-shm"}) erase_file(with(copy, ending));
  if (auto status = make_private_file(copy); !status) return tl::unexpected(status.error());
  auto salvaged = salvage(database, copy);
  if (!salvaged) return tl::unexpected(salvaged.error());
  for (const char* const ending : {"-wal", "-shm"}) erase_file(with(copy, ending));
  const path aside = free_name(database, now);
  // First the name that tells finish_setting_aside() that the copy is complete.
  if (auto status = move(database, aside); !status) return tl::unexpected(status.error());
  move_if_there(with(database, "-wal"), with(aside, "-wal"));
  erase_file(with(database, "-shm"));
  sync_directory(database.parent_path());
  if (auto status = move(copy, database); !status) return tl::unexpected(status.error());
  sync_directory(database.parent_path());
  return Salvaged{aside.filename().string(), salvaged->events, salvaged->lost};
}

void finish_setting_aside(const path& database, WallTime now) {
  const path copy = with(database, ".salvage");
  if (std::filesystem::exists(database) || !std::filesystem::exists(copy)) return;
  move_if_there(with(database, "-wal"), with(free_name(database, now), "-wal"));
  erase_file(with(database, "-shm"));
  static_cast<void>(move(copy, database));
  sync_directory(database.parent_path());
}

}  // namespace marram::store
