#include "gateway/mqtt/channel.h"

#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>

#include "core/base/assert.h"

namespace marram::mqtt {

namespace {

using State = Transfer::State;

class PlainChannel : public Channel {
 public:
  explicit PlainChannel(int descriptor) : descriptor_(descriptor) {}

  Transfer read(std::span<char> into) override {
    return made(::recv(descriptor_, into.data(), into.size(), MSG_DONTWAIT), State::WaitReadable);
  }
  Transfer write(std::string_view bytes) override {
    return made(::send(descriptor_, bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL),
                State::WaitWritable);
  }
  void finish() override { ::shutdown(descriptor_, SHUT_WR); }

 private:
  static Transfer made(ssize_t count, State wait) {
    if (count > 0) return {State::Moved, static_cast<std::size_t>(count)};
    const bool later = count < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR);
    return {later ? wait : State::Ended, 0};
  }

  int descriptor_;
};

// OpenSSL writes to the descriptor without MSG_NOSIGNAL: the thread that uses
// this has SIGPIPE blocked.
class TlsChannel : public Channel {
 public:
  TlsChannel(int descriptor, const TlsContext& context)
      : descriptor_(descriptor), ssl_(SSL_new(context.get())) {
    MARRAM_ASSERT(ssl_ != nullptr, "there is memory for one more TLS connection");
    SSL_set_fd(ssl_, descriptor);
    SSL_set_accept_state(ssl_);
  }
  ~TlsChannel() override { SSL_free(ssl_); }
  TlsChannel(const TlsChannel&) = delete;
  TlsChannel& operator=(const TlsChannel&) = delete;

  Transfer read(std::span<char> into) override {
    std::size_t count = 0;
    ERR_clear_error();
    const int good = SSL_read_ex(ssl_, into.data(), into.size(), &count);
    return made(good, count);
  }
  Transfer write(std::string_view bytes) override {
    std::size_t count = 0;
    ERR_clear_error();
    const int good = SSL_write_ex(ssl_, bytes.data(), bytes.size(), &count);
    return made(good, count);
  }
  bool has_more() const override { return SSL_pending(ssl_) > 0; }
  void finish() override {
    if (SSL_is_init_finished(ssl_) == 1) SSL_shutdown(ssl_);
    ::shutdown(descriptor_, SHUT_WR);
  }

 private:
  Transfer made(int good, std::size_t count) {
    if (good == 1) return {State::Moved, count};
    switch (SSL_get_error(ssl_, good)) {
      case SSL_ERROR_WANT_READ:
        return {State::WaitReadable, 0};
      case SSL_ERROR_WANT_WRITE:
        return {State::WaitWritable, 0};
      default:
        return {State::Ended, 0};
    }
  }

  int descriptor_;
  SSL* ssl_;
};

tl::unexpected<Error> refuse(std::string_view setting, std::string_view file) {
  char cause[160] = "cannot be read";
  if (const unsigned long code = ERR_peek_last_error(); code != 0) {
    ERR_error_string_n(code, cause, sizeof cause);
  }
  return fail(Errc::Config, fmt::format("mqtt: tls.{} = \"{}\": {} (give a PEM file)", setting,
                                        file, std::string_view(cause)));
}

}  // namespace

Result<TlsContext> TlsContext::make(const TlsOptions& options) {
  if (options.certificate_file.empty()) {
    return fail(Errc::Config, "mqtt: mqtts:// needs tls.certificate_file (PEM, with the chain)");
  }
  if (options.key_file.empty()) return fail(Errc::Config, "mqtt: mqtts:// needs tls.key_file");
  ERR_clear_error();
  std::shared_ptr<SSL_CTX> context(SSL_CTX_new(TLS_server_method()), SSL_CTX_free);
  SSL_CTX* const raw = context.get();
  MARRAM_ASSERT(raw != nullptr, "OpenSSL can make a context");
  SSL_CTX_set_min_proto_version(raw, TLS1_2_VERSION);
  SSL_CTX_set_options(raw, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION);
  SSL_CTX_set_mode(raw, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                            SSL_MODE_RELEASE_BUFFERS);
  if (SSL_CTX_use_certificate_chain_file(raw, options.certificate_file.c_str()) != 1) {
    return refuse("certificate_file", options.certificate_file);
  }
  if (SSL_CTX_use_PrivateKey_file(raw, options.key_file.c_str(), SSL_FILETYPE_PEM) != 1 ||
      SSL_CTX_check_private_key(raw) != 1) {
    return refuse("key_file", options.key_file);
  }
  if (!options.client_ca_file.empty()) {
    if (SSL_CTX_load_verify_locations(raw, options.client_ca_file.c_str(), nullptr) != 1) {
      return refuse("client_ca_file", options.client_ca_file);
    }
    SSL_CTX_set_client_CA_list(raw, SSL_load_client_CA_file(options.client_ca_file.c_str()));
    SSL_CTX_set_verify(raw, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
    // Sessions are resumed within this listener only.
    const unsigned char id[] = "marram-mqtt";
    SSL_CTX_set_session_id_context(raw, id, sizeof id - 1);
  }
  return TlsContext(std::move(context));
}

std::unique_ptr<Channel> Channel::plain(int descriptor) {
  return std::make_unique<PlainChannel>(descriptor);
}

std::unique_ptr<Channel> Channel::tls(int descriptor, const TlsContext& context) {
  return std::make_unique<TlsChannel>(descriptor, context);
}

}  // namespace marram::mqtt
