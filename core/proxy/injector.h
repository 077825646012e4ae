// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/result.h"
#include "base/secret.h"
#include "proxy/http1_message.h"
#include "proxy/identity.h"
#include "proxy/key_scanner.h"
#include "proxy/service.h"

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace coldframe::proxy {

/// What injection makes of one request: first planned, then, once the upstream leg is verified, written.
struct Injection
{
    std::string service;       ///< whose key is to be set; empty = none
    std::string blockedReason; ///< not empty: the request must not go on
    std::string alertCode;     ///< "sentinel-misplaced", "token-minting"
    std::string alert;         ///< not empty: the engine must hear of it
    /// The key signs the body too, and the request does not tell its digest: whoever has the body sets payloadHash (sha256Hex())
    /// before write(), and refuses what is too large to be read first.
    bool needsPayloadHash = false;
    std::string payloadHash;
};

/// Sets keys into request heads, and knows what to look for in what goes out (sentinels) and what comes back (keys). Holds the
/// sandbox's keys; they are wiped with it. Not thread-safe.
class Injector
{
public:
    void setServices(std::vector<Service> services);
    /// An empty key forgets it. A key with control characters or spaces at its ends is refused (it would be a header injection).
    Result<void> setKey(const std::string& service, SecretBuffer key);
    bool hasKeys() const { return !m_keys.empty(); }

    /// Checks head and target for sentinels out of place and chooses the key, if everything fits: `verifiedTls` says that the
    /// upstream leg is TLS with the identity's own name verified. Takes query parameters that only carry a placeholder out of `target`.
    Injection plan(const Identity& identity, bool verifiedTls, RequestTarget& target, const RequestHead& request) const;
    /// Strips the client's credentials, then sets the key or signs with it. False when the key has gone meanwhile. The caller
    /// wipes the head.
    bool write(const Injection& injection, const Identity& identity, const RequestTarget& target, RequestHead& request) const;

    /// Names of services whose sentinel must not stand in bodies for this host. Bodies for a host that is a service's own
    /// are not scanned: agents quote their environment to their model, and there the sentinel opens nothing.
    std::shared_ptr<const PatternSet> sentinelsForBody(const Identity& identity) const;
    /// Every stored key in every form a reply could carry it; shared, immutable.
    std::shared_ptr<const PatternSet> keyPatterns() const { return m_keyPatterns; }
    std::string serviceOfTag(int tag) const;
    bool isServiceHost(const std::string& host) const;
    const std::vector<Service>& services() const { return m_services; }
    bool hasKey(const std::string& service) const { return m_keys.contains(service); }
    /// Whether the service's key may be a log-in's access token.
    bool isLogin(const std::string& service) const;

private:
    void rebuildPatterns();
    const SecretBuffer* keyFor(const Service& service) const;
    const Service* choose(const Identity& identity, const RequestTarget& target, const RequestHead& request) const;
    const Service* misplaced(const std::string& text, const Service* own) const;

    std::vector<Service> m_services;
    std::map<std::string, SecretBuffer> m_keys;
    std::shared_ptr<const PatternSet> m_keyPatterns = std::make_shared<PatternSet>();
    std::shared_ptr<const PatternSet> m_sentinelPatterns = std::make_shared<PatternSet>();
};

/// The part of a sentinel that is random for the sandbox ("…proxy-managed-<random>"), or all of it.
std::string randomPartOf(const std::string& sentinel);

} // namespace coldframe::proxy
