#include "gateway/connectors/mqtt_fault.h"

#include <fmt/format.h>

namespace marram {
namespace {

const char* mqtt_code_name(int code) {
  switch (code) {
    case 1:
    case 0x84:
      return "protocol version not supported";
    case 2:
    case 0x85:
      return "client id not accepted";
    case 3:
    case 0x88:
      return "server unavailable";
    case 4:
    case 0x86:
      return "bad user name or password";
    case 5:
    case 0x87:
      return "not authorized";
    case 0x80:
      return "unspecified error";
    case 0x81:
      return "malformed packet";
    case 0x82:
      return "protocol error";
    case 0x83:
      return "implementation specific error";
    case 0x89:
      return "server busy";
    case 0x8A:
      return "banned";
    case 0x8B:
      return "server shutting down";
    case 0x8C:
      return "bad authentication method";
    case 0x8D:
      return "keep alive time-out";
    case 0x8E:
      return "session taken over by another client of the same client id";
    case 0x8F:
      return "topic filter invalid";
    case 0x90:
      return "topic name invalid";
    case 0x93:
      return "receive maximum exceeded";
    case 0x95:
      return "packet too large";
    case 0x96:
      return "message rate too high";
    case 0x97:
      return "quota exceeded";
    case 0x98:
      return "administrative action";
    case 0x99:
      return "payload format invalid";
    case 0x9B:
      return "QoS not supported";
    case 0x9C:
    case 0x9D:
      return "use another server";
    default:
      return "refused";
  }
}

}  // namespace

const char* name(FaultKind kind) {
  switch (kind) {
    case FaultKind::Retry:
      return "retry";
    case FaultKind::Poison:
      return "poison";
    case FaultKind::Auth:
      return "auth";
  }
  return "retry";
}

FaultKind connect_fault(int code) {
  switch (code) {
    case 1:
    case 2:
    case 4:
    case 5:  // 3.1.1
    case 0x84:
    case 0x85:
    case 0x86:
    case 0x87:  // 5
    case 0x8A:
    case 0x8C:
    case 0x9B:
      return FaultKind::Auth;
    default:
      return FaultKind::Retry;
  }
}

FaultKind publish_fault(int code) {
  switch (code) {
    case 0x87:
      return FaultKind::Auth;
    case 0x90:
    case 0x95:
    case 0x99:
      return FaultKind::Poison;
    default:
      return FaultKind::Retry;
  }
}

FaultKind lost_fault(int code) {
  switch (code) {
    case 0x87:
    case 0x8A:
    case 0x9B:
      return FaultKind::Auth;
    case 0x81:
    case 0x82:
    case 0x90:
    case 0x94:
    case 0x95:
    case 0x99:
      return FaultKind::Poison;
    default:
      return FaultKind::Retry;
  }
}

FaultKind subscribe_fault(int code) {
  switch (code) {
    case 0x80:
    case 0x83:
    case 0x97:
      return FaultKind::Retry;
    default:
      return FaultKind::Auth;
  }
}

std::string mqtt_code_text(int code) {
  return fmt::format("{} ({:#04x})", mqtt_code_name(code), code);
}

}  // namespace marram
