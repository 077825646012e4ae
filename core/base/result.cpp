// SPDX-License-Identifier: Apache-2.0
#include "base/result.h"

#include <cerrno>
#include <cstring>

namespace coldframe {

std::string_view errorCodeName(ErrorCode code)
{
    switch (code) {
    case ErrorCode::InvalidArgument: return "invalid_argument";
    case ErrorCode::NotFound: return "not_found";
    case ErrorCode::AlreadyExists: return "already_exists";
    case ErrorCode::NotAllowed: return "not_allowed";
    case ErrorCode::Unavailable: return "unavailable";
    case ErrorCode::Busy: return "busy";
    case ErrorCode::Timeout: return "timeout";
    case ErrorCode::Cancelled: return "cancelled";
    case ErrorCode::NoSpace: return "no_space";
    case ErrorCode::Corrupt: return "corrupt";
    case ErrorCode::Protocol: return "protocol";
    case ErrorCode::Closed: return "closed";
    case ErrorCode::Io: return "io";
    case ErrorCode::Internal: return "internal";
    }
    return "internal";
}

tl::unexpected<Error> failErrno(std::string message, int errorNumber)
{
    ErrorCode code = ErrorCode::Io;
    switch (errorNumber) {
    case ENOENT: code = ErrorCode::NotFound; break;
    case EEXIST: code = ErrorCode::AlreadyExists; break;
    case EACCES:
    case EPERM: code = ErrorCode::NotAllowed; break;
    case ENOSPC:
    case EDQUOT: code = ErrorCode::NoSpace; break;
    default: break;
    }
    return fail(code, std::move(message), std::strerror(errorNumber));
}

} // namespace coldframe
