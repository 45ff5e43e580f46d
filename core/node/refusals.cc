#include "core/node/refusals.h"

namespace marram {

namespace {

constexpr std::size_t kToldMax = 1024;
constexpr Duration kLogPause = std::chrono::seconds(1);
constexpr int kBurst = 8;  // lines that may come together

}  // namespace

void Refusals::add(const std::string& reason, const std::string& who, const std::string& message,
                   TimePoint now) {
  ++counts_[reason];
  if (told_.contains({reason, who})) return;
  // A bucket of kBurst lines, which fills by one each kLogPause.
  log_at_ = std::max(log_at_, now - kBurst * kLogPause);
  if (log_at_ > now) {
    ++untold_;
    return;
  }
  log_at_ += kLogPause;
  if (told_.size() >= kToldMax) told_.clear();
  told_.emplace(reason, who);
  log_.warn(
      "mesh", message,
      {{"reason", reason}, {"refusals_not_logged", std::to_string(std::exchange(untold_, 0))}});
}

}  // namespace marram
