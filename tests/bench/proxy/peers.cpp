// SPDX-License-Identifier: Apache-2.0
#include "peers.h"

#include <arpa/inet.h>
#include <csignal>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <sched.h>
#include <sstream>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

namespace proxybench {

using coldframe::UniqueFd;

namespace {

std::string findProgram(const std::string& name)
{
    for (const char* folder : {"/usr/sbin/", "/usr/bin/", "/usr/local/bin/"}) {
        if (::access((folder + name).c_str(), X_OK) == 0) {
            return folder + name;
        }
    }
    return {};
}

void write(const std::string& path, const std::string& text) { std::ofstream(path) << text; }

} // namespace

std::uint16_t freePort()
{
    const UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    struct sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    ::bind(fd.get(), reinterpret_cast<const struct sockaddr*>(&address), sizeof address);
    socklen_t size = sizeof address;
    ::getsockname(fd.get(), reinterpret_cast<struct sockaddr*>(&address), &size);
    return ntohs(address.sin_port);
}

UniqueFd connectTo(std::uint16_t port)
{
    UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    struct sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (::connect(fd.get(), reinterpret_cast<const struct sockaddr*>(&address), sizeof address) != 0) {
        fd.reset();
    }
    return fd;
}

double processorSeconds(int pid)
{
    std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
    std::string text((std::istreambuf_iterator<char>(file)), {});
    const std::size_t name = text.rfind(')');
    if (name == std::string::npos) {
        return 0;
    }
    std::istringstream rest(text.substr(name + 2));
    std::string ignored;
    double user = 0;
    double system = 0;
    for (int field = 3; field < 14; ++field) {
        rest >> ignored;
    }
    rest >> user >> system;
    return (user + system) / static_cast<double>(::sysconf(_SC_CLK_TCK));
}

long memoryKiB(int pid, const std::string& field)
{
    std::ifstream file("/proc/" + std::to_string(pid) + "/status");
    std::string line;
    while (std::getline(file, line)) {
        if (line.starts_with(field + ":")) {
            return std::strtol(line.c_str() + field.size() + 1, nullptr, 10);
        }
    }
    return 0;
}

void pin(int pid, int processor)
{
    const long count = ::sysconf(_SC_NPROCESSORS_ONLN);
    cpu_set_t set;
    CPU_ZERO(&set);
    for (int i = 0; i < count; ++i) {
        if (count < 2 || (processor >= 0 ? i == processor : i > 0)) {
            CPU_SET(static_cast<unsigned>(i), &set);
        }
    }
    ::sched_setaffinity(pid, sizeof set, &set);
}

Peer::Peer(std::string name, std::string folder, std::uint16_t originPort)
    : m_name(std::move(name)), m_folder(std::move(folder)), m_originPort(originPort), m_port(freePort())
{
}

Peer::~Peer()
{
    if (m_child > 0) {
        ::kill(m_child, SIGKILL);
        ::waitpid(m_child, nullptr, 0);
    }
}

std::vector<std::string> Peer::command()
{
    const std::string own = std::to_string(m_port);
    const std::string origin = "127.0.0.1:" + std::to_string(m_originPort);
    if (m_name == "nginx") {
        write(m_folder + "/nginx.conf",
              "daemon off; master_process off; worker_processes 1; pid " + m_folder + "/nginx.pid; error_log " + m_folder
                  + "/nginx.log;\nevents { worker_connections 4096; }\nhttp { access_log off; client_body_temp_path " + m_folder
                  + "/b; proxy_temp_path " + m_folder + "/p; fastcgi_temp_path " + m_folder + "/f; uwsgi_temp_path " + m_folder
                  + "/u; scgi_temp_path " + m_folder + "/s; keepalive_requests 10000000;\nupstream o { server " + origin
                  + "; keepalive 64; keepalive_requests 10000000; }\nserver { listen 127.0.0.1:" + own
                  + " ssl; ssl_certificate " + m_folder + "/own.crt; ssl_certificate_key " + m_folder
                  + "/own.key; ssl_session_cache off; location / { proxy_pass https://o; proxy_http_version 1.1;"
                    " proxy_set_header Connection ''; proxy_set_header Host api.example.com; proxy_buffering on;"
                    " proxy_max_temp_file_size 0; proxy_ssl_verify on;"
                    " proxy_ssl_name api.example.com; proxy_ssl_server_name on; proxy_ssl_session_reuse off; proxy_ssl_trusted_certificate "
                  + m_folder + "/ca.pem; } } }\n");
        return {findProgram("nginx"), "-p", m_folder, "-c", m_folder + "/nginx.conf"};
    }
    if (m_name == "haproxy") {
        write(m_folder + "/haproxy.cfg",
              "global\n  nbthread 1\n  maxconn 4096\n  tune.ssl.cachesize 0\ndefaults\n  mode http\n  timeout connect 10s\n  timeout client 60s\n"
              "  timeout server 60s\n  http-reuse always\nfrontend f\n  bind 127.0.0.1:"
                  + own + " ssl crt " + m_folder + "/own.pem no-tls-tickets\n  default_backend b\nbackend b\n  server o " + origin
                  + " ssl verify required ca-file " + m_folder
                  + "/ca.pem verifyhost api.example.com sni str(api.example.com) no-ssl-reuse\n");
        return {findProgram("haproxy"), "-db", "-f", m_folder + "/haproxy.cfg"};
    }
    return {findProgram("mitmdump"), "-q", "--mode", "reverse:https://" + origin, "--listen-host", "127.0.0.1", "--listen-port", own,
            "--ssl-insecure", "--set", "keep_host_header=true", "--set", "stream_large_bodies=1m", "--set", "confdir=" + m_folder + "/mitm",
            "--certs", m_folder + "/own.pem"};
}

bool Peer::start()
{
    const std::vector<std::string> words = command();
    if (words[0].empty()) {
        return false;
    }
    m_child = ::fork();
    if (m_child == 0) {
        const int log = ::open((m_folder + "/" + m_name + ".out").c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
        ::dup2(log, 1);
        ::dup2(log, 2);
        std::vector<char*> arguments;
        for (const std::string& word : words) {
            arguments.push_back(const_cast<char*>(word.c_str()));
        }
        arguments.push_back(nullptr);
        ::execv(arguments[0], arguments.data());
        ::_exit(127);
    }
    pin(m_child, 0);
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
    while (std::chrono::steady_clock::now() < deadline) {
        if (connectTo(m_port)) {
            return true;
        }
        if (::waitpid(m_child, nullptr, WNOHANG) == m_child) {
            m_child = -1;
            return false;
        }
        std::this_thread::sleep_for(std::chrono::milliseconds(20)); // polls with a deadline
    }
    return false;
}

} // namespace proxybench
