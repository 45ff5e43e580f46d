// The bytes of one connection, plain or through TLS, without waiting.
//
// A Channel borrows the socket's descriptor; whoever owns the socket waits for it
// to be readable or writable, as told.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "core/base/result.h"

struct ssl_ctx_st;
struct ssl_st;

namespace marram::mqtt {

struct TlsOptions {
  std::string certificate_file;  // PEM, with the chain
  std::string key_file;
  std::string client_ca_file;  // not empty: clients must show a certificate of it
};

// Certificate and rules of a listening side: TLS 1.2 and 1.3.
class TlsContext {
 public:
  // Errors: Config  a file that is missing or broken; the message names the setting
  static Result<TlsContext> make(const TlsOptions& options);
  ssl_ctx_st* get() const { return context_.get(); }

 private:
  explicit TlsContext(std::shared_ptr<ssl_ctx_st> context) : context_(std::move(context)) {}
  std::shared_ptr<ssl_ctx_st> context_;
};

struct Transfer {
  enum class State { Moved, WaitReadable, WaitWritable, Ended };
  State state = State::Ended;
  std::size_t bytes = 0;  // Moved: at least one
};

class Channel {
 public:
  virtual ~Channel() = default;
  // What has come, up to the size of `into`; Ended: the other side closed or failed.
  virtual Transfer read(std::span<char> into) = 0;
  virtual Transfer write(std::string_view bytes) = 0;
  // Whether read() has something that no descriptor tells of.
  virtual bool has_more() const { return false; }
  // No more from us; the other side can go on until it has read all.
  virtual void finish() = 0;

  static std::unique_ptr<Channel> plain(int descriptor);
  static std::unique_ptr<Channel> tls(int descriptor, const TlsContext& context);
};

}  // namespace marram::mqtt
