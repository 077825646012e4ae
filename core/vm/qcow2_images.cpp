// SPDX-License-Identifier: Apache-2.0
// Disks that become images: what a guest left, put onto other layers.
#include "base/process.h"
#include "vm/qcow2.h"

#include <unistd.h>

namespace coldframe::vm {

namespace {

constexpr std::chrono::minutes kLimit{30};

Result<void> runQemuImg(ProcessRunner& runner, std::vector<std::string> arguments, const std::filesystem::path& target,
                        const std::atomic<bool>* cancelled)
{
    ProcessSpec spec;
    spec.arguments = std::move(arguments);
    spec.timeout = kLimit;
    spec.cancelled = cancelled;
    auto result = runner.run(spec);
    if (!result && result.error().code == ErrorCode::Cancelled) {
        return fail(ErrorCode::Cancelled, "Writing the image's disk was stopped.");
    }
    if (!result) {
        return fail(ErrorCode::Unavailable, "qemu-img could not be run. Install the package qemu-utils (Debian, Ubuntu) or "
                                            "qemu-img (Fedora).", result.error().message + " " + result.error().detail);
    }
    if (result->exitCode != 0) {
        ::unlink(target.c_str());
        const bool full = result->standardError.find("No space left") != std::string::npos;
        return fail(full ? ErrorCode::NoSpace : ErrorCode::Io,
                    full ? "There is no space left for the image's disk in “" + target.parent_path().string() + "”. Free some space and try again."
                         : "The image's disk could not be written.", result->standardError);
    }
    return {};
}

/// The files say of themselves what we expect before anything opens them.
Result<void> verifyAll(const std::filesystem::path& disk, const std::vector<ReadOnlyDisk>& chain)
{
    MachineDescription described;
    described.overlay = disk;
    described.backingChain = chain;
    return verifyDisks(described);
}

} // namespace

Result<void> settleOverlay(ProcessRunner& runner, const std::filesystem::path& disk, const std::vector<ReadOnlyDisk>& chain,
                           const std::vector<ReadOnlyDisk>& parents, const std::filesystem::path& target,
                           const std::atomic<bool>* cancelled)
{
    if (parents.empty() || !disk.is_absolute() || !target.is_absolute()) {
        return fail(ErrorCode::InvalidArgument, "The paths of disks must be absolute.");
    }
    COLDFRAME_CHECK(verifyAll(disk, chain));
    if (chain.empty() || chain[0].path != parents[0].path) {
        COLDFRAME_CHECK(runQemuImg(runner, {"qemu-img", "rebase", "-q", "-f", "qcow2", "-F", "qcow2", "-b", parents[0].path.string(),
                                            disk.string()}, target, cancelled));
        COLDFRAME_CHECK(verifyAll(disk, parents));
    }
    COLDFRAME_CHECK(runQemuImg(runner, {"qemu-img", "convert", "-q", "-f", "qcow2", "-O", "qcow2", "-F", "qcow2", "-B",
                                        parents[0].path.string(), disk.string(), target.string()}, target, cancelled));
    return verifyAll(target, parents);
}

Result<void> rawFromChain(ProcessRunner& runner, const std::vector<ReadOnlyDisk>& chain, const std::filesystem::path& target,
                          const std::atomic<bool>* cancelled)
{
    if (chain.empty() || !chain[0].path.is_absolute() || !target.is_absolute()) {
        return fail(ErrorCode::InvalidArgument, "The paths of disks must be absolute.");
    }
    COLDFRAME_CHECK(verifyAll(chain[0].path, {chain.begin() + 1, chain.end()}));
    return runQemuImg(runner, {"qemu-img", "convert", "-q", "-f", "qcow2", "-O", "raw", chain[0].path.string(), target.string()}, target,
                      cancelled);
}

Result<void> diskFromRaw(ProcessRunner& runner, const std::filesystem::path& raw, const std::filesystem::path& target,
                         const std::atomic<bool>* cancelled)
{
    if (!raw.is_absolute() || !target.is_absolute()) {
        return fail(ErrorCode::InvalidArgument, "The paths of disks must be absolute.");
    }
    COLDFRAME_CHECK(runQemuImg(runner, {"qemu-img", "convert", "-q", "-c", "-o", "compression_type=zstd", "-W", "-m", "4", "-f", "raw", "-O", "qcow2", raw.string(), target.string()}, target,
                               cancelled));
    return verifyAll(target, {});
}

} // namespace coldframe::vm
