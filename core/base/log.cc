#include "core/base/log.h"

#include <fmt/format.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <chrono>

#include "core/base/clock.h"

namespace marram {

namespace {

constexpr std::string_view kLevels[] = {"debug", "info", "warn", "error"};

void append_json_text(std::string& out, std::string_view text) {
  out += '"';
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (byte < 0x20 || byte == 0x7F) {
      out += fmt::format("\\u{:04x}", byte);
    } else {
      out += c;
    }
  }
  out += '"';
}

// Control characters, which could forge lines or drive a terminal, become '?'.
std::string printable(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) c = '?';
  }
  return out;
}

class StderrLog : public Log {
 public:
  StderrLog(bool json, LogLevel least, std::string node)
      : json_(json), least_(least), node_(std::move(node)),
        out_("marram", std::make_shared<spdlog::sinks::stderr_sink_mt>()) {
    out_.set_pattern("%v");
    out_.set_level(spdlog::level::trace);
    out_.flush_on(spdlog::level::trace);
  }

  void write(LogLevel level, std::string_view component, std::string_view message,
             LogFields fields) override {
    if (level < least_) return;
    const std::string line = json_ ? json_line(level, component, message, fields)
                                   : text_line(level, component, message, fields);
    out_.log(spdlog::level::info, spdlog::string_view_t(line.data(), line.size()));
  }

 private:
  std::string json_line(LogLevel level, std::string_view component, std::string_view message,
                        LogFields fields) const {
    std::string out = fmt::format(R"({{"time":"{}","level":"{}","msg":)",
                                  iso_text(Clock::system().wall()),
                                  kLevels[static_cast<int>(level)]);
    append_json_text(out, message);
    out += ",\"component\":";
    append_json_text(out, component);
    out += ",\"node\":";
    append_json_text(out, node_);
    for (const auto& [key, value] : fields) {
      out += ',';
      append_json_text(out, key);
      out += ':';
      append_json_text(out, value);
    }
    return out += '}';
  }

  std::string text_line(LogLevel level, std::string_view component, std::string_view message,
                        LogFields fields) const {
    const std::string time = iso_text(Clock::system().wall());
    std::string out = fmt::format("{} {:5} {}: {}", time.substr(11, 12),
                                  kLevels[static_cast<int>(level)], component, printable(message));
    for (const auto& [key, value] : fields) out += fmt::format("  {}={}", key, printable(value));
    return out;
  }

  bool json_;
  LogLevel least_;
  std::string node_;
  spdlog::logger out_;
};

class NoLog : public Log {
 public:
  void write(LogLevel, std::string_view, std::string_view, LogFields) override {}
};

}  // namespace

std::unique_ptr<Log> Log::to_stderr(LogFormat format, LogLevel least, std::string node) {
  const bool json = format == LogFormat::Json || (format == LogFormat::Auto && ::isatty(2) == 0);
  return std::make_unique<StderrLog>(json, least, std::move(node));
}

Log& Log::none() {
  static NoLog log;
  return log;
}

}  // namespace marram
