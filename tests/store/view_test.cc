#include <doctest/doctest.h>

#include "tests/store/store_fixture.h"

namespace marram::test {

TEST_SUITE_BEGIN("store/view");

TEST_CASE("the view `events` shows ISO times, ids as text and headers as JSON") {
  TempDir directory;
  const auto file = directory / "data/marram.db";
  TestStore store(options_in(directory));
  store.put({{.topic = "a/b",
              .payload = "21.5",
              .id = "0192f1a4-7e50-7abc-8def-0123456789ab",
              .key = "k",
              .client = "c1",
              .headers = {{"unit", "\"C\""}, {"unit", "K"}},
              .time = WallTime(Duration(1'764'000'000'000'001)),
              .expires = WallTime(Duration(1'764'000'000'000'000))},
             {.topic = "x", .id = "mine"}});

  const auto rows = sql(file,
                        "SELECT log, seq, stream, time, expires, id, topic, key, client, "
                        "headers, payload FROM events ORDER BY position");

  REQUIRE(rows.size() == 2);
  CHECK(rows[0] ==
        "1|1|events|2025-11-24T16:00:00.000001Z|2025-11-24T16:00:00.000000Z|"
        "0192f1a4-7e50-7abc-8def-0123456789ab|a/b|k|c1|"
        "[[\"unit\",\"\\\"C\\\"\"],[\"unit\",\"K\"]]|21.5");
  CHECK(rows[1].find("|mine|x|x|||") != std::string::npos);
  CHECK(sql(file, "SELECT headers ->> '$[0][1]' FROM events LIMIT 1")[0] == "\"C\"");
  CHECK(sql(file, "SELECT origin FROM events LIMIT 1")[0] == store.store->node_id());
  CHECK(sql(file, "SELECT length(recorded) FROM events LIMIT 1")[0] == "27");
}

TEST_CASE("the view `consumers` shows filters, cursors and what is behind them") {
  TempDir directory;
  TestStore store(options_in(directory));
  store.put(10);
  ConsumerRecord record{.name = "c", .filters = {{"b/#", {}}, {"a/#", {}}}, .attributes = "{}"};
  record.created = WallTime(Duration(1'764'000'000'000'000));
  const auto no = store.put_consumer(record).value();
  store.save({{no, 1, 4}});

  const auto rows = sql(directory / "data/marram.db",
                        "SELECT name, filters, created, after_cursor, attributes, "
                        "(SELECT value FROM json_each(cursors)) FROM consumers");

  CHECK(rows == std::vector<std::string>{"c|[\"b/#\",\"a/#\"]|2025-11-24T16:00:00.000000Z|6|{}|4"});
}

TEST_CASE("the file says what it is") {
  TempDir directory;
  const auto file = directory / "data/marram.db";
  {
    TestStore(options_in(directory)).put(1);
  }

  CHECK(sql(file, "PRAGMA application_id")[0] == std::to_string(0x4D41524D));
  CHECK(sql(file, "PRAGMA user_version")[0] == "1");
  CHECK(sql(file, "PRAGMA page_size")[0] == "8192");
  CHECK(sql(file, "PRAGMA journal_mode")[0] == "wal");
}

TEST_SUITE_END();

}  // namespace marram::test
