// A child process of this program: started, fed on stdin, heard on stdout, ended.
//
// Threads: one at a time.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

#include "core/base/result.h"

namespace marram {

class Process {
 public:
  struct Options {
    std::vector<std::string> arguments;  // arguments[0] is the program's path
    std::string stderr_file;             // empty: our own stderr
    bool own_group = false;              // Ctrl-C on a terminal reaches it only through us
  };

  // stdin and stdout are pipes; of our other files the child gets stderr only.
  // Errors: Io
  static Result<Process> start(const Options& options);
  Process(Process&& other) noexcept;
  Process& operator=(Process&& other) noexcept;
  ~Process();  // kills and waits

  pid_t pid() const { return pid_; }
  int stdout_fd() const { return stdout_; }  // does not block
  // Writes all of it, or fails when the child has closed its end.  Errors: Io
  Status write_stdin(std::string_view text);
  void close_stdin();

  // Appends what came on stdout to the lines that were not whole yet, and takes
  // the whole ones.  Does not wait.
  std::vector<std::string> take_lines();
  bool stdout_ended() const { return stdout_ended_; }

  void signal(int number) const;
  // The exit code, or 128 + the signal; empty while it runs.
  std::optional<int> exit_code();
  // Waits for the end.
  int wait();

 private:
  Process(pid_t pid, int in, int out) : pid_(pid), stdin_(in), stdout_(out) {}
  void release();

  pid_t pid_ = -1;
  int stdin_ = -1;
  int stdout_ = -1;
  bool stdout_ended_ = false;
  std::string partial_;
  std::optional<int> exit_code_;
};

// The path of this program's own executable.
std::string own_executable();

// For a child: end with SIGKILL when the thread that started it ends; false when
// the parent is gone already.
bool die_with_parent(pid_t parent);

}  // namespace marram
