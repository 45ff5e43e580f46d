// The tables, views and settings of marram.db; docs/store.md describes them.
#pragma once

#include "core/base/result.h"
#include "core/store/sqlite.h"

namespace marram::store {

inline constexpr std::int64_t kApplicationId = 0x4D41524D;  // "MARM"
inline constexpr std::int64_t kSchemaVersion = 1;
inline constexpr std::int64_t kPageBytes = 8192;

// Sets what the store relies on and reads it back; makes the tables of a new file.
//
// Errors: Version  the file was written by a newer Marram
//         Io       it belongs to another program, or a setting did not take
//         Corrupt, Full, Busy
Status prepare_schema(Connection& connection);

// As prepare_schema, for a connection that only reads.
Status prepare_reading(Connection& connection);

}  // namespace marram::store
