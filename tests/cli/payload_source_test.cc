#include "gateway/cli/payload_source.h"

#include <doctest/doctest.h>
#include <unistd.h>

#include <string>
#include <vector>

namespace marram::cli {

namespace {

class Pipe {
 public:
  Pipe() { REQUIRE(::pipe(ends_) == 0); }
  ~Pipe() {
    ::close(ends_[0]);
    close_writer();
  }
  void write(const std::string& text) const {
    REQUIRE(::write(ends_[1], text.data(), text.size()) == static_cast<ssize_t>(text.size()));
  }
  void close_writer() {
    if (ends_[1] >= 0) ::close(ends_[1]);
    ends_[1] = -1;
  }
  int reader() const { return ends_[0]; }

 private:
  int ends_[2];
};

// What is there now.
std::vector<std::string> take(PayloadSource& source) {
  std::vector<std::string> lines;
  while (auto line = source.next().value()) lines.push_back(*line);
  return lines;
}

using Lines = std::vector<std::string>;

}  // namespace

TEST_SUITE_BEGIN("cli/payload_source");

TEST_CASE("lines come whole, whatever the pieces they are written in") {
  Pipe pipe;
  LinePayloads source(pipe.reader(), 100);

  CHECK(take(source).empty());
  CHECK_FALSE(source.ended());
  pipe.write("one\ntw");
  CHECK(take(source) == Lines{"one"});
  pipe.write("o\r\n\nthree");
  CHECK(take(source) == Lines{"two", ""});
  CHECK_FALSE(source.ended());
  pipe.close_writer();
  CHECK(take(source) == Lines{"three"});
  CHECK(source.ended());
}

TEST_CASE("of a line that is too long only the beginning comes") {
  Pipe pipe;
  LinePayloads source(pipe.reader(), 4);

  pipe.write("abcdefgh");
  const Lines first = take(source);
  pipe.write("ijkl\nnext\n");
  const Lines second = take(source);

  REQUIRE(first.size() == 1);
  CHECK(first[0].size() > 4);
  CHECK(second == Lines{"next"});
}

TEST_CASE("a payload is repeated as often as asked") {
  RepeatedPayload source("x", 3);

  CHECK(take(source) == Lines{"x", "x", "x"});
  CHECK(source.ended());
}

TEST_SUITE_END();

}  // namespace marram::cli
