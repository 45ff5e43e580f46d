// Streams: named classes of topics with their promises.  First match wins; the
// built-in stream `events` takes the rest.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/clock.h"
#include "core/base/result.h"

namespace marram {

enum class Durability {
  Fsync,   // accepted survives a power cut
  Os,      // accepted survives the process, not the power
  Memory,  // accepted lives in this process only
};
enum class Priority { High, Normal, Low };
enum class OnFull { Reject, DropOldest };

// How long delivered history stays.  Unset: until its space is needed.
struct Retain {
  std::optional<Duration> age;
  std::optional<std::uint64_t> bytes;
};

struct StreamOptions {
  std::string name;
  std::vector<std::string> topics;       // filters
  std::optional<Durability> durability;  // unset: the store's
  Priority priority = Priority::Normal;
  Retain retain;
  std::optional<Duration> ttl;  // also what is still owed goes after this
  OnFull on_full = OnFull::Reject;
};

// "fsync", "os", "memory" and back.  Errors: Invalid
Result<Durability> parse_durability(std::string_view text);
std::string_view name(Durability durability);

// Finds the stream of a topic.  The last stream is always the built-in `events`.
class StreamTable {
 public:
  // Errors: Invalid  a name twice, a bad name or filter; `events` may be given to
  //                  change its options, then without topics
  static Result<StreamTable> make(std::vector<StreamOptions> streams, Durability durability);

  std::size_t find(std::string_view topic) const;                         // index into streams()
  const std::vector<StreamOptions>& streams() const { return streams_; }  // durability is set

 private:
  std::vector<StreamOptions> streams_;
};

}  // namespace marram
