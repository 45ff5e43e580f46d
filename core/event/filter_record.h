// A filter with the moment from which it counts: it matches what is recorded
// after `after`.
#pragma once

#include <string>

#include "core/base/clock.h"

namespace marram {

struct FilterRecord {
  std::string filter;
  WallTime after{};
  bool operator==(const FilterRecord&) const = default;
};

}  // namespace marram
