// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "proxy/content_decoder.h"
#include "proxy/key_scanner.h"

#include <memory>
#include <string>
#include <string_view>

namespace coldframe::proxy {

/// Looks for stored keys in the body of one reply, whatever carries it (HTTP/1.1, HTTP/2). In a plain body a key is overwritten
/// with asterisks, so that the rest arrives; in a compressed one it cannot be, and the reply is cut.
class ReplyFilter
{
public:
    struct Outcome
    {
        int keyTag = -1;     ///< a key was found; overwritten, unless `cut`
        bool cut = false;    ///< nothing more may go on
        std::string problem; ///< why, when it was not for a key
    };

    /// `contentEncoding` is the field's value, empty without one. `strict`: the reply of a service to a request that has, or
    /// could have, its key. Only there compression is undone and beginnings of a key held back (see StreamScanner).
    ReplyFilter(std::shared_ptr<const PatternSet> keys, std::string_view contentEncoding, bool strict);
    ~ReplyFilter();
    ReplyFilter(const ReplyFilter&) = delete;
    ReplyFilter& operator=(const ReplyFilter&) = delete;

    /// False: a compression that cannot be undone here; the reply must not be passed on.
    bool canRead() const { return m_canRead; }
    /// Appends to `out` what may go on.
    Outcome feed(std::string_view data, std::string& out);
    Outcome finish(std::string& out);

private:
    StreamScanner m_scanner;
    std::unique_ptr<ContentDecoder> m_decoder; ///< null: the body is looked at as it is
    std::string m_held;                        ///< compressed bytes whose content may be the beginning of a key
    bool m_redacts;
    bool m_canRead = true;
    bool m_cut = false;
};

} // namespace coldframe::proxy
