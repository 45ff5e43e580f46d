// A node inside a program: open it, publish, and read what was published with a
// consumer that goes on where it was when the program is started again.
//
//     ./marram_example_node data
#include <cstdio>
#include <string>

#include "core/node/node.h"

namespace {

int fail(const char* what, const marram::Error& error) {
  std::fprintf(stderr, "%s: %s\n", what, error.message.c_str());
  return 1;
}

// Publishes three readings; each is on disk when publish() returns.
marram::Status publish_readings(marram::Node& node) {
  for (const char* reading : {"21.5", "21.7", "22.0"}) {
    const auto receipt = node.publish({.topic = "plant/1/temp",
                                       .payload = reading,
                                       .content_type = "text/plain",
                                       .headers = {{"unit", "C"}}});
    if (!receipt) return tl::unexpected(receipt.error());
    std::printf("stored %s as %s\n", reading, receipt->id.c_str());
  }
  return {};
}

// Reads what the consumer "billing" has not acknowledged yet.
marram::Status read_billing(marram::Node& node) {
  auto billing = node.subscribe({.filters = {"plant/+/temp"}, .name = "billing"});
  if (!billing) return tl::unexpected(billing.error());
  for (;;) {
    const auto events = (*billing)->fetch(100, std::chrono::milliseconds(500));
    if (!events) return tl::unexpected(events.error());
    if (events->empty()) return {};  // nothing more for half a second
    for (const marram::Delivery& delivery : *events) {
      std::printf("billing got %s on %s, attempt %u\n",
                  std::string(delivery.event->payload).c_str(),
                  std::string(delivery.event->topic).c_str(), delivery.attempt);
      (*billing)->ack(delivery.event->position);
    }
  }
}

}  // namespace

int main(int argc, char** argv) {
  auto node = marram::Node::open({.name = "example", .data_dir = argc > 1 ? argv[1] : "data"});
  if (!node) return fail("open", node.error());
  if (auto status = publish_readings(**node); !status) return fail("publish", status.error());
  if (auto status = read_billing(**node); !status) return fail("read", status.error());
  return 0;
}
