// Frames of a link to bytes, and back.
//
// As encode.h and decode.h: what is encoded is not checked; of what is decoded the shape,
// the numbers and the counts are, and whether events, filters and names keep their rules
// is for whoever takes the frame.
//
// Threads: free functions without state; one LinkDecoder per thread.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/limits.h"
#include "core/base/result.h"
#include "core/wire/link_frames.h"
#include "core/wire/tape.h"

namespace marram::wire {

// Any frame; a Data's batch as a whole.  Unknown is not encoded.  An event id over
// kIdBytesMax is left out of HAVE and WANT; a want begins at a seq that there can be.
std::string encode_link(const LinkFrame& frame);

// DATA of events[indices[i]] (no indices: of all), straight from a shared batch.
std::string encode_data(std::uint64_t want, std::uint64_t after, std::uint64_t upto,
                        std::span<const EventView> events, std::span<const std::uint32_t> indices);

// Whether these filters fit into a WANT, with room to spare; else it asks for all.
bool filters_fit(const std::vector<std::string>& filters);

// One event as DATA has it: [seq, recorded, topic, payload, id, time, ...].
std::string pack_event(const EventView& event);

// What pack_event() makes of an event within `limits`, at most: what a node says in HELLO,
// and what its LinkDecoder takes as `total` of a PART.
std::uint64_t event_bytes_max(const Limits& limits);

// What they take of the window, see link_frames.h.
std::uint64_t credit_bytes(const EventView& event);
std::uint64_t credit_bytes(const LinkFrame& frame);

class LinkDecoder {
 public:
  explicit LinkDecoder(const Limits& limits) : limits_(limits) {}

  // Errors: TooLarge  over kLinkFrameBytesMax
  //         Protocol  no frame of a link; the session cannot go on
  Result<LinkFrame> decode(std::string_view bytes);

  // Appends what pack_event() made to `batch`.  Errors: Protocol
  Status unpack_event(std::string_view bytes, EventBatch& batch);

 private:
  LinkFrame read_frame(Reader& in, std::uint64_t verb);

  Limits limits_;
  Tape tape_;
  UuidMaker ids_;
};

}  // namespace marram::wire
