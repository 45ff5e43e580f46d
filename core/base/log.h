// What the daemon tells its operator: text on a terminal, JSON lines otherwise.
//
// There is no global log: who needs one is given one.  Payloads are never
// logged; values of events appear as ids and topics only.
//
// Threads: all functions may be called from any thread.
#pragma once

#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace marram {

enum class LogLevel { Debug, Info, Warn, Error };
enum class LogFormat { Auto, Text, Json };

using LogFields = std::initializer_list<std::pair<std::string_view, std::string>>;

class Log {
 public:
  virtual ~Log() = default;
  virtual void write(LogLevel level, std::string_view component, std::string_view message,
                     LogFields fields) = 0;

  void debug(std::string_view component, std::string_view message, LogFields fields = {}) {
    write(LogLevel::Debug, component, message, fields);
  }
  void info(std::string_view component, std::string_view message, LogFields fields = {}) {
    write(LogLevel::Info, component, message, fields);
  }
  void warn(std::string_view component, std::string_view message, LogFields fields = {}) {
    write(LogLevel::Warn, component, message, fields);
  }
  void error(std::string_view component, std::string_view message, LogFields fields = {}) {
    write(LogLevel::Error, component, message, fields);
  }

  // Writes to stderr; `node` is in every line.  Auto is text when stderr is a terminal.
  static std::unique_ptr<Log> to_stderr(LogFormat format, LogLevel least, std::string node);
  // Drops everything; lives as long as the program.
  static Log& none();
};

}  // namespace marram
