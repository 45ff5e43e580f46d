// A disk in memory that can lose its power, as a VFS of SQLite.
//
// Writes since a file's last sync are kept apart.  When the power fails a random
// part of them is forgotten, in the middle of a write too: each sector of 512
// bytes that a write touches is there or not by itself.
//
// Threads: one.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "core/store/sqlite.h"

namespace marram::test {

class MemoryDisk {
 public:
  // Registers itself under `name`, until it is destroyed.
  MemoryDisk(std::string name, std::uint64_t seed);
  ~MemoryDisk();
  MemoryDisk(const MemoryDisk&) = delete;
  MemoryDisk& operator=(const MemoryDisk&) = delete;

  // The power fails at the operation after so many more; it and all later ones fail.
  void cut_after(std::uint64_t operations) { left_ = operations; }
  bool is_cut() const { return left_ == 0; }
  // Syncs fail, and nothing is on disk by them.
  void fail_syncs(std::uint64_t count) { failing_syncs_ = count; }
  // No file can grow.
  void set_full(bool full) { full_ = full; }

  // Forgets what it must and comes back.  Nobody may have a file open.
  void restore_power();

  // The files as they are read now, by name: what a copy of the disk has.
  using Image = std::map<std::string, std::vector<char>>;
  Image image() const;
  // From now on these are its files, synced.  Nobody may have a file open.
  void put(const Image& image);

 private:
  struct Write {
    std::size_t offset = 0;
    std::vector<char> bytes;
    std::optional<std::size_t> truncate;  // instead: the file's new size
  };

  struct Content {
    std::vector<char> now;
    std::vector<char> durable;
    std::vector<Write> unsynced;
    std::vector<std::unique_ptr<char[]>> shared;  // the index of the write-ahead log
    std::size_t sharers = 0;
  };

  struct File;
  struct Methods;

  // False: the power is off, or fails with this operation.
  bool operate();
  void forget(Content& content);
  static void apply(std::vector<char>& bytes, const Write& write);

  std::string name_;
  std::mt19937_64 random_;
  std::optional<std::uint64_t> left_;
  std::uint64_t failing_syncs_ = 0;
  bool full_ = false;
  std::map<std::string, Content> contents_;
  sqlite3_vfs vfs_{};
};

}  // namespace marram::test
