// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <openssl/evp.h>
#include <string>
#include <string_view>

namespace coldframe::image {

/// SHA-256 over bytes that come in pieces (FIPS 180-4).
class Sha256
{
public:
    Sha256();
    void add(std::string_view bytes);
    /// Lower-case hex; nothing may be added after.
    std::string hex();

private:
    std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> m_context;
};

} // namespace coldframe::image
