// Any bytes are a frame, or refused; what is accepted reads the same again.
#include <cstddef>
#include <cstdint>

#include "core/base/assert.h"
#include "core/wire/decode.h"
#include "core/wire/encode.h"

using namespace marram;

namespace {

std::string encode_again(const wire::Frame& frame) {
  return std::visit(
      [](const auto& one) -> std::string {
        using Kind = std::decay_t<decltype(one)>;
        if constexpr (std::is_same_v<Kind, wire::Publish>) {
          return wire::encode_publish(one.number, one.batch->events());
        } else if constexpr (requires { wire::encode(one); }) {
          return wire::encode(one);
        } else {
          return {};
        }
      },
      frame);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static wire::Decoder decoder{Limits{}};
  const wire::Defaults defaults{WallTime(Duration(1)), "fuzz"};
  const auto frame = decoder.decode({reinterpret_cast<const char*>(data), size}, defaults);
  if (!frame) return 0;
  const std::string bytes = encode_again(*frame);
  if (bytes.empty()) return 0;
  const auto again = decoder.decode(bytes, defaults);
  MARRAM_ASSERT(again.has_value(), "what was decoded can be encoded and decoded again");
  MARRAM_ASSERT(encode_again(*again) == bytes, "a frame has one form");
  return 0;
}
