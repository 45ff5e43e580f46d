// Any bytes are a beacon, or refused; what is accepted reads the same again.
#include <cstddef>
#include <cstdint>

#include "core/base/assert.h"
#include "core/wire/beacon.h"

using namespace marram;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto beacon = wire::decode_beacon({reinterpret_cast<const char*>(data), size});
  if (!beacon || !*beacon) return 0;
  const std::string bytes = wire::encode_beacon(**beacon);
  const auto again = wire::decode_beacon(bytes);
  MARRAM_ASSERT(again.has_value() && again->has_value(), "what was decoded is decoded again");
  MARRAM_ASSERT(wire::encode_beacon(**again) == bytes, "a beacon has one form");
  return 0;
}
