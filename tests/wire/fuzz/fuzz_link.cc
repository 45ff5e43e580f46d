// Any bytes are a frame of a link, or refused; what is accepted reads the same again, and
// takes as much of the window.
#include <cstddef>
#include <cstdint>

#include "core/base/assert.h"
#include "core/wire/link_codec.h"

using namespace marram;

namespace {

void check_packed(wire::LinkDecoder& decoder, std::string_view input) {
  EventBatch batch;
  if (!decoder.unpack_event(input, batch)) {
    MARRAM_ASSERT(batch.empty(), "a refused event leaves the batch as it was");
    return;
  }
  const std::string packed = wire::pack_event(batch.events().front());
  EventBatch again;
  MARRAM_ASSERT(decoder.unpack_event(packed, again).has_value(), "a packed event is unpacked");
  MARRAM_ASSERT(wire::pack_event(again.events().front()) == packed, "an event has one form");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static wire::LinkDecoder decoder{Limits{}};
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  check_packed(decoder, input);
  const auto frame = decoder.decode(input);
  if (!frame || std::holds_alternative<wire::Unknown>(*frame)) return 0;
  const std::string bytes = wire::encode_link(*frame);
  const auto again = decoder.decode(bytes);
  MARRAM_ASSERT(again.has_value(), "what was decoded can be encoded and decoded again");
  MARRAM_ASSERT(wire::encode_link(*again) == bytes, "a frame has one form");
  MARRAM_ASSERT(wire::credit_bytes(*again) == wire::credit_bytes(*frame), "so has its credit");
  return 0;
}
