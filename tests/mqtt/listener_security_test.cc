// Who gets in: closed by default, users, TLS, and independent clients.
#include <doctest/doctest.h>
#include <fmt/format.h>

#include <cstdio>

#include "gateway/mqtt/users.h"
#include "tests/mqtt/listener_fixture.h"

namespace marram::mqtt {
namespace {

using namespace std::chrono_literals;
using namespace std::string_literals;

TEST_SUITE_BEGIN("mqtt/listener security");

// Runs a shell command; gives what it prints on stdout and stderr.
class Command {
 public:
  explicit Command(const std::string& line) : pipe_(::popen((line + " 2>&1").c_str(), "r")) {}
  ~Command() {
    if (pipe_ != nullptr) ::pclose(pipe_);
  }
  Command(const Command&) = delete;
  Command& operator=(const Command&) = delete;

  std::string output() {
    std::string out;
    char buffer[4096];
    while (const std::size_t count = std::fread(buffer, 1, sizeof buffer, pipe_)) {
      out.append(buffer, count);
    }
    exit_ = ::pclose(pipe_);
    pipe_ = nullptr;
    return out;
  }
  int exit() const { return exit_; }

 private:
  std::FILE* pipe_;
  int exit_ = -1;
};

std::string port_of(const std::string& endpoint) {
  return endpoint.substr(endpoint.rfind(':') + 1);
}

// Certificates by the openssl program: "ca", and "server" and "client" signed by it.
void make_certificates(const TempDir& dir) {
  const std::string at = dir.path.string();
  Command ca("openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=test-ca -keyout " + at +
             "/ca.key -out " + at + "/ca.pem");
  ca.output();
  for (const std::string& name : {"server"s, "client"s}) {
    const std::string base = at + "/" + name;
    dir.write(name + ".ext", "subjectAltName=IP:127.0.0.1\n");
    Command request("openssl req -newkey rsa:2048 -nodes -subj /CN=" + name + " -keyout " + base +
                    ".key -out " + base + ".csr && openssl x509 -req -days 2 -in " + base +
                    ".csr -CA " + at + "/ca.pem -CAkey " + at +
                    "/ca.key -CAcreateserial -extfile " + base + ".ext -out " + base + ".pem");
    const std::string output = request.output();
    REQUIRE_MESSAGE(request.exit() == 0, output);
  }
}

void check_refused(MqttOptions options, std::string_view setting) {
  FakeBus bus;
  const auto opened = MqttListener::open(std::move(options), bus);
  REQUIRE_FALSE(opened);
  CHECK(opened.error().code == Errc::Config);
  CHECK_MESSAGE(opened.error().message.find(setting) != std::string::npos, opened.error().message);
}

TEST_CASE(
    "beyond loopback it takes TLS and authentication, and the message names what is missing") {
  TempDir dir;
  check_refused({.listen = {"mqtt://0.0.0.0:0"}}, "mqtt.tls.certificate_file");
  check_refused({.listen = {"mqtt://[::]:0"}}, "mqtt.tls.certificate_file");
  check_refused({.listen = {"mqtts://0.0.0.0:0"}}, "mqtt.users_file");
  check_refused({.listen = {"mqtts://127.0.0.1:0"}}, "tls.certificate_file");
  check_refused({.listen = {"mqtts://127.0.0.1:0"},
                 .tls = {.certificate_file = "/nowhere.pem", .key_file = "/nowhere.key"}},
                "/nowhere.pem");
  check_refused({.listen = {"mqtt://127.0.0.1:0"}, .users_file = dir.write("u.toml", "x")},
                "u.toml:1:");
  check_refused({.listen = {"mqtt://127.0.0.1:0"}, .users_file = "/nowhere.toml"},
                "/nowhere.toml:1:1");
}

TEST_CASE("users get in with their password and may do what the file says; others do not") {
  TempDir dir;
  const std::string users =
      dir.write("users.toml", fmt::format("[[user]]\nname = \"pump\"\npassword_hash = \"{}\"\n"
                                          "publish = [\"plant/%c/#\"]\nsubscribe = [\"cmd/%u\"]\n",
                                          *hash_password("secret")));
  ListenerFixture fixture(MqttOptions{.listen = {"mqtt://127.0.0.1:0"}, .users_file = users});
  const auto enter = [&](RawClient& client, std::string_view user, std::string_view password) {
    return client.connect(Connect{.client_id = "c1", .user = user, .password = password});
  };

  RawClient stranger(fixture.at);
  CHECK(stranger.connect("c1") == "connack 87");
  CHECK(stranger.next() == "end");
  RawClient wrong(fixture.at);
  CHECK(enter(wrong, "pump", "Secret") == "connack 86");
  RawClient unknown(fixture.at, Version::V311);
  CHECK(enter(unknown, "nobody", "secret") == "connack 4");

  // The second time the password is known.
  for (int i = 0; i < 2; ++i) {
    RawClient pump(fixture.at);
    CHECK(enter(pump, "pump", "secret") == "connack 0");
    pump.publish("plant/c1/temp", "x", 1);
    CHECK(pump.next() == "puback id1");
    pump.publish("plant/c2/temp", "x", 2);
    CHECK(pump.next() == "puback id2 87");
    CHECK(pump.subscribe("cmd/pump", 1) == "suback id101 1");
    CHECK(pump.subscribe("cmd/#", 1) == "suback id102 87");
  }
  RawClient again(fixture.at);
  CHECK(enter(again, "pump", "wrong again") == "connack 86");
}

TEST_CASE(
    "users are read again when asked, for connections to come; a broken file changes nothing") {
  TempDir dir;
  const auto write_user = [&](const std::string& name) {
    return dir.write("users.toml", fmt::format("[[user]]\nname = \"{}\"\npassword_hash = \"{}\"\n"
                                               "publish = [\"#\"]\n",
                                               name, *hash_password("secret")));
  };
  ListenerFixture fixture(
      MqttOptions{.listen = {"mqtt://127.0.0.1:0"}, .users_file = write_user("old")});
  const auto enter = [&](RawClient& client, std::string_view id, std::string_view user) {
    return client.connect(Connect{.client_id = id, .user = user, .password = "secret"});
  };
  RawClient before(fixture.at);
  REQUIRE(enter(before, "c1", "old") == "connack 0");

  write_user("new");
  CHECK(fixture.listener->reload_users().has_value());

  RawClient old(fixture.at);
  CHECK(enter(old, "c2", "old") == "connack 86");
  RawClient fresh(fixture.at);
  CHECK(enter(fresh, "c3", "new") == "connack 0");
  before.publish("a", "x", 1);
  CHECK(before.next() == "puback id1");

  dir.write("users.toml", "[[user]]\nnmae = 1\n");
  const auto broken = fixture.listener->reload_users();
  REQUIRE_FALSE(broken);
  CHECK(broken.error().code == Errc::Config);
  RawClient still(fixture.at);
  CHECK(enter(still, "c4", "new") == "connack 0");
}

TEST_CASE("an empty users file lets nobody in") {
  TempDir dir;
  ListenerFixture fixture(
      MqttOptions{.listen = {"mqtt://127.0.0.1:0"}, .users_file = dir.write("users.toml", "")});
  RawClient client(fixture.at);
  CHECK(client.connect("c1") == "connack 87");
}

TEST_CASE("mosquitto's clients publish and subscribe, in both versions, QoS 0 and 1") {
  ListenerFixture fixture;
  for (const std::string& version : {"mqttv311"s, "mqttv5"s}) {
    for (const std::string& qos : {"0"s, "1"s}) {
      CAPTURE(version);
      CAPTURE(qos);
      const std::string common = " -h 127.0.0.1 -p " + port_of(fixture.at) + " -V " + version +
                                 " -q " + qos + " -t plant/1 ";
      Command sub("timeout 10 mosquitto_sub -i sub -C 2" + common);
      REQUIRE(eventually([&] { return fixture.reports("\"clients\":1"); }));
      // The subscription may still be on its way: the first one that arrives counts.
      std::string published;
      REQUIRE(eventually([&] {
        Command pub("timeout 10 mosquitto_pub -i pub -m hello" + common);
        published += pub.output();
        return fixture.reports("\"clients\":0");
      }));
      CHECK(published == "");
      CHECK(sub.output() == "hello\nhello\n");
    }
  }
}

TEST_CASE("mosquitto_pub with -r is served, without retaining") {
  ListenerFixture fixture;
  const std::string common =
      "timeout 10 mosquitto_pub -r -q 1 -t a -m x -h 127.0.0.1 -p " + port_of(fixture.at) + " -V ";
  Command old(common + "mqttv311");
  CHECK(old.output() == "");
  CHECK(old.exit() == 0);
  CHECK(fixture.bus.events().size() == 1);
  CHECK(fixture.reports("\"retain_ignored\":1"));
  Command modern(common + "mqttv5");
  CHECK(modern.output() == "");  // it has read "Retain Available 0" and leaves the flag off
  CHECK(fixture.bus.events().size() == 2);
  CHECK(fixture.reports("\"retain_ignored\":1"));
}

TEST_CASE("TLS works with a certificate of one's own, and asks for the client's where it is to") {
  TempDir dir;
  make_certificates(dir);
  const std::string at = dir.path.string();
  const TlsOptions tls{.certificate_file = at + "/server.pem", .key_file = at + "/server.key"};
  {
    ListenerFixture fixture(MqttOptions{.listen = {"mqtts://127.0.0.1:0"}, .tls = tls});
    const std::string common = "timeout 10 mosquitto_pub -q 1 -t a -h 127.0.0.1 -p " +
                               port_of(fixture.at) + " --cafile " + at + "/ca.pem ";
    Command pub(common + "-m secret");
    CHECK(pub.output() == "");
    REQUIRE(fixture.bus.events().size() == 1);
    CHECK(fixture.bus.events().back().payload == "secret");
    const std::string file = dir.write("large", std::string(3 << 20, 'L'));
    Command large(common + "-f " + file);
    CHECK(large.output() == "");
    REQUIRE(fixture.bus.events().size() == 2);
    CHECK(fixture.bus.events().back().payload.size() == 3 << 20);
    Command old("timeout 5 openssl s_client -tls1_1 -connect 127.0.0.1:" + port_of(fixture.at) +
                " < /dev/null");
    CHECK(old.output().find("Cipher is (NONE)") != std::string::npos);
    RawClient plain(fixture.at);
    CHECK(plain.connect("c1") == "end");
  }
  TlsOptions mutual = tls;
  mutual.client_ca_file = at + "/ca.pem";
  ListenerFixture fixture(MqttOptions{.listen = {"mqtts://0.0.0.0:0"}, .tls = mutual});
  const std::string common = "timeout 10 mosquitto_pub -q 1 -t a -m x -h 127.0.0.1 -p " +
                             port_of(fixture.at) + " --cafile " + at + "/ca.pem ";
  Command without(common);
  CHECK(without.output() != "");
  CHECK(fixture.bus.events().empty());
  Command with(common + "--cert " + at + "/client.pem --key " + at + "/client.key");
  CHECK(with.output() == "");
  CHECK(fixture.bus.events().size() == 1);
}

TEST_SUITE_END();

}  // namespace
}  // namespace marram::mqtt
