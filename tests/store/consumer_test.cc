#include <doctest/doctest.h>

#include "tests/store/store_fixture.h"

namespace marram::test {

TEST_SUITE_BEGIN("store/consumer");

namespace {

ConsumerRecord consumer(const std::string& name, std::vector<FilterRecord> filters = {{"#", {}}}) {
  return {.name = name, .filters = std::move(filters), .attributes = "{}"};
}

}  // namespace

TEST_CASE("a consumer is there after opening again, with filters, start and cursors") {
  TempDir directory;
  std::uint32_t no = 0;
  {
    TestStore store(options_in(directory));
    store.put(10);
    auto record = consumer("c", {{"a/#", WallTime(Duration(5))}, {"b", {}}});
    record.start = {.at = Start::At::Seq, .seq = 3};
    record.attributes = "{\"x\":1}";
    record.created = WallTime(Duration(7));
    record.seen = WallTime(Duration(8));
    record.cursors[1] = 2;
    no = store.put_consumer(record).value();
    store.save({{no, 1, 6}, {no, 1, 5}});
  }

  const auto found = TestStore(options_in(directory)).store->consumers();

  REQUIRE(found.size() == 1);
  CHECK(found[0].no == no);
  CHECK(found[0].name == "c");
  CHECK(found[0].filters == std::vector<FilterRecord>{{"a/#", WallTime(Duration(5))}, {"b", {}}});
  CHECK(found[0].start.at == Start::At::Seq);
  CHECK(found[0].start.seq == 3);
  CHECK(found[0].attributes == "{\"x\":1}");
  CHECK(found[0].created == WallTime(Duration(7)));
  CHECK(found[0].cursors == std::map<std::uint32_t, std::uint64_t>{{1, 6}});
}

TEST_CASE("a cursor never goes back, and moves of what is gone are passed over") {
  TempDir directory;
  {
    TestStore store(options_in(directory));
    store.put(10);
    const auto no = store.put_consumer(consumer("c")).value();
    store.save({{no, 1, 6}});
    store.save({{no, 1, 4}, {no, 99, 4}, {99, 1, 4}});
    CHECK(store.listener.told().saved.size() == 4);
  }

  const auto found = TestStore(options_in(directory)).store->consumers();

  CHECK(found.at(0).cursors == std::map<std::uint32_t, std::uint64_t>{{1, 6}});
}

TEST_CASE("cursors travel with the events that are committed at the same time") {
  TempDir directory;
  TestStore store(options_in(directory));
  store.put(10);
  const auto no = store.put_consumer(consumer("c")).value();

  for (std::uint64_t i = 1; i <= 10; ++i) {
    store.store->save_cursors({{no, 1, i}});
    store.put(1);
  }

  REQUIRE(store.listener.wait_saved());
  CHECK(store.store->status().commits < 30);
}

TEST_CASE("numbers of consumers are not used again") {
  TempDir directory;
  std::uint32_t first = 0;
  {
    TestStore store(options_in(directory));
    first = store.put_consumer(consumer("a")).value();
    CHECK(store.remove_consumer(first));
  }
  TestStore store(options_in(directory));

  CHECK(store.put_consumer(consumer("a")).value() > first);
}

TEST_CASE("put_consumer with a number replaces filters and attributes") {
  TempDir directory;
  TestStore store(options_in(directory));
  auto record = consumer("c", {{"a", {}}});
  record.no = store.put_consumer(record).value();
  record.filters = {{"b", WallTime(Duration(9))}};
  record.attributes = "new";

  CHECK(store.put_consumer(record).value() == record.no);
  store.store->close();

  const auto found = TestStore(options_in(directory)).store->consumers();
  REQUIRE(found.size() == 1);
  CHECK(found[0].filters == record.filters);
  CHECK(found[0].attributes == "new");
}

TEST_CASE("a name taken, a number that is not there, too many: refused, and nothing changes") {
  TempDir directory;
  auto options = options_in(directory);
  options.limits.consumers_max = 2;
  options.limits.filters_per_consumer_max = 2;
  TestStore store(options);
  const auto no = store.put_consumer(consumer("a")).value();

  CHECK(store.put_consumer(consumer("a")).error().code == Errc::Exists);
  auto unknown = consumer("b");
  unknown.no = no + 1;
  CHECK(store.put_consumer(unknown).error().code == Errc::NotFound);
  CHECK(store.remove_consumer(no + 1).error().code == Errc::NotFound);
  const auto wide = consumer("w", {{"a", {}}, {"b", {}}, {"c", {}}});
  CHECK(store.put_consumer(wide).error().code == Errc::TooLarge);
  CHECK(store.put_consumer(consumer("b")));
  CHECK(store.put_consumer(consumer("c")).error().code == Errc::TooLarge);
  store.store->close();

  CHECK(TestStore(options).store->consumers().size() == 2);
}

TEST_SUITE_END();

}  // namespace marram::test
