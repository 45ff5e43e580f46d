// A log whose least level can be changed while it is in use (SIGHUP).
//
// Threads: all functions may be called from any thread.
#pragma once

#include <atomic>
#include <memory>

#include "core/base/log.h"

namespace marram::cli {

class LevelLog : public Log {
 public:
  // `out` writes whatever it is given.
  LevelLog(std::unique_ptr<Log> out, LogLevel least) : out_(std::move(out)), least_(least) {}

  void write(LogLevel level, std::string_view component, std::string_view message,
             LogFields fields) override {
    if (level >= least_.load(std::memory_order_relaxed)) {
      out_->write(level, component, message, fields);
    }
  }
  void set_least(LogLevel least) { least_.store(least, std::memory_order_relaxed); }

 private:
  std::unique_ptr<Log> out_;
  std::atomic<LogLevel> least_;
};

}  // namespace marram::cli
