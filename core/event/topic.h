// Topics and filters: the syntax and matching of MQTT 5.0, section 4.7.
//
// A topic is levels separated by '/'; a filter may have '+' for one level and,
// as its last level, '#' for all that follow, the parent included.  A filter
// that begins with a wildcard does not match a topic that begins with '$'.
#pragma once

#include <string_view>

#include "core/base/limits.h"
#include "core/base/result.h"

namespace marram {

// Well-formed UTF-8 without U+0000, control characters and wildcards, not empty,
// within limits.topic_bytes_max and topic_levels_max.
//
// Errors: Invalid, TooLarge  the message says what and where
Status check_topic(std::string_view topic, const Limits& limits);

// As check_topic, with wildcards in their places.  Errors: Invalid, TooLarge
Status check_filter(std::string_view filter, const Limits& limits);

// A name of a consumer, route, stream, client or user: UTF-8 without control
// characters, '/', '+', '#', not empty, within limits.name_bytes_max.
// `what` begins the message.  Errors: Invalid, TooLarge
Status check_name(std::string_view what, std::string_view name, const Limits& limits);

// Whether valid `filter` matches valid `topic`, level by level.
bool matches(std::string_view filter, std::string_view topic);

// Whether some topic matches both valid filters; rather yes than no where '$' is in play.
bool overlaps(std::string_view a, std::string_view b);

// Whether valid `wide` matches every topic that valid `narrow` matches.
bool covers(std::string_view wide, std::string_view narrow);

}  // namespace marram
