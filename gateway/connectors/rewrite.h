// The pure half of topic rewriting and of finding routes that run in circles;
// route.h has the rules of templates.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "core/base/limits.h"
#include "core/base/result.h"
#include "gateway/connectors/route.h"

namespace marram {

// Errors: Invalid, TooLarge  an unknown placeholder, one in the wrong place, or
//                            no topic could ever come of it
Status check_template(const RouteOptions& route, const Limits& limits);

// What the '#' at the end of `filter`, which matches `topic`, stands for; empty
// when it stands for nothing, or when there is no '#'.
std::optional<std::string_view> rest_of(std::string_view filter, std::string_view topic);

// A filter for all topics that `route` can make of what its `filter` matches.
std::string rewritten_filter(const RouteOptions& route, std::string_view filter);

}  // namespace marram
