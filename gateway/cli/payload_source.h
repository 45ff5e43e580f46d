// Where `marram pub` takes payloads from, one after the other.
//
// Threads: one.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "core/base/result.h"

namespace marram::cli {

class PayloadSource {
 public:
  virtual ~PayloadSource() = default;
  // The next payload.  Empty: none at the moment, or none ever (ended()).
  //
  // Errors: Io, TooLarge  nothing more can be had
  virtual Result<std::optional<std::string>> next() = 0;
  virtual bool ended() const = 0;
  // Readable when next() may have something; -1: it always has, until the end.
  virtual int fd() const = 0;
};

// One payload, so many times.
class RepeatedPayload : public PayloadSource {
 public:
  RepeatedPayload(std::string payload, std::uint64_t times)
      : payload_(std::move(payload)), left_(times) {}

  Result<std::optional<std::string>> next() override;
  bool ended() const override { return left_ == 0; }
  int fd() const override { return -1; }

 private:
  std::string payload_;
  std::uint64_t left_;
};

// The lines of a file descriptor, without their ends.  A last line without an end counts.
class LinePayloads : public PayloadSource {
 public:
  // `fd` stays its owner's; it need not be non-blocking.
  LinePayloads(int fd, std::size_t line_bytes_max) : fd_(fd), line_bytes_max_(line_bytes_max) {}

  Result<std::optional<std::string>> next() override;
  bool ended() const override { return closed_ && at_ == buffer_.size(); }
  int fd() const override { return fd_; }

 private:
  Status read_more();
  std::optional<std::string> take_line();

  int fd_;
  std::size_t line_bytes_max_;
  std::string buffer_;
  std::size_t at_ = 0;        // what is before it has been taken
  std::size_t searched_ = 0;  // no line end before it
  bool skipping_ = false;     // the rest of a line that was too long
  bool closed_ = false;
};

}  // namespace marram::cli
