// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <tl/expected.hpp>

namespace coldframe {

/// What kind of failure it was; the API and the CLI's exit codes are derived from it.
enum class ErrorCode {
    InvalidArgument,  ///< the caller's input is wrong; nothing was changed
    NotFound,
    AlreadyExists,
    NotAllowed,       ///< refused by a rule or by permissions
    Unavailable,      ///< something needed is missing or not running (libvirt, keychain, image)
    Busy,             ///< try again later
    Timeout,
    Cancelled,
    NoSpace,
    Corrupt,          ///< stored data failed verification
    Protocol,         ///< a peer broke the protocol (guest, proxy, client)
    Closed,           ///< the peer or stream is gone
    Io,
    Internal,
};

/// A stable lower-case word for the code ("invalid_argument"), used in JSON.
std::string_view errorCodeName(ErrorCode code);

struct Error
{
    ErrorCode code = ErrorCode::Internal;
    std::string message; ///< one sentence for the user: what happened, to which thing, what to do now
    std::string detail;  ///< for logs and "show details"; never a secret
};

template <typename T> using Result = tl::expected<T, Error>;

inline tl::unexpected<Error> fail(ErrorCode code, std::string message, std::string detail = {})
{
    return tl::unexpected<Error>(Error{code, std::move(message), std::move(detail)});
}

/// An Io error (or NoSpace, NotFound, AlreadyExists, NotAllowed where errno says so) with strerror as detail.
tl::unexpected<Error> failErrno(std::string message, int errorNumber);

} // namespace coldframe

#define COLDFRAME_CONCAT_(a, b) a##b
#define COLDFRAME_CONCAT(a, b) COLDFRAME_CONCAT_(a, b)
/// `COLDFRAME_TRY(auto x, f());` returns f's error, or binds its value.
#define COLDFRAME_TRY(declaration, expression)                                                              \
    auto COLDFRAME_CONCAT(tryResult_, __LINE__) = (expression);                                             \
    if (!COLDFRAME_CONCAT(tryResult_, __LINE__))                                                            \
        return tl::unexpected(std::move(COLDFRAME_CONCAT(tryResult_, __LINE__)).error());                   \
    declaration = std::move(*COLDFRAME_CONCAT(tryResult_, __LINE__))
/// The same for Result<void>.
#define COLDFRAME_CHECK(expression)                                                                         \
    do {                                                                                                    \
        if (auto checkResult_ = (expression); !checkResult_)                                                \
            return tl::unexpected(std::move(checkResult_).error());                                         \
    } while (false)
/// Coroutine forms (co_return).
#define COLDFRAME_CO_TRY(declaration, expression)                                                           \
    auto COLDFRAME_CONCAT(tryResult_, __LINE__) = (expression);                                             \
    if (!COLDFRAME_CONCAT(tryResult_, __LINE__))                                                            \
        co_return tl::unexpected(std::move(COLDFRAME_CONCAT(tryResult_, __LINE__)).error());                \
    declaration = std::move(*COLDFRAME_CONCAT(tryResult_, __LINE__))
#define COLDFRAME_CO_CHECK(expression)                                                                      \
    do {                                                                                                    \
        auto checkResult_ = (expression);                                                                   \
        if (!checkResult_)                                                                                  \
            co_return tl::unexpected(std::move(checkResult_).error());                                      \
    } while (false)
