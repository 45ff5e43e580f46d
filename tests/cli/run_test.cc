#include <doctest/doctest.h>
#include <fmt/format.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <csignal>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>

#include "tests/cli/program.h"

namespace marram::cli {

namespace {

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

std::string content(const std::string& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

}  // namespace

TEST_SUITE_BEGIN("cli/run");

TEST_CASE("a node runs until SIGTERM, and what was published is there in the next run") {
  const TempDir dir;
  for (int run = 1; run <= 2; ++run) {
    RunningNode node(dir);
    REQUIRE_MESSAGE(node.ready(), node.log());

    const Ran published = node.run({"pub", "-t", "a/b", "-m", fmt::format("run {}", run)});
    CHECK_MESSAGE(published.code == 0, published.err);
    node.signal(run == 1 ? SIGTERM : SIGINT);

    CHECK(node.wait() == 0);
    CHECK(has(node.log(), R"("msg":"stopped")"));
  }
  RunningNode node(dir);
  REQUIRE(node.ready());
  const Ran read = node.run({"sub", "a/#", "--from", "earliest", "-n", "2"});

  CHECK(read.code == 0);
  CHECK(read.out == "a/b run 1\na/b run 2\n");
}

TEST_CASE("a second node on the same data folder is refused and names the first") {
  const TempDir dir;
  RunningNode first(dir);
  REQUIRE(first.ready());

  const Ran second =
      marram({"run", "--set", "node.data_dir=" + (dir / "data"), "--set", "mqtt.listen="});

  CHECK(second.code == 75);
  CHECK_MESSAGE(has(second.err, fmt::format("in use by process {}", first.pid())), second.err);
  CHECK(first.run({"status"}).code == 0);
}

TEST_CASE("devices do not get the last file descriptors") {
  const TempDir dir;
  const auto start = [&](const std::string& limit) {
    return Process::start(
        {.arguments = {"/bin/sh", "-c", "ulimit " + limit + " && exec \"$0\" \"$@\"",
                       MARRAM_PROGRAM, "run", "--set", "node.data_dir=" + (dir / "data"), "--set",
                       "mqtt.listen=mqtt://127.0.0.1:0", "--set", "log.format=json"},
         .stderr_file = dir / "log"});
  };
  const auto says = [&](const std::string& part) { return has(content(dir / "log"), part); };

  auto soft = start("-S -n 200");
  REQUIRE(soft);
  REQUIRE(eventually([&] { return says(R"("msg":"ready")"); }));
  rlimit files{};
  REQUIRE(::prlimit(soft->pid(), RLIMIT_NOFILE, nullptr, &files) == 0);
  CHECK(files.rlim_cur == files.rlim_max);
  soft->signal(SIGTERM);
  CHECK(soft->wait() == 0);

  auto hard = start("-n 400");
  REQUIRE(hard);
  CHECK(eventually([&] { return says(R"("descriptors":"400","connections":"80")"); }));
  CHECK(says("mqtt.limits.connections_max"));
  hard->signal(SIGTERM);
  hard->wait();
}

TEST_CASE("a wrong configuration ends with 78 and says everything that is wrong") {
  const TempDir dir;
  const std::string file = dir.write("m.toml", "[node]\nnmae = \"x\"\n[log]\nlevel = 1\n");

  const Ran ran = marram({"run", "-c", file});

  CHECK(ran.code == 78);
  CHECK(has(ran.err, file + ":2:1: unknown key \"nmae\" in [node] (did you mean \"name\"?)\n"));
  CHECK(has(ran.err, file + ":4:9: log.level must be one of"));
  CHECK(ran.out.empty());
}

TEST_CASE("a listener beyond loopback without TLS is refused with 78, naming the setting") {
  const TempDir dir;
  const std::vector<std::string> sets = {"--set", "mqtt.listen=mqtt://0.0.0.0:0", "--set",
                                         "node.data_dir=" + (dir / "data")};
  std::vector<std::string> run = {"run"};
  std::vector<std::string> check = {"config", "check"};
  for (auto* arguments : {&run, &check}) {
    arguments->insert(arguments->end(), sets.begin(), sets.end());

    const Ran ran = marram(*arguments);

    CHECK(ran.code == 78);
    CHECK_MESSAGE(has(ran.err, "mqtt.tls.certificate_file"), ran.err);
  }
}

TEST_CASE("a database of a newer version is refused with 77 and left alone") {
  const TempDir dir;
  {
    RunningNode node(dir);
    REQUIRE(node.ready());
    node.signal(SIGTERM);
    REQUIRE(node.wait() == 0);
  }
  const std::string newer =
      fmt::format("sqlite3 {} 'pragma user_version = 1000'", dir / "data/marram.db");
  REQUIRE(std::system(newer.c_str()) == 0);

  RunningNode again(dir);

  CHECK_FALSE(again.ready());
  CHECK(again.wait() == 77);
  CHECK_MESSAGE(has(again.log(), "upgrade marram"), again.log());
}

TEST_CASE("SIGHUP applies the log level, keeps the rest, and refuses a wrong file whole") {
  const TempDir dir;
  RunningNode node(dir, "[log]\nlevel = \"info\"");
  REQUIRE(node.ready());
  const std::string begin = fmt::format("[node]\nname = \"n2\"\ndata_dir = \"{}\"\n", dir / "data");

  dir.write("node.toml", begin + "[log]\nlevle = \"warn\"\n");
  node.signal(SIGHUP);
  REQUIRE(eventually([&] { return has(node.log(), "not reloaded"); }));
  CHECK(has(node.log(), "node.toml:5:1: unknown key"));

  dir.write("node.toml", begin + "[log]\nlevel = \"warn\"\n");
  node.signal(SIGHUP);
  REQUIRE(eventually([&] { return has(node.log(), "take effect after a restart"); }));
  CHECK(has(node.log(), R"("keys":"node.name")"));

  node.signal(SIGTERM);
  CHECK(node.wait() == 0);
  CHECK_FALSE(has(node.log(), R"("msg":"stopped")"));  // info, and warn is the least now
}

TEST_CASE("systemd is told when the node is ready, is alive, and stops") {
  const TempDir dir;
  const std::string path = dir / "notify";
  const int fd = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  REQUIRE(::bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
  const timeval patience{60, 0};
  ::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  const auto receive = [&] {
    std::string text(4096, '\0');
    const ssize_t got = ::recv(fd, text.data(), text.size(), 0);
    text.resize(got < 0 ? 0 : static_cast<std::size_t>(got));
    return text;
  };
  ::setenv("NOTIFY_SOCKET", path.c_str(), 1);
  ::setenv("WATCHDOG_USEC", "300000", 1);
  RunningNode node(dir);
  ::unsetenv("NOTIFY_SOCKET");
  ::unsetenv("WATCHDOG_USEC");

  CHECK(receive().starts_with("READY=1\nSTATUS=ipc://"));
  CHECK(receive() == "WATCHDOG=1");
  CHECK(receive() == "WATCHDOG=1");
  node.signal(SIGTERM);
  std::string last = receive();
  while (last == "WATCHDOG=1") last = receive();
  CHECK(last == "STOPPING=1");
  CHECK(node.wait() == 0);
  ::close(fd);
}

TEST_CASE("status has the node, its store and the MQTT listener as JSON") {
  const TempDir dir;
  RunningNode node(dir);
  REQUIRE(node.ready());
  REQUIRE(node.run({"pub", "-t", "a", "-m", "x"}).code == 0);

  const Ran ran = node.run({"status", "--json"});
  const auto status = nlohmann::json::parse(ran.out, nullptr, false);

  REQUIRE(status.is_object());
  CHECK(status["node"]["name"] == "n1");
  CHECK(status["store"]["events"] == 1);
  CHECK(status["mqtt"]["listen"][0] == node.mqtt());
  const Ran text = node.run({"status"});
  CHECK(text.code == 0);
  CHECK(has(text.out, "node       n1  version"));
}

TEST_CASE("a route hands events on to another node, and status shows it") {
  const TempDir outside_dir;
  RunningNode outside(outside_dir);
  REQUIRE(outside.ready());
  const TempDir dir;
  RunningNode node(dir, fmt::format("[[route]]\nname = \"cloud\"\nfrom = [\"plant/#\"]\n"
                                    "to = \"{}\"\ntopic = \"from/{{node}}/{{topic}}\"",
                                    outside.mqtt()));
  REQUIRE(node.ready());

  REQUIRE(node.run({"pub", "-t", "plant/1", "-m", "21.5", "-n", "3"}).code == 0);
  const Ran arrived = outside.run({"sub", "from/#", "--from", "earliest", "-n", "3"});

  CHECK(arrived.out == "from/n1/plant/1 21.5\nfrom/n1/plant/1 21.5\nfrom/n1/plant/1 21.5\n");
  CHECK(eventually([&] {
    const auto route =
        nlohmann::json::parse(node.run({"route", "show", "cloud", "--json"}).out, nullptr, false);
    return route.is_object() && route.value("acked", 0) == 3 && route.value("backlog", 1) == 0;
  }));
  CHECK(has(node.run({"route", "ls"}).out, "cloud  out        connected"));
  CHECK(node.run({"route", "show", "clod"}).code == 1);
  CHECK(has(node.run({"status"}).out, "route:cloud"));
  node.signal(SIGTERM);
  CHECK(node.wait() == 0);
}

TEST_SUITE_END();

}  // namespace marram::cli
