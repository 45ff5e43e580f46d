// The datagram by which nodes of one LAN find each other; docs/wire.md, section 9.
//
// It proves nothing: anybody can send one, with any key.
//
// Threads: free functions without state.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/base/result.h"

namespace marram::wire {

inline constexpr std::uint64_t kBeaconVersion = 1;
inline constexpr std::size_t kBeaconBytesMax = 512;

struct Beacon {
  std::string key;         // of the sender, as it says: Z85
  std::uint16_t port = 0;  // where it takes links, at the address that the datagram came from
  bool asks = false;       // whoever trusts the key is to say soon where he is
};

std::string encode_beacon(const Beacon& beacon);

// Empty: of a version that this build does not know; to be passed over.
//
// Errors: TooLarge  over kBeaconBytesMax
//         Protocol  no beacon
Result<std::optional<Beacon>> decode_beacon(std::string_view datagram);

}  // namespace marram::wire
