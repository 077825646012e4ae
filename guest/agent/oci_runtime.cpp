// SPDX-License-Identifier: Apache-2.0
#include "guest/agent/oci_runtime.h"

#include "base/file.h"
#include "base/log.h"
#include "guest/agent/environment.h"
#include "guest/agent/java_trust.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <fcntl.h>
#include <linux/openat2.h>
#include <nlohmann/json.hpp>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace coldframe::guest {

namespace fs = std::filesystem;

namespace {

using Json = nlohmann::json;

/// Debian and Alpine, Fedora, RHEL, SUSE, OpenSSL's own default.
constexpr std::array kBundles = {"/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt",
                                 "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
                                 "/etc/ssl/ca-bundle.pem", "/etc/ssl/cert.pem"};

/// Is it a regular file, and no symlink, as seen from inside? Links in the container's image cannot lead out.
bool isPlainFile(int rootfs, const char* path)
{
    struct open_how how
    {
    };
    how.flags = O_PATH | O_CLOEXEC | O_NOFOLLOW;
    how.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;
    const UniqueFd file(static_cast<int>(::syscall(SYS_openat2, rootfs, path, &how, sizeof how)));
    struct stat info
    {
    };
    return file && ::fstat(file.get(), &info) == 0 && S_ISREG(info.st_mode);
}

Json bindMount(const std::string& destination, const char* source = kCaBundle)
{
    return {{"destination", destination},
            {"type", "bind"},
            {"source", source},
            {"options", Json::array({"bind", "ro", "nosuid", "nodev", "noexec"})}};
}

void addEnvironment(Json& process)
{
    Json environment = process.value("env", Json::array());
    for (const auto& [name, value] : trustEnvironment(kContainerBundle)) {
        const std::string prefix = name + "=";
        const bool isSet = std::any_of(environment.begin(), environment.end(), [&](const Json& entry) {
            return entry.is_string() && entry.get_ref<const std::string&>().starts_with(prefix);
        });
        if (!isSet) {
            environment.push_back(prefix + value);
        }
    }
    process["env"] = std::move(environment);
}

/// Where the edited configuration mounts it.
Result<void> provideJavaStore(const std::string& config)
{
    if (config.find(kContainerJavaStore) == std::string::npos) {
        return {};
    }
    COLDFRAME_TRY(const std::string pem, readFile(kCaBundle));
    return replaceFile(kContainerJavaStore, javaStore(pem, "", 0), 0644);
}

std::string bundleOf(int argc, char** argv)
{
    for (int i = 1; i < argc; ++i) {
        const std::string_view argument = argv[i];
        if ((argument == "--bundle" || argument == "-b") && i + 1 < argc) {
            return argv[i + 1];
        }
        if (argument.starts_with("--bundle=")) {
            return std::string(argument.substr(9));
        }
    }
    return ".";
}

} // namespace

Result<std::string> withTrust(std::string_view config, const fs::path& bundleFolder)
{
    try {
        Json spec = Json::parse(config);
        if (!spec.is_object() || !spec.contains("process") || !spec["process"].is_object()) {
            return fail(ErrorCode::Corrupt, "The container's configuration has no process.");
        }
        addEnvironment(spec["process"]);
        fs::path rootPath = spec.value("root", Json::object()).value("path", std::string("rootfs"));
        if (rootPath.is_relative()) {
            rootPath = bundleFolder / rootPath;
        }
        Json mounts = spec.value("mounts", Json::array());
        const auto isMounted = [&](const std::string& path) {
            return std::any_of(mounts.begin(), mounts.end(), [&](const Json& mount) {
                return mount.value("destination", std::string()) == path;
            });
        };
        const UniqueFd rootfs(::open(rootPath.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
        for (const char* bundle : kBundles) {
            if (rootfs && !isMounted(bundle) && isPlainFile(rootfs.get(), bundle)) {
                mounts.push_back(bindMount(bundle));
            }
        }
        if (isMounted("/dev") && !isMounted(kContainerBundle)) {
            mounts.push_back(bindMount(kContainerBundle));
        }
        for (const std::string& store : findJavaStores(rootPath)) {
            if (!isMounted("/" + store)) {
                mounts.push_back(bindMount("/" + store, kContainerJavaStore));
            }
        }
        spec["mounts"] = std::move(mounts);
        return spec.dump(-1, ' ', false, Json::error_handler_t::replace);
    } catch (const std::exception& error) {
        return fail(ErrorCode::Corrupt, "The container's configuration cannot be read.", error.what());
    }
}

int runOciRuntime(int argc, char** argv)
{
    const bool starts = std::any_of(argv + 1, argv + argc, [](const char* argument) {
        return std::strcmp(argument, "create") == 0 || std::strcmp(argument, "run") == 0;
    });
    if (starts) {
        const fs::path bundle = bundleOf(argc, argv);
        const auto config = readFile(bundle / "config.json", 16u << 20);
        auto edited = config ? withTrust(*config, bundle) : Result<std::string>(tl::unexpected(config.error()));
        if (const auto provided = edited ? provideJavaStore(*edited) : Result<void>(); !provided) {
            edited = tl::unexpected(provided.error());
        }
        if (edited) {
            (void)writeFileAtomic(bundle / "config.json", *edited, 0600);
        } else {
            logWarning("runc", edited.error().message + " " + edited.error().detail);
        }
    }
    for (const char* real : {"/usr/sbin/runc", "/usr/bin/runc", "/usr/local/bin/runc"}) {
        ::execv(real, argv);
    }
    logError("runc", "the image has no runc");
    return 127;
}

} // namespace coldframe::guest
