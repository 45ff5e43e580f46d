#include "tests/store/store_fixture.h"

#include "core/store/sqlite.h"

namespace marram::test {

Published TestStore::submit(const std::vector<Event>& events) {
  auto batch = std::make_unique<EventBatch>();
  const WallTime now = Clock::system().wall();
  for (const Event& event : events) batch->add(event, *pack_headers(event.headers), now, ids_);
  auto inbox = std::make_shared<Inbox>();
  const auto taken = store->submit(std::move(batch), inbox, 7);
  MARRAM_ASSERT(taken.has_value(), "the store takes a batch");
  std::vector<Notice> notices;
  while (!inbox->take(notices)) {
    MARRAM_ASSERT(inbox->wait(std::chrono::seconds(30)), "the store answers a submit");
  }
  return std::get<Published>(notices.front());
}

std::vector<Position> TestStore::put(const std::vector<Event>& events) {
  const Published answer = submit(events);
  MARRAM_ASSERT(answer.results.empty(), "the store takes all events");
  std::vector<Position> positions;
  for (const EventView& event : answer.batch->events()) positions.push_back(event.position);
  return positions;
}

std::vector<Position> TestStore::put(std::size_t count, const std::string& topic,
                                     std::size_t payload_bytes) {
  const Event event{.topic = topic, .payload = std::string(payload_bytes, 'x')};
  return put(std::vector<Event>(count, event));
}

Result<std::uint32_t> TestStore::put_consumer(ConsumerRecord record) {
  Answer<Result<std::uint32_t>> answer;
  store->put_consumer(std::move(record), answer.taker());
  return answer.wait();
}

Status TestStore::remove_consumer(std::uint32_t no) {
  Answer<Status> answer;
  store->remove_consumer(no, answer.taker());
  return answer.wait();
}

Result<ReadResult> TestStore::read(Store::ReadRequest request) {
  Answer<Result<ReadResult>> answer;
  store->read(std::move(request), answer.taker());
  return answer.wait();
}

Result<std::uint64_t> TestStore::find_time(std::uint32_t log, WallTime time) {
  Answer<Result<std::uint64_t>> answer;
  store->find_time(log, time, answer.taker());
  return answer.wait();
}

std::vector<std::string> sql(const std::filesystem::path& file, const std::string& statement) {
  auto connection = store::Connection::open(file, store::Access::ReadWrite, "");
  MARRAM_ASSERT(connection.has_value(), "the file can be opened");
  auto select = store::Statement::prepare(*connection, statement);
  MARRAM_ASSERT(select.has_value(), "the statement is right");
  std::vector<std::string> rows;
  while (select->step().value()) {
    std::string row;
    for (int i = 0; i < select->columns(); ++i) {
      row += i == 0 ? "" : "|";
      row += select->text(i);
    }
    rows.push_back(row);
  }
  return rows;
}

}  // namespace marram::test
