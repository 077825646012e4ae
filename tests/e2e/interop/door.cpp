// SPDX-License-Identifier: Apache-2.0
// The way out of a room: the real coldframe-proxy and coldframe-dial, with a unix socket in the place of the guest. Whoever connects to it
// says "host:port" and a newline, and what follows is a stream as the guest would open it.
//
//     coldframe-test-door SOCKET PROXY DIALLER
//
// On standard input comes one JSON object a line: first {"policy","services","trusted","javaStore"}, answered by {"ca"} when the authority of the
// proxy also stands in the file javaStore, as a guest writes it for Java; then {"key","service"}, answered by
// {}, and {"host","verdict"}, answered by {"connections"}. It ends with its standard input.
#include "base/file.h"
#include "guest/agent/java_trust.h"
#include "harness.h"

#include <array>
#include <iostream>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <thread>
#include <unistd.h>

using namespace proxytest;
using coldframe::UniqueFd;
using nlohmann::json;

namespace {

UniqueFd listenAt(const std::string& path)
{
    UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    struct sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    ::unlink(path.c_str());
    if (::bind(fd.get(), reinterpret_cast<const struct sockaddr*>(&address), sizeof address) != 0 || ::listen(fd.get(), 256) != 0) {
        std::perror(path.c_str());
        return {};
    }
    return fd;
}

std::string firstLine(int fd)
{
    std::string line;
    char byte = 0;
    while (line.size() < 300 && ::recv(fd, &byte, 1, 0) == 1 && byte != '\n') {
        line.push_back(byte);
    }
    return line;
}

void serve(Harness& harness, int fd)
{
    const UniqueFd client(fd);
    const Harness::Opened opened = harness.connect(firstLine(fd));
    if (opened.wire) {
        carryBothWays(fd, opened.wire->fd());
    }
}

json answer(Harness& harness, const json& question)
{
    if (question.contains("key")) {
        harness.sendKey(question["service"], question["key"]);
        return json::object();
    }
    return {{"connections", harness.connections(question["host"], question["verdict"])}};
}

} // namespace

int main(int argc, char** argv)
{
    std::string line;
    if (argc != 4 || !std::getline(std::cin, line)) {
        return 2;
    }
    const json given = json::parse(line);
    Harness::Setup setup;
    setup.policy = given["policy"];
    setup.services = given.value("services", json::array());
    setup.trusted = given["trusted"].get<std::vector<std::string>>();
    setup.command = argv[2];
    setup.dialCommand = argv[3];
    const UniqueFd listener = listenAt(argv[1]);
    if (!listener) {
        return 1;
    }
    Harness harness(setup);
    const std::string store = coldframe::guest::javaStore(harness.caPem(), "", 0);
    if (!coldframe::writeFileAtomic(given["javaStore"].get<std::string>(), store, 0644)) {
        return 1;
    }
    std::cout << json{{"ca", harness.caPem()}}.dump() << std::endl;
    // Its threads end with the process: each is bound to a connection that the process holds.
    std::thread([&harness, &listener] {
        for (int fd = 0; (fd = ::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC)) >= 0;) {
            std::thread(serve, std::ref(harness), fd).detach();
        }
    }).detach();
    while (std::getline(std::cin, line)) {
        std::cout << answer(harness, json::parse(line)).dump() << std::endl;
    }
    // Proxy and dialler end by the end of what they hold to this process.
    ::_exit(0);
}
