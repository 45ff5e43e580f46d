// An event as `marram sub` prints it.
#pragma once

#include <string>
#include <string_view>

#include "core/event/event.h"

namespace marram::cli {

// One line of JSON with every attribute that is set.  A payload that is UTF-8 text
// is in "payload", another one as base64 in "payload_base64".  `log` names the log.
std::string event_json(const EventView& event, std::string_view log, std::uint32_t attempt);

// "topic payload".  On a terminal, control characters are shown as \x1b.
std::string event_line(const EventView& event, bool terminal);

std::string base64(std::string_view bytes);

}  // namespace marram::cli
