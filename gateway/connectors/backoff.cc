#include "gateway/connectors/backoff.h"

#include <algorithm>

namespace marram {

Duration Backoff::next(std::uint32_t random) {
  const Duration half = step_ / 2;
  const Duration wait = half + Duration(half.count() * random / UINT32_MAX);
  step_ = std::min(step_ * 2, most_);
  return std::max(wait, least_ / 2);
}

}  // namespace marram
