#include <doctest/doctest.h>
#include <fmt/format.h>
#include <poll.h>

#include <csignal>
#include <nlohmann/json.hpp>
#include <sstream>

#include "tests/cli/program.h"

namespace marram::cli {

namespace {

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

std::size_t count_lines(const std::string& text) {
  return static_cast<std::size_t>(std::ranges::count(text, '\n'));
}

}  // namespace

TEST_SUITE_BEGIN("cli/pub_sub");

TEST_CASE("an event keeps its key, headers, content type and id") {
  const TempDir dir;
  RunningNode node(dir);
  REQUIRE(node.ready());

  const Ran published =
      node.run({"pub", "-t", "a/b", "-m", "x", "--key", "k", "--id", "r-1", "-H", "unit=C", "-H",
                "unit=K", "--content-type", "text/plain", "--expires", "1h", "--json"});
  const Ran read = node.run({"sub", "a/#", "--from", "earliest", "-n", "1", "--json"});

  CHECK_MESSAGE(published.code == 0, published.err);
  CHECK(has(published.out, R"({"id":"r-1","topic":"a/b","seq":1,"recorded":")"));
  const auto event = nlohmann::json::parse(read.out, nullptr, false);
  REQUIRE(event.is_object());
  CHECK(event["id"] == "r-1");
  CHECK(event["key"] == "k");
  CHECK(event["headers"].dump() == R"([["unit","C"],["unit","K"]])");
  CHECK(event["content_type"] == "text/plain");
  CHECK(event["payload"] == "x");
  CHECK(event["attempt"] == 1);
  CHECK(event.contains("expires"));
}

TEST_CASE("each line of a pipe is an event, in order, and bad ones are said") {
  const TempDir dir;
  RunningNode node(dir, "[limits]\npayload_bytes_max = 10");
  REQUIRE(node.ready());
  std::string lines;
  for (int i = 1; i <= 3000; ++i)
    lines += fmt::format("{}\n", i == 7 ? "much too long" : fmt::to_string(i));

  const Ran published = node.run({"pub", "-t", "n", "-l", "--json"}, lines);
  const Ran read = node.run({"sub", "n", "--from", "earliest", "-n", "2999"});

  CHECK(published.code == 64);
  CHECK(count_lines(published.out) == 2999);
  CHECK_MESSAGE(has(published.err, "marram: pub: line 7: "), published.err);
  CHECK(count_lines(read.out) == 2999);
  CHECK(read.out.starts_with("n 1\nn 2\nn 3\nn 4\nn 5\nn 6\nn 8\n"));
  CHECK(read.out.ends_with("n 2999\nn 3000\n"));
}

TEST_CASE("a line goes out at once, while the pipe stays open") {
  const TempDir dir;
  RunningNode node(dir);
  REQUIRE(node.ready());
  Process pub = node.start({"pub", "-t", "n", "-l", "--json"}, "pub");

  REQUIRE(pub.write_stdin("one\n").has_value());
  std::vector<std::string> receipts;
  CHECK(eventually([&] { return !(receipts = pub.take_lines()).empty(); }));
  pub.close_stdin();

  CHECK(pub.wait() == 0);
}

TEST_CASE("pub waits for a route's delivery, and says what is pending") {
  const TempDir dir;
  RunningNode node(dir);
  REQUIRE(node.ready());
  Process route = node.start({"sub", "b", "--name", "route:cloud"}, "route");
  REQUIRE(eventually([&] { return has(node.run({"consumer", "ls"}).out, "route:cloud  yes"); }));

  const Ran done = node.run({"pub", "-t", "b", "-m", "1", "--wait", "delivered:cloud", "--json"});
  route.signal(SIGTERM);
  route.wait();
  const Ran late = node.run(
      {"pub", "-t", "b", "-m", "2", "-n", "3", "--wait", "delivered:cloud", "--timeout", "5s"});
  const Ran never = node.run({"pub", "-t", "b", "-m", "x", "--wait", "replicated:1"});

  CHECK_MESSAGE(done.code == 0, done.err);
  CHECK(has(done.out, R"("level":"delivered:cloud","pending":false)"));
  CHECK(late.code == 1);
  CHECK_MESSAGE(has(late.err, "3 of 3 events are stored, but were not delivered:cloud"), late.err);
  CHECK(never.code == 64);
  CHECK(has(never.err, "no mesh"));
}

TEST_CASE("a file and standard input are one payload, a count repeats it") {
  const TempDir dir;
  RunningNode node(dir);
  REQUIRE(node.ready());
  const std::string file = dir.write("payload", "from\nfile");

  CHECK(node.run({"pub", "-t", "a", "-f", file}).code == 0);
  CHECK(node.run({"pub", "-t", "a"}, std::string("\xff\x00", 2)).code == 0);
  CHECK(node.run({"pub", "-t", "b", "-m", "x", "-n", "1500"}).code == 0);

  const Ran read = node.run({"sub", "a", "--from", "earliest", "-n", "2", "--json"});
  CHECK(has(read.out, R"("payload":"from\nfile")"));
  CHECK(has(read.out, R"("payload_base64":"/wA=")"));
  CHECK(count_lines(node.run({"sub", "b", "--from", "earliest", "-n", "1500"}).out) == 1500);
}

TEST_CASE("a payload over the limit is refused before all of it is read") {
  const TempDir dir;
  RunningNode node(dir, "[limits]\npayload_bytes_max = 10");
  REQUIRE(node.ready());

  const Ran published = node.run({"pub", "-t", "a"}, std::string(1000, 'x'));

  CHECK(published.code == 64);
  CHECK_MESSAGE(has(published.err, "standard input has more than 10 bytes"), published.err);
  CHECK_MESSAGE(has(published.err, "limits.payload_bytes_max"), published.err);
}

TEST_CASE("a durable consumer goes on behind what was printed") {
  const TempDir dir;
  RunningNode node(dir);
  REQUIRE(node.ready());
  REQUIRE(node.run({"pub", "-t", "n", "-l"}, "1\n2\n3\n4\n5\n").code == 0);

  CHECK(node.run({"sub", "n", "--name", "report", "-n", "2"}).out == "n 1\nn 2\n");
  const Ran list = node.run({"consumer", "ls", "--json"});
  CHECK(node.run({"sub", "n", "--name", "report", "-n", "3"}).out == "n 3\nn 4\nn 5\n");

  const auto consumers = nlohmann::json::parse(list.out, nullptr, false);
  REQUIRE(consumers.is_array());
  CHECK(consumers[0]["name"] == "report");
  CHECK(consumers[0]["backlog"] == 3);
  CHECK(has(node.run({"consumer", "ls"}).out, "report  no"));
  CHECK(node.run({"consumer", "rm", "report"}).code == 0);
  CHECK(node.run({"consumer", "rm", "report"}).code == 1);
}

TEST_CASE("a second reader of a name is told so, and may take over") {
  const TempDir dir;
  RunningNode node(dir);
  REQUIRE(node.ready());
  REQUIRE(node.run({"pub", "-t", "n", "-m", "1"}).code == 0);
  Process first = node.start({"sub", "n", "--name", "report"}, "first");
  REQUIRE(eventually([&] { return !first.take_lines().empty(); }));

  CHECK(node.run({"sub", "n", "--name", "report", "-n", "1"}).code == 75);
  Process second = node.start({"sub", "n", "--name", "report", "--take-over"}, "second");

  CHECK(first.wait() == 75);
  second.signal(SIGTERM);
  CHECK(second.wait() == 0);
}

TEST_CASE("a reader ends with 0 when it is told to, and when nobody reads its output") {
  const TempDir dir;
  RunningNode node(dir);
  REQUIRE(node.ready());
  Process reader = node.start({"sub", "#", "--from", "earliest"}, "reader");
  REQUIRE(node.run({"pub", "-t", "n", "-m", "1"}).code == 0);
  REQUIRE(eventually([&] { return !reader.take_lines().empty(); }));
  reader.signal(SIGINT);
  CHECK(reader.wait() == 0);

  REQUIRE(node.run({"pub", "-t", "n", "-m", "x", "-n", "50000"}).code == 0);
  const std::string pipe =
      fmt::format("{{ {} sub n --from earliest --connect {}; echo $? >{}; }} | head -n 1 >{}",
                  MARRAM_PROGRAM, node.endpoint(), dir / "code", dir / "out");
  REQUIRE(std::system(pipe.c_str()) == 0);
  std::ifstream code(dir / "code");
  int exit = -1;
  code >> exit;
  CHECK(exit == 0);
}

TEST_CASE("a reader waits for a node that restarts, and misses nothing") {
  const TempDir dir;
  std::optional<RunningNode> node(std::in_place, dir);
  REQUIRE(node->ready());
  Process reader = node->start({"sub", "n", "--name", "report"}, "reader");
  REQUIRE(node->run({"pub", "-t", "n", "-m", "1"}).code == 0);
  std::vector<std::string> lines;
  const auto read = [&] {
    for (const std::string& line : reader.take_lines()) lines.push_back(line);
  };
  REQUIRE(eventually([&] { return read(), lines.size() == 1; }));

  node->signal(SIGKILL);
  node->wait();
  node.emplace(dir);
  REQUIRE(node->ready());
  REQUIRE(node->run({"pub", "-t", "n", "-m", "2"}).code == 0);

  // "n 1" may come twice: its settlement was perhaps not on disk yet.
  CHECK(eventually([&] { return read(), lines.back() == "n 2"; }));
  reader.signal(SIGTERM);
  CHECK(reader.wait() == 0);
  CHECK(lines.front() == "n 1");
  CHECK(lines.size() <= 3);
}

TEST_CASE("without a node the commands end with 69 and say how to get one") {
  const TempDir dir;
  const std::string nowhere = "ipc://" + (dir / "marram.sock");

  for (const char* const command :
       {"status", "route ls", "consumer ls", "pub -t a -m b", "sub a"}) {
    std::istringstream words(command);
    std::vector<std::string> arguments{std::istream_iterator<std::string>(words), {}};
    arguments.insert(arguments.end(), {"--connect", nowhere});

    const Ran ran = marram(arguments);

    CHECK_MESSAGE(ran.code == 69, command);
    CHECK_MESSAGE(has(ran.err, "marram run"), ran.err);
  }
  CHECK(marram({"status", "--connect", "tcp://127.0.0.1:1", "--connect-timeout", "0.2"}).code ==
        69);
}

TEST_CASE("input that breaks a rule ends with 64 and is named") {
  const TempDir dir;
  RunningNode node(dir);
  REQUIRE(node.ready());

  CHECK(node.run({"pub", "-t", "a/#", "-m", "x"}).code == 64);
  CHECK(node.run({"pub", "-t", "$SYS/x", "-m", "x"}).code == 77);
  CHECK(node.run({"sub", "a/#/b"}).code == 64);
  CHECK(node.run({"sub", "a", "--from", "yesterday"}).code == 64);
  CHECK(node.run({"pub", "-t", "a", "-m", "x", "-l"}).code == 64);
  CHECK(node.run({"pub", "-t", "a", "-m", "x", "--id", "i", "-n", "2"}).code == 64);
  CHECK(node.run({"pub", "-t", "a", "-m", "x", "-H", "novalue"}).code == 64);
  for (const std::string option : {"--timeout", "--expires"}) {
    const Ran ran = node.run({"pub", "-t", "a", "-m", "x", option, "2"});
    CHECK(ran.code == 64);
    CHECK_MESSAGE(has(ran.err, "pub: " + option + ": "), ran.err);
  }
}

TEST_CASE("a payload that is refused each time is said once, with how many there were") {
  const TempDir dir;
  RunningNode node(dir, "[limits]\npayload_bytes_max = 10");
  REQUIRE(node.ready());

  const Ran ran = node.run({"pub", "-t", "a", "-m", "far too long for it", "-n", "500"});

  CHECK(ran.code == 64);
  CHECK_MESSAGE(count_lines(ran.err) == 2, ran.err);
  CHECK_MESSAGE(has(ran.err, "0 events are stored, 500 were refused"), ran.err);
}

TEST_SUITE_END();

}  // namespace marram::cli
