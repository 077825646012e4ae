// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/result.h"

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace coldframe::guest {

/// A Java key store in the format JKS, which every Java since 1.2 reads in the place of its `cacerts`, whatever format that had: the entries of
/// `previous` where it is one of that format, then each certificate of the PEM text as a trusted one. An entry of a certificate that is in the PEM text is not doubled, and
/// one that an earlier call made is left out. `milliseconds` is the time of the entries, since 1970. Pure.
std::string javaStore(std::string_view pem, std::string_view previous, std::int64_t milliseconds);

/// The `cacerts` of Java runtimes beneath `root`, by the places where distributions, their vendors and the usual installers put them;
/// relative to `root`, without doubles, at most 64. No link on the way leads out of `root`.
std::vector<std::string> findJavaStores(const std::filesystem::path& root);

/// Lets each Java runtime of the disk trust what the bundle of CAs has. A store in another format than JKS is kept beside it once, as
/// `cacerts.before-coldframe`. Of one thread.
class JavaTrust
{
public:
    explicit JavaTrust(std::filesystem::path root);
    /// Doing it again changes nothing and reads nothing, unless a runtime or the bundle is new or another.
    Result<void> install();

private:
    std::filesystem::path m_root;
    std::map<std::string, std::string> m_done; ///< store → what it and the bundle were then
};

} // namespace coldframe::guest
