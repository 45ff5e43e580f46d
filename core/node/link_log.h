// What the mesh reports, as lines of the log: none more often than is of use.
//
// A link that comes and goes all the time gets a few lines and then one each ten seconds, the
// last of them true and with a count of what was passed over.  What else a peer can bring about
// as often as it likes is one line a minute.  A dial that reaches nobody is a line an hour for each
// address and cause: it may go on for days.  What each kind keeps takes no room of another's: so
// what strangers bring about silences no loss.
//
// Threads: one at a time.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/base/result.h"
#include "core/mesh/values.h"

namespace marram {

class LinkLog {
 public:
  explicit LinkLog(Log& log) : log_(log) {}

  void write(const mesh::Report& report, TimePoint now);
  // A dial ended without a link, and nobody refused one; `why` has the address.
  void write_unreached(const Error& why, TimePoint now);
  // Writes what waits for its time.
  void run(TimePoint now);
  // When run() has something to do.
  std::optional<TimePoint> wake_at() const { return wake_at_; }

 private:
  // Of one peer.
  struct Changes {
    TimePoint free_at{};                // when the next line may be written
    std::optional<mesh::Report> waits;  // the last change
    std::uint64_t passed_over = 0;      // before it
  };
  // Of one matter.
  struct Matter {
    TimePoint free_at{};
    std::uint64_t passed_over = 0;
  };

  void change(const mesh::Report& report, TimePoint now);
  void tell_change(const mesh::Report& report, std::uint64_t passed_over);
  void tell(const mesh::Report& report, TimePoint now);
  using Matters = std::map<std::string, Matter>;
  static std::optional<std::uint64_t> admit(Matters& matters, const std::string& key,
                                            Duration pause, TimePoint now);

  Log& log_;
  std::map<std::string, Changes> changes_;  // by peer
  Matters matters_;
  Matters found_;      // by peer
  Matters unreached_;  // by address and cause
  std::optional<TimePoint> wake_at_;
};

}  // namespace marram
