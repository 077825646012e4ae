// SPDX-License-Identifier: Apache-2.0
#include "guest/agent/agent_main.h"
#include "guest/agent/init.h"
#include "guest/agent/oci_runtime.h"

#include <cstdio>
#include <string_view>
#include <unistd.h>

int main(int argc, char** argv)
{
    using namespace coldframe::guest;
    const std::string_view self = argc > 0 ? argv[0] : "";
    const std::string_view mode = argc > 1 ? argv[1] : "";
    if (self.substr(self.rfind('/') + 1) == "runc") {
        return runOciRuntime(argc, argv);
    }
    if (mode == "sync-endpoint") {
        return runSyncEndpoint(argc - 2, argv + 2);
    }
    if (mode == "init" && ::getpid() == 1) {
        return runInit();
    }
    if (::getpid() == 1) {
        return runInitrd();
    }
    std::fputs("coldframe-guest is the first process of a Coldframe sandbox; it is not run by hand.\n",
               stderr);
    return 2;
}
