#include "core/base/ids.h"

#include <fmt/format.h>
#include <pthread.h>
#include <sys/random.h>

#include <algorithm>
#include <atomic>
#include <bit>
#include <vector>

#include "core/base/assert.h"

namespace marram {

namespace {

std::atomic<std::uint64_t> fork_count{0};

bool watch_forks() {
  return ::pthread_atfork(nullptr, nullptr, [] { fork_count.fetch_add(1); }) == 0;
}

void fill_random(void* out, std::size_t bytes) {
  const auto got = ::getrandom(out, bytes, 0);
  MARRAM_ASSERT(got == static_cast<ssize_t>(bytes),
                "the kernel gives up to 256 random bytes whole");
}

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return -1;
}

}  // namespace

std::uint64_t fork_generation() {
  static const bool watching = watch_forks();
  MARRAM_ASSERT(watching, "a fork handler can be registered");
  return fork_count.load(std::memory_order_relaxed);
}

std::string Uuid::text() const {
  // Of every event that is published: built in place, once.
  char out[36];
  char* at = out;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) *at++ = '-';
    *at++ = "0123456789abcdef"[bytes[i] >> 4];
    *at++ = "0123456789abcdef"[bytes[i] & 15];
  }
  return std::string(out, sizeof out);
}

std::optional<Uuid> Uuid::parse(std::string_view text) {
  if (text.size() != 36) return {};
  Uuid uuid;
  std::size_t at = 0;
  for (std::size_t i = 0; i < uuid.bytes.size(); ++i) {
    if ((i == 4 || i == 6 || i == 8 || i == 10) && text[at++] != '-') return {};
    const int high = hex_value(text[at++]);
    const int low = hex_value(text[at++]);
    if (high < 0 || low < 0) return {};
    uuid.bytes[i] = static_cast<std::uint8_t>(high << 4 | low);
  }
  return uuid;
}

UuidMaker::UuidMaker() : generation_(fork_generation()) { reseed(); }

void UuidMaker::reseed() { fill_random(state_, sizeof state_); }

Uuid UuidMaker::make(WallTime now) {
  if (const auto generation = fork_generation(); generation != generation_) {
    generation_ = generation;
    reseed();
  }
  // A clock before 1970 is one that goes back.
  const auto millis =
      static_cast<std::uint64_t>(std::max<std::int64_t>(now.time_since_epoch().count() / 1000, 0));
  // RFC 9562, section 6.2, method 1: within a millisecond, or when the clock
  // goes back, a 12-bit counter grows and carries into the time.
  if (millis > last_millis_) {
    last_millis_ = millis;
    counter_ = 0;
  } else if (++counter_ > 0xFFF) {
    ++last_millis_;
    counter_ = 0;
  }
  const std::uint64_t random = std::rotl(state_[0] + state_[1], 17) + state_[0];
  const std::uint64_t mixed = state_[1] ^ state_[0];
  state_[0] = std::rotl(state_[0], 49) ^ mixed ^ (mixed << 21);
  state_[1] = std::rotl(mixed, 28);

  Uuid uuid;
  for (std::size_t i = 0; i < 6; ++i) {
    uuid.bytes[i] = static_cast<std::uint8_t>(last_millis_ >> (40 - 8 * i));
  }
  uuid.bytes[6] = static_cast<std::uint8_t>(0x70 | (counter_ >> 8));
  uuid.bytes[7] = static_cast<std::uint8_t>(counter_);
  for (std::size_t i = 0; i < 8; ++i) {
    uuid.bytes[8 + i] = static_cast<std::uint8_t>(random >> (56 - 8 * i));
  }
  uuid.bytes[8] = static_cast<std::uint8_t>(0x80 | (uuid.bytes[8] & 0x3F));
  return uuid;
}

std::string random_hex(std::size_t bytes) {
  std::vector<std::uint8_t> raw(bytes);
  fill_random(raw.data(), raw.size());
  std::string out;
  for (const std::uint8_t byte : raw) out += fmt::format("{:02x}", byte);
  return out;
}

}  // namespace marram
