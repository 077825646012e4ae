// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/result.h"

#include <string>
#include <string_view>
#include <vector>

namespace coldframe::cli {

inline constexpr const char* kDefaultDetachKeys = "ctrl-p,ctrl-q";

/// Finds the keys that leave a session in what is typed. Pure: no terminal, no clock.
///
/// A key that could begin the sequence is held back until the next one shows, as Docker does; the caller lets it go after a moment
/// (release), since programs use these keys too. Knows a Ctrl key as its byte and as keyboards in the kitty and in xterm's
/// modifyOtherKeys mode send it.
class DetachKeys
{
public:
    /// "ctrl-p,ctrl-q": keys between commas, each a character or ctrl- and one of a-z @ [ \ ] ^ _; at most four. "none": never.
    static Result<DetachKeys> parse(const std::string& keys);

    struct Taken
    {
        std::string passed;      ///< for the program
        bool isDetached = false; ///< the sequence is complete; what followed it is dropped
    };
    Taken take(std::string_view input);
    bool isHolding() const { return !m_held.empty(); }
    /// Nothing more came: what was held back goes to the program.
    std::string release();

private:
    std::vector<std::vector<std::string>> m_keys; ///< of each key its spellings
    std::size_t m_matched = 0;
    std::string m_held;
};

} // namespace coldframe::cli
