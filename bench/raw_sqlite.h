// What SQLite does at best, the limit that the store is measured against.
//
// One thread, prepared single-row INSERTs of the store's columns into a table without
// indices, WAL, synchronous=FULL, a write-ahead log whose blocks exist already, and one
// transaction for each group.
#pragma once

#include <sqlite3.h>

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <string>

namespace marram {

class RawTable {
 public:
  explicit RawTable(const std::string& file) {
    sqlite3_open_v2(file.c_str(), &db_,
                    SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, nullptr);
    run("PRAGMA page_size=8192; PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;"
        "PRAGMA wal_autocheckpoint=2000; PRAGMA secure_delete=OFF; PRAGMA cache_size=-8192;"
        "CREATE TABLE event (position INTEGER PRIMARY KEY, recorded INTEGER, total INTEGER,"
        "time INTEGER, expires INTEGER, id ANY, topic TEXT, key TEXT, content_type TEXT,"
        "client TEXT, headers TEXT, payload BLOB) STRICT");
    sqlite3_prepare_v2(db_, "INSERT INTO event VALUES (?,?,?,?,?,?,?,?,?,?,?,?)", -1, &insert_,
                       nullptr);
  }
  ~RawTable() {
    sqlite3_finalize(insert_);
    sqlite3_close(db_);
  }

  void run(const char* sql) { sqlite3_exec(db_, sql, nullptr, nullptr, nullptr); }

  void insert(std::int64_t position, const std::string& payload) {
    const char id[16] = {1, 2, 3};
    sqlite3_bind_int64(insert_, 1, position);
    for (int i = 2; i < 5; ++i) sqlite3_bind_int64(insert_, i, 1'764'000'000'000'000 + position);
    sqlite3_bind_blob(insert_, 6, id, sizeof id, SQLITE_STATIC);
    sqlite3_bind_text(insert_, 7, "plant/1/line/7/temperature", -1, SQLITE_STATIC);
    sqlite3_bind_blob(insert_, 12, payload.data(), static_cast<int>(payload.size()), SQLITE_STATIC);
    sqlite3_step(insert_);
    sqlite3_reset(insert_);
  }

 private:
  sqlite3* db_ = nullptr;
  sqlite3_stmt* insert_ = nullptr;
};

struct RawLoad {
  std::string directory;  // is emptied
  std::size_t payload_bytes = 256;
  std::size_t group = 1;  // events a transaction
  double seconds = 2;
};

// Events a second.
inline double raw_rate(const RawLoad& load) {
  std::filesystem::remove_all(load.directory);
  std::filesystem::create_directories(load.directory);
  using Clock = std::chrono::steady_clock;
  const std::string payload(load.payload_bytes, 'p');
  std::int64_t position = std::int64_t{1} << 40;
  double rate = 0;
  {
    RawTable table(load.directory + "/raw.db");
    // The blocks of the write-ahead log, before time is taken.
    for (int i = 0; i < 30'000; ++i) {
      if (i % 1000 == 0) table.run("BEGIN IMMEDIATE");
      table.insert(++position, payload);
      if (i % 1000 == 999) table.run("COMMIT");
    }
    const auto begun = Clock::now();
    const auto elapsed = [&] {
      return std::chrono::duration<double>(Clock::now() - begun).count();
    };
    std::uint64_t count = 0;
    for (; elapsed() < load.seconds; count += load.group) {
      table.run("BEGIN IMMEDIATE");
      for (std::size_t i = 0; i < load.group; ++i) table.insert(++position, payload);
      table.run("COMMIT");
    }
    rate = static_cast<double>(count) / elapsed();
  }
  std::filesystem::remove_all(load.directory);
  return rate;
}

}  // namespace marram
