// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/process.h"
#include "base/result.h"
#include "vm/machine_description.h"

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

namespace coldframe::vm {

/// The parts of a qcow2 header that decide which other files are opened (QEMU's docs/interop/qcow2.txt).
struct Qcow2Header
{
    std::uint32_t version = 0;
    std::uint64_t virtualSize = 0;
    std::string backingFile{};   ///< empty: none
    std::string backingFormat{}; ///< empty: not said
    bool hasExternalDataFile = false;
    bool isEncrypted = false;
};

/// Parses the first cluster's bytes (up to 64 KiB are enough). Pure; Corrupt on anything malformed.
Result<Qcow2Header> parseQcow2Header(std::string_view bytes);

/// Reads and parses the header of a file.
Result<Qcow2Header> readQcow2Header(const std::filesystem::path& path);

/// Creates `path` as a qcow2 overlay on the first of `chain` (whose layers must fit each other), `virtualSize` bytes large (0: as
/// large as that), with the backing format written down. AlreadyExists when there is such a file; nothing half-made is
/// left. Blocking.
Result<void> createOverlay(ProcessRunner& runner, const std::vector<ReadOnlyDisk>& chain, const std::filesystem::path& path,
                           std::uint64_t virtualSize);

/// Makes an overlay that nobody has open at least so large; the file system in it is the guest's to grow. Blocking.
Result<void> growOverlay(ProcessRunner& runner, const std::filesystem::path& path, std::uint64_t virtualSize);

/// Creates an empty qcow2 of that size without backing, unless `path` is already one. Blocking.
Result<void> ensureEmptyDisk(ProcessRunner& runner, const std::filesystem::path& path, std::uint64_t virtualSize);

/// Makes `target` a disk with the content of `disk` that stands directly on the first of `parents`, holding only what differs from it.
/// `disk` stands on `chain`, which ends in `parents`; it is changed meanwhile and of no use after. Blocking; minutes.
Result<void> settleOverlay(ProcessRunner& runner, const std::filesystem::path& disk, const std::vector<ReadOnlyDisk>& chain,
                           const std::vector<ReadOnlyDisk>& parents, const std::filesystem::path& target,
                           const std::atomic<bool>* cancelled = nullptr);

/// Writes the raw content of a disk made on these layers, as a sparse file. Blocking; minutes.
Result<void> rawFromChain(ProcessRunner& runner, const std::vector<ReadOnlyDisk>& chain, const std::filesystem::path& target,
                          const std::atomic<bool>* cancelled = nullptr);

/// Makes `target` a disk with that raw content and no backing. Whatever the content, it is never taken for another format.
Result<void> diskFromRaw(ProcessRunner& runner, const std::filesystem::path& raw, const std::filesystem::path& target,
                         const std::atomic<bool>* cancelled = nullptr);

/// That every file of the machine's disks says of itself exactly what the description expects: the overlay is
/// backed by the first layer, each layer by the next, the last by nothing, formats written down, no external data
/// file. So a header that was tampered with, or a layer that was replaced, never gets another file opened.
Result<void> verifyDisks(const MachineDescription& machine);

} // namespace coldframe::vm
