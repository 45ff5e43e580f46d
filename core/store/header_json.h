// An event's headers as the database keeps them: a JSON array of pairs, so that
// SQL can read them; in memory they are packed (core/event/headers.h).
#pragma once

#include <string>
#include <string_view>

namespace marram::store {

// Appends [["name","value"],...].  Bytes that are no UTF-8 pass through.
void append_header_json(std::string& out, std::string_view packed);

// Appends the packed form of what append_header_json() wrote.  False at other
// text; what was read until then has been appended.
bool append_packed_headers(std::string& out, std::string_view json);

}  // namespace marram::store
