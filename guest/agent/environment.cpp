// SPDX-License-Identifier: Apache-2.0
#include "guest/agent/environment.h"

#include <algorithm>
#include <set>

namespace coldframe::guest {

std::map<std::string, std::string> trustEnvironment(const std::string& bundle)
{
    std::map<std::string, std::string> variables;
    for (const char* name :
         {"NODE_EXTRA_CA_CERTS", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "GIT_SSL_CAINFO", "CURL_CA_BUNDLE",
          "AWS_CA_BUNDLE", "PIP_CERT", "DENO_CERT", "CODEX_CA_CERTIFICATE", "CARGO_HTTP_CAINFO",
          // Clients with roots of their own: gRPC's core, Elixir's hex, Ruby's bundler, yarn, gcloud, httplib2, Nix, Perl's LWP.
          "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH", "HEX_CACERTS_PATH", "BUNDLE_SSL_CA_CERT", "YARN_HTTPS_CA_FILE_PATH",
          "CLOUDSDK_CORE_CUSTOM_CA_CERTS_FILE", "HTTPLIB2_CA_CERTS", "NIX_SSL_CERT_FILE", "PERL_LWP_SSL_CA_FILE"}) {
        variables[name] = bundle;
    }
    return variables;
}

std::map<std::string, std::string> execEnvironment(const Account& account,
                                                   const std::map<std::string, std::string>& sandbox,
                                                   const std::map<std::string, std::string>& own)
{
    std::map<std::string, std::string> variables = trustEnvironment(kCaBundle);
    variables["HOME"] = account.home;
    variables["USER"] = account.name;
    variables["LOGNAME"] = account.name;
    variables["SHELL"] = account.shell;
    variables["LANG"] = "C.UTF-8";
    variables["TERM"] = "xterm-256color";
    variables["COLORTERM"] = "truecolor";
    variables["PATH"] =
        "/opt/coldframe/agent/bin:/home/agent/.local/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:"
        "/usr/bin:/sbin:/bin";
    if (account.uid != 0) {
        variables["XDG_RUNTIME_DIR"] = "/run/user/" + std::to_string(account.uid);
    }
    for (const auto* more : {&sandbox, &own}) {
        for (const auto& [name, value] : *more) {
            variables[name] = value;
        }
    }
    return variables;
}

std::map<std::string, std::string> imageEnvironment(std::string_view text)
{
    static const std::set<std::string> notTheImages{"HOME", "USER", "LOGNAME", "SHELL", "TERM", "XDG_RUNTIME_DIR"};
    std::map<std::string, std::string> variables;
    while (!text.empty()) {
        const std::string_view line = text.substr(0, text.find('\n'));
        text.remove_prefix(std::min(text.size(), line.size() + 1));
        const std::size_t equals = line.find('=');
        if (equals == std::string_view::npos || equals == 0 || line.find('\0') != std::string_view::npos) {
            continue;
        }
        const std::string name(line.substr(0, equals));
        std::string value(line.substr(equals + 1));
        if (name == "PATH") {
            value = "/opt/coldframe/agent/bin:/home/agent/.local/bin:" + value;
        }
        if (!notTheImages.contains(name)) {
            variables[name] = std::move(value);
        }
    }
    return variables;
}

} // namespace coldframe::guest
