// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "proxy/http1_message.h"
#include "proxy/identity.h"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace coldframe::proxy {

/// What a client's own AWS Signature Version 4 says (Authorization header): for which scope and over which fields it signed. The
/// signature itself is of no use, as the client's key is a placeholder.
struct AwsAuthorization
{
    std::string accessKeyId;
    std::string date;    ///< "20150830"
    std::string region;
    std::string service;
    std::vector<std::string> signedHeaders; ///< lower case
};

/// A stored AWS key: "ACCESSKEYID:SECRET" or "ACCESSKEYID:SECRET:SESSIONTOKEN". Views into the key.
struct AwsKey
{
    std::string_view accessKeyId;
    std::string_view secret;
    std::string_view sessionToken;
};

std::optional<AwsKey> parseAwsKey(std::string_view key);
/// Only AWS4-HMAC-SHA256; nothing for other algorithms (the asymmetric SigV4A too) and for malformed ones.
std::optional<AwsAuthorization> parseAwsAuthorization(std::string_view value);

/// Why this request cannot be signed anew, as a sentence for the client; empty = it can.
std::string awsProblem(const RequestHead& request);
/// Whether the signature needs a digest of the body that the request does not tell (x-amz-content-sha256): every service but S3.
bool needsAwsPayloadHash(const RequestHead& request);
std::string sha256Hex(std::string_view data);

/// The canonical request of the given fields; docs.aws.amazon.com, "Create a signed AWS API request". `path` and `query` as they
/// go on the wire. Public for the tests.
std::string awsCanonicalRequest(const AwsAuthorization& scope, const std::string& method, const RequestTarget& target,
                                const HeaderList& headers, std::string_view host, std::string_view payloadHash);

/// Signs the request anew, over the fields that the client signed and that are still there: replaces Authorization and, with a
/// session token, X-Amz-Security-Token. `host` is the authority on the wire, `payloadHash` what needsAwsPayloadHash() asked for
/// (ignored where the request tells). Empty on success, else a sentence for the client.
std::string signAws(const AwsKey& key, std::string_view host, const RequestTarget& target, std::string_view payloadHash,
                    RequestHead& request);

} // namespace coldframe::proxy
