// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/result.h"
#include "base/secret.h"

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace coldframe::secrets {

struct KeyStoreStatus
{
    std::string backend; ///< "secret-service", "kwallet" or "none"
    bool available = false;
    bool locked = false;
    std::string message; ///< what to do when it is not available or locked
};

struct StoredKey
{
    std::string service; ///< as in agents::Service
    std::string account; ///< the entry's name in the keychain
    std::string storedAt; ///< RFC 3339
};

/// Keys by service name, in the user's keychain and nowhere else. Unavailable: no keychain, or locked (see status();
/// the message says which). NotFound: no such key. Each callback comes exactly once, on the calling thread's event loop or from
/// within the call; after at most some ten seconds, whatever the keychain does.
class KeyStore
{
public:
    virtual ~KeyStore() = default;
    virtual void status(std::function<void(KeyStoreStatus)> done) = 0;
    virtual void set(const std::string& service, SecretBuffer key, std::function<void(Result<void>)> done) = 0;
    virtual void get(const std::string& service, std::function<void(Result<SecretBuffer>)> done) = 0;
    virtual void remove(const std::string& service, std::function<void(Result<void>)> done) = 0;
    /// From the index; works while the keychain is locked.
    virtual void list(std::function<void(Result<std::vector<StoredKey>>)> done) = 0;
};

/// QtKeychain over Secret Service or KWallet, entries under the service name "coldframe". Create and use it on the Qt
/// thread only, which needs a running event loop; some calls block it for up to 5 s.
///
/// `folder` (paths::dataFolder()) gets keys.json: names, dates and the backend, never a key. The backend found at the first write is pinned
/// there, so a log-in without desktop variables looks in the same place; creating a store sets this process's desktop
/// variables, from which QtKeychain chooses. There is no fallback to a file.
std::unique_ptr<KeyStore> makeKeychainStore(const std::filesystem::path& folder);

} // namespace coldframe::secrets
