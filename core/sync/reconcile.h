// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "sync/entry.h"

#include <cstdint>
#include <string>
#include <vector>

namespace coldframe::sync {

/// One change to one path on one side. `before` is what must stand there when it is carried out.
struct Operation
{
    std::string path;
    Entry before;
    Entry after;
    std::int64_t mtimeNs = 0; ///< for files on their way to the guest; 0 = now
};

enum class ReconcileMode {
    /// The ancestor is what both sides last agreed on.
    TwoWaySafe,
    /// The guest may have lost writes or gone back in time, or nothing is known: nothing is deleted anywhere, the
    /// ancestor is only a hint, and where the guest differs from it the difference is a conflict.
    Merge,
    /// The first copy into a guest disk that was empty when it began: the host's content wins.
    Seed,
};

struct Plan
{
    std::vector<Operation> hostOperations;  ///< parents before children when creating, after them when removing
    std::vector<Operation> guestOperations;
    std::vector<Record> ancestorChanges;    ///< already agreed on both sides
    std::vector<Note> conflicts;            ///< both sides changed; both stay as they are
    std::vector<Note> waiting;              ///< repositories in which git is at work
};

/// Pure. Rules, in this order, for each path:
/// 1. A Problem on either side: the path is left alone on both.
/// 2. Untracked counts as absent.
/// 3. Both sides equal: they agree, and so does the ancestor from now on; folders are entered.
/// 4. One side unchanged since the ancestor: the other side's state is taken.
/// 5. One side only deleted since the ancestor: the other side's changes win and come back.
/// 6. Otherwise a conflict.
/// Inside git directories: nothing moves while a lock file stands there; objects are only ever added; the index goes
/// to the guest once and never comes back.
Plan reconcile(const Node& ancestor, const Node& host, const Node& guest, ReconcileMode mode);

} // namespace coldframe::sync
