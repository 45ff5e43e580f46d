// The outcome of what can fail for reasons that one must expect.
//
// Errc has one value per kind of failure for the whole product; docs/errors.md
// says of each what it means, what is lost and what to do.  The message names
// the place, what failed, the cause and, in parentheses, what to do:
//
//     store: cannot open /var/lib/marram/marram.db: in use by process 812 (stop it first)
#pragma once

#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <utility>

namespace marram {

enum class Errc {
  Invalid,      // the caller's input breaks a rule; nothing was done
  TooLarge,     // over a limit; the message names the limit and its config key
  NotFound,     // no such stream, consumer, route or event
  Exists,       // the name is taken by something of another kind
  Busy,         // in use by another owner or member
  Full,         // the store refuses new events until space is free
  Overloaded,   // too much is waiting already; try again
  TimedOut,     // no answer in time; the outcome is unknown
  Closed,       // the node, client or subscription has been closed
  Unreachable,  // the other side cannot be reached
  Refused,      // the other side, or a rule of access, said no
  Protocol,     // bytes that break the protocol; the connection is given up
  Io,           // the operating system or the disk failed
  Corrupt,      // stored data cannot be read back
  Version,      // a file, frame or peer of a version this build does not speak
  Config,       // the configuration is wrong; the message has file:line:column
  Unsupported,  // a part of a protocol that this build does not offer
  Forked,       // used in a child after fork(); open a new one there
};

// The stable text of a code, as docs/errors.md and Python name it: "too_large".
std::string_view name(Errc code);

struct Error {
  Errc code;
  std::string message;
};

template <class T>
using Result = tl::expected<T, Error>;
using Status = Result<void>;

inline tl::unexpected<Error> fail(Errc code, std::string message) {
  return tl::unexpected<Error>(Error{code, std::move(message)});
}

}  // namespace marram
