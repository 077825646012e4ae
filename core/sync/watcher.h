// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/unique_fd.h"

#include <set>
#include <string>
#include <unordered_map>

namespace coldframe::sync {

/// inotify on folders, one watch each. Events only say which folder to read again; the scan finds out what changed.
/// A watch is set before its folder is read, so nothing falls between. Not thread-safe.
class Watcher
{
public:
    Watcher();

    /// Watches the open folder `folder`, known as `path`. A folder that moved keeps its watch and gets the new path.
    void add(int folder, const std::string& path);

    /// Takes all waiting events. Folders with changes go to `dirty`; true when everything must be read again
    /// because the kernel dropped events.
    bool drain(std::set<std::string>& dirty);

    /// False when watches ran out or inotify is not there: the caller must scan from time to time.
    bool isComplete() const { return m_complete && m_fd.isValid(); }
    void restart(); ///< before a full scan: forgets a former shortage
    int fd() const { return m_fd.get(); }

private:
    UniqueFd m_fd;
    std::unordered_map<int, std::string> m_paths;
    bool m_complete = true;
};

} // namespace coldframe::sync
