#include "core/wire/beacon.h"

#include <fmt/format.h>

#include "core/wire/elements.h"
#include "core/wire/link_frames.h"
#include "core/wire/writer.h"

namespace marram::wire {

namespace {

constexpr std::size_t kElements = 5;

}  // namespace

std::string encode_beacon(const Beacon& beacon) {
  Writer out(64);
  out.array(kElements).text(kMagic).number(kBeaconVersion);
  return out.text(beacon.key).number(beacon.port).flag(beacon.asks).take();
}

Result<std::optional<Beacon>> decode_beacon(std::string_view datagram) {
  if (datagram.size() > kBeaconBytesMax) {
    return fail(Errc::TooLarge, fmt::format("wire: a beacon has {} bytes, over {}", datagram.size(),
                                            kBeaconBytesMax));
  }
  Tape tape;
  if (auto status = tape.load(datagram); !status) return tl::unexpected(status.error());
  Reader in(tape);
  const Reader::Array array = in.array("beacon", 2, kElementsMax);
  if (in.text("magic") != kMagic) in.refuse("magic", "is not \"marram\"");
  const std::uint64_t version = in.number("version");
  if (in.ok() && version != kBeaconVersion) return std::optional<Beacon>();
  if (in.ok() && array.count < kElements) in.refuse("beacon", "is too short");
  Beacon beacon;
  beacon.key = in.text("key");
  beacon.port = static_cast<std::uint16_t>(in.number("port", UINT16_MAX));
  beacon.asks = in.flag("asks");
  if (beacon.key.size() != kKeyBytes) {
    in.refuse("key", fmt::format("has {} bytes, not {}", beacon.key.size(), kKeyBytes));
  }
  if (beacon.port == 0) in.refuse("port", "is 0");
  if (!in.ok()) return fail(Errc::Protocol, "wire: in a beacon: " + in.error());
  return std::optional<Beacon>(std::move(beacon));
}

}  // namespace marram::wire
