// A damaged database is set aside whole, and what can be read of it is copied
// into a new one.
//
//     marram.db.salvage  the copy, while it is made
//     marram.db.bad-20261124T061500Z  (and -wal)  the damaged one, for a person to look at
//
// The copy is complete and on disk before the damaged file gives up its name, so
// that a crash on the way loses nothing.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "core/base/clock.h"
#include "core/base/result.h"

namespace marram::store {

struct Salvaged {
  std::string file;          // name of the damaged one, in the same directory
  std::uint64_t events = 0;  // read
  std::uint64_t lost = 0;    // that should have been there
};

// Nobody in this process may have `database` open.
//
// Errors: Io, Full  the damaged file is in its old place
Result<Salvaged> set_aside(const std::filesystem::path& database, WallTime now);

// Ends what a crash has left half done; before `database` is opened or made.
void finish_setting_aside(const std::filesystem::path& database, WallTime now);

}  // namespace marram::store
