// What one client may do: topics it may publish on, filters it may subscribe to.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace marram::mqtt {

// Whether every topic that matches valid filter `inner` matches `outer` too.
bool covers(std::string_view outer, std::string_view inner);

// Threads: does not change; read by any.
class Access {
 public:
  // Both lists are filters; an empty one permits nothing.
  Access(std::vector<std::string> publish, std::vector<std::string> subscribe)
      : publish_(std::move(publish)), subscribe_(std::move(subscribe)) {}

  bool may_publish(std::string_view topic) const;
  bool may_subscribe(std::string_view filter) const;

 private:
  std::vector<std::string> publish_;
  std::vector<std::string> subscribe_;
};

using AccessPtr = std::shared_ptr<const Access>;

// For clients that nobody restricts.
AccessPtr everything();

}  // namespace marram::mqtt
