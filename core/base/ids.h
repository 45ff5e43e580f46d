// Identifiers: UUIDv7 (RFC 9562, section 5.7) for events, random node ids.
#pragma once

#include <array>
#include <bit>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/base/clock.h"

namespace marram {

struct Uuid {
  std::array<std::uint8_t, 16> bytes{};

  // Asked of every event several times: two words, where == would be a call.
  bool is_nil() const {
    const auto words = std::bit_cast<std::array<std::uint64_t, 2>>(bytes);
    return (words[0] | words[1]) == 0;
  }
  std::string text() const;  // "0192f1a4-…", lower case
  // Empty unless `text` is the canonical lower-case form.
  static std::optional<Uuid> parse(std::string_view text);

  auto operator<=>(const Uuid&) const = default;
};

// Makes UUIDv7 that grow: by milliseconds, then by a counter within one.
//
// Threads: one object per thread.  After a fork() the child's ids differ from
// the parent's.
class UuidMaker {
 public:
  UuidMaker();
  Uuid make(WallTime now);

 private:
  void reseed();

  std::uint64_t state_[2];  // xoroshiro128++
  std::uint64_t last_millis_ = 0;
  std::uint32_t counter_ = 0;
  std::uint64_t generation_ = 0;  // of fork(); another one reseeds
};

// `bytes` bytes from the operating system, as lower-case hexadecimal.
std::string random_hex(std::size_t bytes);

// How often fork() has happened on the way to this process.
std::uint64_t fork_generation();

}  // namespace marram
