// SPDX-License-Identifier: Apache-2.0
// Bytes as a hostile guest sends them: the stream as the host's Remote reads it, and the parsers beneath it.
#include "sync/ancestor.h"
#include "sync/git_config.h"
#include "sync/guards.h"
#include "sync/protocol.h"
#include "sync/remote.h"

#include <cstdint>
#include <cstdlib>
#include <sys/socket.h>
#include <unistd.h>

using namespace coldframe;
using namespace coldframe::sync;

namespace {

/// Nothing that came over the wire may break what the rest relies on.
void checkTree(const Node& node, const std::string& path)
{
    for (const auto& [name, child] : node.children) {
        const std::string childPath = joinPath(path, name);
        if (!isValidPath(childPath) || (!child.children.empty() && child.entry.kind != Kind::Directory)) {
            std::abort();
        }
        checkTree(child, childPath);
    }
}

/// One for all inputs: made beside nothing, and gone with the process.
std::shared_ptr<SeedDisk> seedDisk()
{
    static const std::shared_ptr<SeedDisk> disk = [] {
        const std::string path = "/tmp/coldframe-fuzz-seed-" + std::to_string(::getpid());
        if (!makeSeedDisk(path)) {
            std::abort();
        }
        auto opened = SeedDisk::open(path);
        ::unlink(path.c_str());
        return opened.value_or(nullptr);
    }();
    return disk;
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    const std::string_view bytes(reinterpret_cast<const char*>(data), std::min<std::size_t>(size, 60'000));
    if (const auto values = parseGitConfig(bytes)) {
        (void)renderGitConfig(*values);
    }
    (void)decodeAncestor(bytes);
    (void)isPortableLink("a/b", bytes);
    if (isValidPath(bytes)) {
        (void)guardReason(bytes, Entry{}, {"x"});
    }
    int pair[2];
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0) {
        return 0;
    }
    (void)!::send(pair[1], bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    ::shutdown(pair[1], SHUT_WR);
    Remote remote(pair[0], {2000, 1 << 20}, std::chrono::milliseconds(50));
    remote.useSeedDisk(seedDisk());
    if (remote.handshake() && remote.requestScan(true) && remote.finishScan()) {
        Node host;
        host.entry.kind = Kind::Directory;
        Plan plan = reconcile(Node{}, host, remote.tree(), ReconcileMode::Merge);
        (void)applyGuards(plan, host, {});
        for (const Operation& operation : plan.hostOperations) {
            if (operation.after.kind == Kind::Symlink && !isPortableLink(operation.path, operation.after.text)) {
                std::abort();
            }
        }
        static const std::string content(kSeedFileBytes, 'x');
        const std::vector<Operation> operations{{"x", {}, {Kind::Directory, false, 0, {}, {}}, 0},
                                                {"y", {}, {Kind::File, false, content.size(), {}, {}}, 0}};
        (void)remote.apply(operations, 0, operations.size(), [](const Operation&, const auto& send, Result<void>& sent) {
            sent = send(content);
            return sent.has_value();
        });
        (void)remote.takeChanged();
    }
    checkTree(remote.tree(), "");
    ::close(pair[0]);
    ::close(pair[1]);
    return 0;
}

#ifndef COLDFRAME_LIBFUZZER
#include <chrono>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <random>
#include <vector>

namespace {

std::string message(MessageType type, const std::string& payload)
{
    Writer out;
    out.u32(static_cast<std::uint32_t>(payload.size() + 1));
    out.u8(static_cast<std::uint8_t>(type));
    return out.data() + payload;
}

std::vector<std::string> seeds()
{
    Writer records;
    records.record({"dir", {Kind::Directory, false, 0, {}, {}}});
    records.record({"dir/HEAD", {Kind::File, true, 3, {}, {}}});
    records.record({"dir/objects", {Kind::Directory, false, 0, {}, {}}});
    records.record({"dir/refs", {Kind::Symlink, false, 0, {}, "../../x"}});
    records.record({"pipe", {Kind::Untracked, false, 0, {}, "pipe"}});
    Writer results;
    results.u32(0);
    results.u8(0);
    results.bytes("text");
    const std::string hello = message(MessageType::HelloReply, std::string("\0\1\1", 3));
    const std::string scan = message(MessageType::ScanBatch, records.data());
    const std::string end = message(MessageType::ScanEnd, std::string("\1\0", 2));
    Writer seedHello;
    seedHello.u16(kProtocolVersion);
    seedHello.u8(1);
    seedHello.u64(kSeedDiskBytes);
    return {message(MessageType::HelloReply, seedHello.data()) + scan + end + message(MessageType::SeedTaken, {}) +
                message(MessageType::Results, results.data()) + message(MessageType::ResultsEnd, {}),
            hello + scan + end + message(MessageType::Results, results.data()) + message(MessageType::ResultsEnd, {}) +
                message(MessageType::Changed, {}),
            "[core]\n\tbare = false\n[remote \"o\"]\n\turl = https://a:b@c/d\n", "../a/./b"};
}

} // namespace

int main(int count, char** arguments)
{
    std::vector<std::string> inputs = seeds();
    for (int i = 1; i < count; ++i) {
        std::error_code ignored;
        for (const auto& item : std::filesystem::directory_iterator(arguments[i], ignored)) {
            std::ifstream in(item.path(), std::ios::binary);
            inputs.emplace_back(std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>());
        }
    }
    std::mt19937 random(1);
    const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(4);
    int runs = 0;
    for (; runs < 20'000 && std::chrono::steady_clock::now() < until; ++runs) {
        std::string input = inputs[random() % inputs.size()];
        for (auto changes = runs < static_cast<int>(inputs.size()) ? 0 : random() % 6; changes > 0 && !input.empty(); --changes) {
            const std::size_t at = random() % input.size();
            switch (random() % 4) {
            case 0: input[at] = static_cast<char>(random()); break;
            case 1: input.erase(at, random() % 8 + 1); break;
            case 2: input.insert(at, input.substr(random() % input.size(), random() % 32)); break;
            default: input[at] = static_cast<char>(input[at] ^ (1 << (random() % 8))); break;
            }
        }
        LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(input.data()), input.size());
    }
    std::cout << runs << " inputs\n";
    return runs > 100 ? 0 : 1;
}
#endif
