// The directory that a store owns, and files in it that nobody else may read.
#pragma once

#include <filesystem>

#include "core/base/result.h"

namespace marram::store {

// Makes the directory, 0700, and those above it.  Errors: Io
Status make_directory(const std::filesystem::path& path);

// Makes the file where it is not there, and its mode 0600; SQLite gives its other
// files the mode of the database.  Not while SQLite has the file open in this
// process: closing a descriptor would drop its locks.  Errors: Io
Status make_private_file(const std::filesystem::path& path);

// Names made, changed or removed in the directory survive a power cut.
void sync_directory(const std::filesystem::path& path);

}  // namespace marram::store
