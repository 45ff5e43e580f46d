// Bytes to frames.
//
// Everything is checked that the protocol says about a frame: its shape, its
// numbers, its counts.  Whether an event, a filter or a name keeps the rules for
// events, filters and names is for whoever takes the frame (check_event() and
// others), since it is the sender who must hear of that, and its session stays.
//
// Threads: one Decoder per thread; it is kept, so that its memory is used again.
#pragma once

#include <string_view>

#include "core/base/ids.h"
#include "core/base/limits.h"
#include "core/base/result.h"
#include "core/wire/frames.h"
#include "core/wire/tape.h"

namespace marram::wire {

// What a published event gets that comes without it.
struct Defaults {
  WallTime now{};
  std::string_view client;
};

class Decoder {
 public:
  explicit Decoder(const Limits& limits) : limits_(limits) {}

  // Errors: TooLarge  over limits.frame_bytes_max
  //         Protocol  no frame of this protocol; the session cannot go on
  Result<Frame> decode(std::string_view bytes, const Defaults& defaults);

 private:
  Frame read_frame(Reader& in, std::uint64_t verb, const Defaults& defaults);

  Limits limits_;
  Tape tape_;
  UuidMaker ids_;
};

}  // namespace marram::wire
