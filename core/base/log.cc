#include "core/base/log.h"

#include <fmt/format.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <chrono>

#include "core/base/clock.h"
#include "core/base/utf8.h"

namespace marram {

namespace {

constexpr std::string_view kLevels[] = {"debug", "info", "warn", "error"};

// JSON text; bytes that are no UTF-8 become U+FFFD, so that every line parses.
void append_json_text(std::string& out, std::string_view text) {
  out += '"';
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t start = at;
    const auto point = next_code_point(text, at);
    if (!point) {
      ++at;
      out += "\\ufffd";
    } else if (*point == '"' || *point == '\\') {
      out += '\\';
      out += text[start];
    } else if (is_control(*point)) {
      out += fmt::format("\\u{:04x}", static_cast<unsigned>(*point));
    } else {
      out += text.substr(start, at - start);
    }
  }
  out += '"';
}

// As it is, or between quotes where it could be taken for other fields.
std::string field_text(const std::string& value) {
  const bool plain = !value.empty() && value.find_first_of(" =\"\\") == std::string::npos;
  return plain ? printable(value) : in_quotes(value, value.size());
}

class StderrLog : public Log {
 public:
  StderrLog(bool json, LogLevel least, std::string node)
      : json_(json),
        least_(least),
        node_(std::move(node)),
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
    std::string out =
        fmt::format(R"({{"time":"{}","level":"{}","msg":)", iso_text(Clock::system().wall()),
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
    for (const auto& [key, value] : fields) out += fmt::format("  {}={}", key, field_text(value));
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
