// What Paho C++ can publish by itself: QoS 1, 256 bytes, a window of messages, each with
// the user properties that a route gives an event (CloudEvents, and who has passed it on).
//
//     marram_paho_limit PORT COUNT WINDOW
//
// Prints the messages acknowledged a second.
#include <fmt/format.h>
#include <mqtt/async_client.h>

#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <mutex>
#include <string>

namespace {

class Window : public mqtt::iaction_listener {
 public:
  explicit Window(int size) : free_(size) {}

  void take() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return free_ > 0; });
    --free_;
  }
  void wait_for_all(int size) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return free_ == size; });
  }
  void on_success(const mqtt::token&) override { give(); }
  void on_failure(const mqtt::token&) override { give(); }

 private:
  void give() {
    const std::lock_guard lock(mutex_);
    ++free_;
    changed_.notify_one();
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  int free_;
};

mqtt::message_ptr make_message(const std::string& payload) {
  constexpr auto kUser = mqtt::property::USER_PROPERTY;
  auto message = mqtt::make_message("paho/limit", payload, 1, false);
  message->set_properties({{kUser, "id", "019ab5b2-1f0e-7c41-9d8e-0123456789ab"},
                           {kUser, "time", "2026-01-01T00:00:00.000000Z"},
                           {kUser, "specversion", "1.0"},
                           {kUser, "type", "io.marram.event"},
                           {kUser, "source", "//marram/bench/load-1"},
                           {kUser, "marram-passed", "0123456789abcdef0123456789abcdef"}});
  return message;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) {
    fmt::print(stderr, "usage: marram_paho_limit PORT COUNT WINDOW\n");
    return 64;
  }
  const int count = std::atoi(argv[2]);
  const int size = std::atoi(argv[3]);
  mqtt::async_client client(fmt::format("tcp://127.0.0.1:{}", argv[1]), "paho-limit",
                            mqtt::create_options(MQTTVERSION_5));
  mqtt::connect_options options;
  options.set_mqtt_version(MQTTVERSION_5);
  options.set_clean_start(true);
  client.connect(options)->wait();

  Window window(size);
  const std::string payload(256, 'x');
  const auto start = std::chrono::steady_clock::now();
  for (int i = 0; i < count; ++i) {
    window.take();
    client.publish(make_message(payload), nullptr, window);
  }
  window.wait_for_all(size);
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
  client.disconnect()->wait();
  fmt::print("{:.0f}\n", count / took.count());
  return 0;
}
