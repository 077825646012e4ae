// SPDX-License-Identifier: Apache-2.0
#include "guest/agent/modules.h"

#include "base/file.h"
#include "base/log.h"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sstream>
#include <sys/syscall.h>

namespace coldframe::guest {

int loadModules(const std::filesystem::path& list)
{
    const auto text = readFile(list, 1u << 20);
    if (!text) {
        logWarning("modules", text.error().message);
        return 1;
    }
    int failed = 0;
    std::istringstream lines(*text);
    for (std::string path; std::getline(lines, path);) {
        if (path.empty() || path[0] == '#') {
            continue;
        }
        UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
        if (!file || (::syscall(SYS_finit_module, file.get(), "", 0) != 0 && errno != EEXIST)) {
            logWarning("modules", path + ": " + std::strerror(errno));
            ++failed;
        }
    }
    return failed;
}

} // namespace coldframe::guest
