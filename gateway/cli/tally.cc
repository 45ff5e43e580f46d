#include "gateway/cli/tally.h"

#include <algorithm>
#include <charconv>
#include <optional>

namespace marram::cli {

namespace {

constexpr std::uint8_t kAcknowledged = 1;
constexpr std::uint8_t kDelivered = 2;
constexpr std::uint64_t kNumberMax = 100'000'000;

std::string_view take_word(std::string_view& rest) {
  const std::size_t space = rest.find(' ');
  const std::string_view word = rest.substr(0, space);
  rest = space == std::string_view::npos ? std::string_view() : rest.substr(space + 1);
  return word;
}

std::optional<std::uint64_t> take_number(std::string_view& rest) {
  const std::string_view word = take_word(rest);
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), number);
  if (error != std::errc() || end != word.data() + word.size()) return {};
  if (number == 0 || number > kNumberMax) return {};
  return number;
}

}  // namespace

void Tally::on_line(std::string_view device, std::string_view line) {
  const std::string_view verb = take_word(line);
  if (verb == "sent") on_sent(devices_[std::string(device)], line);
  if (verb == "got") on_got(line);
}

std::uint8_t& Tally::state(Device& device, std::uint64_t number) {
  if (device.states.size() < number) device.states.resize(number);
  return device.states[number - 1];
}

void Tally::on_sent(Device& device, std::string_view rest) {
  if (const auto sent = take_number(rest)) device.sent = std::max(device.sent, *sent);
  take_word(rest);  // "acked"
  while (const auto number = take_number(rest)) {
    std::uint8_t& known = state(device, *number);
    if ((known & kAcknowledged) == 0) ++device.acknowledged;
    known |= kAcknowledged;
  }
}

void Tally::on_got(std::string_view rest) {
  const std::string_view name = take_word(rest);
  const auto number = take_number(rest);
  if (!number) return;
  Device& device = devices_[std::string(name)];
  std::uint8_t& known = state(device, *number);
  if ((known & kDelivered) != 0) {
    ++duplicated_;
    return;
  }
  known |= kDelivered;
  ++device.delivered;
  if (*number < device.highest_delivered) ++out_of_order_;
  device.highest_delivered = std::max(device.highest_delivered, *number);
}

std::map<std::string, DeviceTally> Tally::devices() const {
  std::map<std::string, DeviceTally> out;
  for (const auto& [name, device] : devices_) {
    out[name] = {device.sent, device.acknowledged, device.delivered};
  }
  return out;
}

Sum Tally::sum() const {
  Sum sum{.duplicated = duplicated_, .out_of_order = out_of_order_};
  for (const auto& [name, device] : devices_) {
    sum.sent += std::max<std::uint64_t>(device.sent, device.acknowledged);
    sum.acknowledged += device.acknowledged;
    sum.delivered += device.delivered;
    sum.lost += static_cast<std::uint64_t>(
        std::count(device.states.begin(), device.states.end(), kAcknowledged));
  }
  return sum;
}

}  // namespace marram::cli
