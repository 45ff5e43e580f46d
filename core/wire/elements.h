// What frames of clients and of links are both made of, written and read the same.
//
// For core/wire's own sources.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "core/event/event.h"
#include "core/wire/frames.h"
#include "core/wire/tape.h"

namespace marram::wire {

class Writer;

// Of a frame, or an array in it: later versions may append some.
inline constexpr std::size_t kElementsMax = 1024;

// An event from its topic on.  How many fields to write: those at the end that are empty
// stay out.
std::size_t fields_of(const EventView& event);
void write_fields(Writer& out, const EventView& event, std::size_t fields);
// `count` of them are there.  The event's views point into the frame.
void read_fields(Reader& in, EventView& event, std::size_t count);

WallTime read_time(Reader& in, const char* what);
Duration read_duration(Reader& in, const char* what);
std::vector<std::string> read_texts(Reader& in, const char* what, std::size_t most);

// Empty text is no error.  A code that this build does not know is read as Refused.
std::optional<Error> read_error(Reader& in);
Error read_reason(Reader& in);  // where there must be one

Hello read_hello(Reader& in);

}  // namespace marram::wire
