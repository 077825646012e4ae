// SPDX-License-Identifier: Apache-2.0
#include "guest/agent/accounts.h"
#include "guest/agent/encoding.h"
#include "guest/agent/java_trust.h"
#include "guest/agent/oci_runtime.h"
#include "guest/agent/redirect.h"
#include "guest/agent/requests.h"

#include <cstdint>
#include <cstdlib>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    using namespace coldframe::guest;
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    if (const auto exec = parseExecRequest(text);
        exec && (exec->argv.empty() || exec->rows < 1 || exec->rows > 1000)) {
        std::abort();
    }
    if (const auto attach = parseAttachRequest(text); attach && (attach->id.empty() || attach->rows > 1000 || attach->columns > 1000)) {
        std::abort();
    }
    if (const auto setup = parseSetupRequest(text); setup && setup->uid == 0) {
        std::abort();
    }
    if (const auto path = checkedAbsolutePath(text);
        path && (path->find("/../") != std::string::npos || (*path)[0] != '/')) {
        std::abort();
    }
    if (const auto request = parseProxyRequest(text);
        request && request->authority.find_first_of("\r\n @/") != std::string::npos) {
        std::abort();
    }
    (void)withTrust(text, "/nonexistent");
    // What came out of it goes in again unchanged.
    const std::string store = javaStore(text, text, 0);
    if (javaStore("", store, 0).size() > store.size()) {
        std::abort();
    }
    (void)findAccount(text, text, "agent");
    return 0;
}
