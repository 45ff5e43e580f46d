// The count of what devices sent and what became of it.  Pure.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace marram::cli {

struct DeviceTally {
  std::uint64_t sent = 0;  // highest number published at least once
  std::uint64_t acknowledged = 0;
  std::uint64_t delivered = 0;  // different readings that arrived outside
};

struct Sum {
  std::uint64_t sent = 0;
  std::uint64_t acknowledged = 0;
  std::uint64_t delivered = 0;     // different readings
  std::uint64_t lost = 0;          // acknowledged, and not delivered
  std::uint64_t duplicated = 0;    // deliveries of what had been delivered
  std::uint64_t out_of_order = 0;  // first deliveries behind a later one of the same device
};

// Readings are numbered from 1 for each device.
class Tally {
 public:
  // A line that a device or the collector printed (mqtt_device.h); others are ignored.
  void on_line(std::string_view device, std::string_view line);

  Sum sum() const;
  std::map<std::string, DeviceTally> devices() const;

 private:
  struct Device {
    std::uint64_t sent = 0;
    std::uint64_t acknowledged = 0;
    std::uint64_t delivered = 0;
    std::uint64_t highest_delivered = 0;
    std::vector<std::uint8_t> states;  // by number - 1: kAcknowledged, kDelivered
  };

  std::uint8_t& state(Device& device, std::uint64_t number);
  void on_sent(Device& device, std::string_view rest);
  void on_got(std::string_view rest);

  std::map<std::string, Device, std::less<>> devices_;
  std::uint64_t duplicated_ = 0;
  std::uint64_t out_of_order_ = 0;
};

}  // namespace marram::cli
