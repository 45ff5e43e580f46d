// What stands on the screen during `marram demo`: sentences that stay, and below
// them how the nodes stand and a row a device, drawn anew in place.
//
// Threads: one at a time.
#pragma once

#include <iosfwd>
#include <string>

#include "core/base/clock.h"
#include "gateway/cli/mesh_scene.h"

namespace marram::cli {

// What is away at the moment.
struct Outages {
  bool link = false;
  bool b = false;
  bool outside = false;
};

class DemoBoard {
 public:
  // Where it is not `live`, a line every two seconds.
  DemoBoard(bool live, std::ostream& out) : live_(live), out_(out) {}

  void say(const std::string& sentence);
  void show(MeshScene& scene, const Outages& outages);
  void clear();

 private:
  std::string elapsed() const;
  void line(const std::string& text);
  void draw(MeshScene& scene, const Outages& outages);

  bool live_;
  std::ostream& out_;
  TimePoint start_ = Clock::system().now();
  TimePoint next_{};
  int lines_ = 0;
};

}  // namespace marram::cli
