#include "core/base/log.h"

#include <doctest/doctest.h>
#include <unistd.h>

#include <cstdio>
#include <functional>

#include "core/base/clock.h"
#include "core/base/utf8.h"

using namespace marram;

namespace {

// What `write` sends to stderr.
std::string stderr_of(const std::function<void()>& write) {
  std::FILE* const file = std::tmpfile();
  REQUIRE(file != nullptr);
  std::fflush(stderr);
  const int kept = ::dup(2);
  ::dup2(::fileno(file), 2);
  write();
  std::fflush(stderr);
  ::dup2(kept, 2);
  ::close(kept);

  std::string text(64 << 10, '\0');
  std::rewind(file);
  text.resize(std::fread(text.data(), 1, text.size(), file));
  std::fclose(file);
  return text;
}

std::string json_of(std::string_view message, LogFields fields = {}) {
  return stderr_of([&] {
    Log::to_stderr(LogFormat::Json, LogLevel::Info, "gw-3")->info("store", message, fields);
  });
}

bool has(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_SUITE_BEGIN("base/log");

TEST_CASE("a JSON line has time, level, message, component, node and fields") {
  const std::string line = json_of("opened", {{"events", "12"}, {"path", "/data"}});

  CHECK(line.ends_with(R"(","level":"info","msg":"opened","component":"store","node":"gw-3",)"
                       R"("events":"12","path":"/data"})"
                       "\n"));
  CHECK(line.starts_with(R"({"time":")"));
  CHECK(parse_time(line.substr(9, 27), WallTime()).has_value());
}

TEST_CASE("quotes, control characters and bytes that are no text cannot break a JSON line") {
  const std::string line =
      json_of("say \"hi\"\\ \n\t\x1b[2J \x7f \xff\xc3", {{"gr\xC3\xBCn", "\r"}});

  CHECK(has(line, R"("msg":"say \"hi\"\\ \u000a\u0009\u001b[2J \u007f \ufffd\ufffd")"));
  CHECK(has(line, "\"gr\xC3\xBCn\":\"\\u000d\""));
  CHECK(find_unprintable(line) == line.size() - 1);
}

TEST_CASE("percent signs and braces are text, not a pattern") {
  CHECK(has(json_of("100%v {} %d"), R"("msg":"100%v {} %d")"));
}

TEST_CASE("a text line cannot be forged") {
  const std::string line = stderr_of([] {
    Log::to_stderr(LogFormat::Text, LogLevel::Info, "gw-3")
        ->warn("mqtt", "client \"a\nb\"",
               {{"topic", "x\x1b[2J"}, {"why", "no  peer=\"b\""}, {"id", ""}});
  });

  CHECK(
      line.ends_with(" warn  mqtt: client \"a?b\"  topic=x?[2J  why=\"no  peer=\\\"b\\\"\"  "
                     "id=\"\"\n"));
  CHECK(find_unprintable(line) == line.size() - 1);
}

TEST_CASE("what is below the level is not written, and nothing goes to none()") {
  const std::string lines = stderr_of([] {
    const auto log = Log::to_stderr(LogFormat::Text, LogLevel::Warn, "gw-3");
    log->debug("a", "quiet");
    log->info("a", "quiet");
    log->warn("a", "heard");
    log->error("a", "heard");
    Log::none().error("a", "quiet");
  });

  CHECK(!has(lines, "quiet"));
  CHECK(has(lines, " warn  a: heard\n"));
  CHECK(has(lines, " error a: heard\n"));
}

TEST_CASE("without a terminal the format is JSON") {
  const std::string line =
      stderr_of([] { Log::to_stderr(LogFormat::Auto, LogLevel::Info, "gw-3")->info("a", "b"); });

  CHECK(line.starts_with("{"));
}
