#include "core/node/trust_store.h"

#include <doctest/doctest.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <functional>

#include "core/node/key_file.h"
#include "tests/node/temp_folder.h"

TEST_SUITE_BEGIN("node/trust_store");

using namespace marram;
using test::TempFolder;

namespace {

std::string new_key() { return make_curve_key().public_key; }

// Asks, as a loop would, until `condition` holds; false when it never did.
bool until(TrustStore& store, const std::function<bool()>& condition) {
  while (!condition()) {
    std::vector<pollfd> wanted;
    for (const int fd : store.fds()) wanted.push_back({fd, POLLIN, 0});
    if (::poll(wanted.data(), wanted.size(), 10'000) < 1) return false;
    (void)store.changed();
  }
  return true;
}

class Lines : public Log {
 public:
  void write(LogLevel, std::string_view, std::string_view message, LogFields) override {
    all += message;
  }
  std::string all;
};

}  // namespace

TEST_CASE("keys of the configuration and of the folder are trusted, no other is") {
  const TempFolder folder;
  const std::string configured = new_key();
  const std::string filed = new_key();
  folder.write("gw-3.pub", filed + "\nanything for people\n");
  folder.write("README", "not a key");

  const auto store = TrustStore::open({configured}, folder.path(), Log::none());

  REQUIRE(store);
  CHECK((*store)->admits(configured));
  CHECK((*store)->admits(filed));
  CHECK_FALSE((*store)->admits(new_key()));
  CHECK_FALSE((*store)->admits(""));
  CHECK((*store)->keys().size() == 2);
}

TEST_CASE("an empty list is nobody, and a folder that is not there is made") {
  const TempFolder folder;

  const auto store = TrustStore::open({}, folder.path() / "trusted", Log::none());

  REQUIRE(store);
  CHECK((*store)->keys().empty());
  struct stat made{};
  REQUIRE(::stat((folder.path() / "trusted").c_str(), &made) == 0);
  CHECK((made.st_mode & 07777) == 0700);
}

TEST_CASE("who is trusted or revoked in the folder is so in a running node") {
  const TempFolder folder;
  const std::string key = new_key();
  const auto opened = TrustStore::open({}, folder.path(), Log::none());
  REQUIRE(opened);
  TrustStore& store = **opened;
  CHECK_FALSE(store.changed());

  REQUIRE(trust_key(folder.path(), "gw-3", key));
  CHECK(until(store, [&] { return store.admits(key); }));

  REQUIRE(revoke_key(folder.path(), node_id_of_key(key)));
  CHECK(until(store, [&] { return !store.admits(key); }));
}

TEST_CASE("a file without a key is warned of once, and the others count") {
  const TempFolder folder;
  const std::string first = new_key();
  const std::string second = new_key();
  folder.write("bad.pub", "no key\n");
  REQUIRE(trust_key(folder.path(), "first", first));
  Lines log;

  const auto opened = TrustStore::open({}, folder.path(), log);
  REQUIRE(opened);
  CHECK((*opened)->admits(first));
  CHECK(log.all.find("bad.pub has no public key") != std::string::npos);
  CHECK(log.all.find("mend it, or move it away") != std::string::npos);
  log.all.clear();

  REQUIRE(trust_key(folder.path(), "second", second));
  CHECK(until(**opened, [&] { return (*opened)->admits(second); }));
  REQUIRE(revoke_key(folder.path(), "first"));
  CHECK(until(**opened, [&] { return !(*opened)->admits(first); }));
  CHECK(log.all.empty());
}

TEST_CASE("a file that no longer has a key trusts nobody") {
  const TempFolder folder;
  const std::string key = new_key();
  REQUIRE(trust_key(folder.path(), "gw-3", key));
  const auto opened = TrustStore::open({}, folder.path(), Log::none());
  REQUIRE(opened);

  folder.write("gw-3.pub", "no key\n");

  CHECK(until(**opened, [&] { return !(*opened)->admits(key); }));
}

TEST_CASE("a folder that cannot be taken leaves a running node's list as it was") {
  const TempFolder folder;
  const std::string key = new_key();
  REQUIRE(trust_key(folder.path(), "good", key));
  Lines log;
  const auto opened = TrustStore::open({}, folder.path(), log);
  REQUIRE(opened);

  REQUIRE(::chmod(folder.path().c_str(), 0777) == 0);
  folder.write("more.pub", new_key());

  CHECK(until(**opened, [&] { return log.all.find("stays as it was") != std::string::npos; }));
  CHECK((*opened)->keys() == std::vector<std::string>{key});
}

TEST_CASE("a folder that others may write to trusts nobody") {
  const TempFolder folder;
  folder.write("good.pub", new_key());
  REQUIRE(::chmod(folder.path().c_str(), 0777) == 0);

  const auto store = TrustStore::open({}, folder.path(), Log::none());

  REQUIRE_FALSE(store);
  CHECK(store.error().message.find("chmod 700") != std::string::npos);
}

TEST_CASE("a key of the configuration that is none refuses the start or the change") {
  const std::string key = new_key();

  CHECK(TrustStore::open({"short"}, "", Log::none()).error().code == Errc::Config);

  const auto store = TrustStore::open({key}, "", Log::none());
  REQUIRE(store);
  CHECK((*store)->set_keys({"short"}).error().code == Errc::Config);
  CHECK((*store)->admits(key));
  REQUIRE((*store)->set_keys({}));
  CHECK_FALSE((*store)->admits(key));
}

TEST_CASE("a reload looks into the folder again, and keeps what is in it") {
  const TempFolder folder;
  const std::string filed = new_key();
  const std::string configured = new_key();
  folder.write("good.pub", filed);
  const auto store = TrustStore::open({}, folder.path(), Log::none());
  REQUIRE(store);

  REQUIRE((*store)->set_keys({configured}));
  CHECK((*store)->admits(configured));
  CHECK((*store)->admits(filed));

  REQUIRE(::unlink((folder.path() / "good.pub").c_str()) == 0);
  REQUIRE((*store)->set_keys({configured}));
  CHECK(until(**store, [&] { return !(*store)->admits(filed); }));
  CHECK((*store)->admits(configured));
}

TEST_CASE("names of peers are names, never paths") {
  const TempFolder folder;
  for (const char* name : {"", ".", "..", "../x", "a/b", ".hidden", "-x", "a b", "a\n"}) {
    CHECK(trust_key(folder.path(), name, new_key()).error().code == Errc::Invalid);
  }
  CHECK(trust_key(folder.path(), "gw-3", "short").error().code == Errc::Invalid);
  CHECK(std::filesystem::is_empty(folder.path()));
}

TEST_CASE("a name stands for one key") {
  const TempFolder folder;
  const std::string key = new_key();

  CHECK(trust_key(folder.path(), "gw-3", key));
  CHECK(trust_key(folder.path(), "gw-3", key));
  CHECK(trust_key(folder.path(), "gw-3", new_key()).error().code == Errc::Exists);
  CHECK(read_trust_folder(folder.path())->keys.size() == 1);
}

TEST_CASE("a peer is revoked by name, key or id, under all its names") {
  const TempFolder folder;
  const std::string key = new_key();
  REQUIRE(trust_key(folder.path(), "a", key));
  REQUIRE(trust_key(folder.path(), "b", key));
  REQUIRE(trust_key(folder.path(), "c", new_key()));

  CHECK(revoke_key(folder.path(), key)->removed.size() == 2);
  CHECK(revoke_key(folder.path(), "c")->removed.size() == 1);
  CHECK(revoke_key(folder.path(), "c").error().code == Errc::NotFound);
}

TEST_CASE("a peer that is revoked by one of its names is said to be trusted under the other") {
  const TempFolder folder;
  const std::string key = new_key();
  REQUIRE(trust_key(folder.path(), "a", key));
  REQUIRE(trust_key(folder.path(), "b", key));
  REQUIRE(trust_key(folder.path(), "c", new_key()));

  const auto first = revoke_key(folder.path(), "a");
  REQUIRE(first);
  REQUIRE(first->left.size() == 1);
  CHECK(first->left[0].name == "b");
  CHECK(revoke_key(folder.path(), "b")->left.empty());
}

TEST_CASE("a file without a key is removed by its name, and keeps nobody else from being revoked") {
  const TempFolder folder;
  folder.write("junk.pub", "junk\n");
  REQUIRE(trust_key(folder.path(), "a", new_key()));

  CHECK(revoke_key(folder.path(), "a"));
  CHECK(revoke_key(folder.path(), "").error().code == Errc::NotFound);
  CHECK(trust_key(folder.path(), "junk", new_key()).error().code == Errc::Config);
  CHECK(revoke_key(folder.path(), "junk"));
  CHECK(read_trust_folder(folder.path())->broken.empty());
}

TEST_SUITE_END();
