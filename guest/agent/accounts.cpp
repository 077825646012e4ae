// SPDX-License-Identifier: Apache-2.0
#include "guest/agent/accounts.h"

#include "base/file.h"

#include <algorithm>
#include <charconv>
#include <fcntl.h>
#include <ftw.h>
#include <sys/stat.h>
#include <unistd.h>

namespace coldframe::guest {

namespace {

std::vector<std::string> split(std::string_view line, char separator)
{
    std::vector<std::string> parts;
    std::size_t begin = 0;
    for (;;) {
        const std::size_t end = line.find(separator, begin);
        if (end == std::string_view::npos) {
            parts.emplace_back(line.substr(begin));
            return parts;
        }
        parts.emplace_back(line.substr(begin, end - begin));
        begin = end + 1;
    }
}

std::vector<std::string> lines(std::string_view text)
{
    auto all = split(text, '\n');
    if (!all.empty() && all.back().empty()) {
        all.pop_back();
    }
    return all;
}

std::string joined(const std::vector<std::string>& parts, char separator)
{
    std::string out;
    for (std::size_t i = 0; i < parts.size(); ++i) {
        out += (i == 0 ? "" : std::string(1, separator)) + parts[i];
    }
    return out;
}

std::string text(const std::vector<std::string>& all)
{
    std::string out;
    for (const auto& line : all) {
        out += line + "\n";
    }
    return out;
}

bool number(const std::string& digits, unsigned& value)
{
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    return error == std::errc() && end == digits.data() + digits.size();
}

// nftw has no argument for its callback; the agent is single-threaded and this runs once per setup.
uid_t g_oldUid, g_newUid;
gid_t g_oldGid, g_newGid;

int takeAlong(const char* path, const struct stat* info, int, struct FTW*)
{
    if (info->st_uid == g_oldUid || info->st_gid == g_oldGid) {
        (void)!::lchown(path, info->st_uid == g_oldUid ? g_newUid : info->st_uid,
                        info->st_gid == g_oldGid ? g_newGid : info->st_gid);
    }
    return 0;
}

Result<void> replaceIfChanged(const std::filesystem::path& path, const std::string& before,
                              const std::string& after, mode_t mode)
{
    if (before == after) {
        return {};
    }
    struct stat info
    {
    };
    const bool existed = ::stat(path.c_str(), &info) == 0;
    COLDFRAME_CHECK(replaceFile(path, after, existed ? info.st_mode & 0777 : mode));
    if (existed && ::chown(path.c_str(), info.st_uid, info.st_gid) != 0) {
        return failErrno("Cannot set the owner of " + path.string() + ".", errno);
    }
    return {};
}

} // namespace

std::string loginShell(const std::filesystem::path& root)
{
    return ::access((root / "bin/bash").c_str(), X_OK) == 0 ? "/bin/bash" : "/bin/sh";
}

std::string passwdWith(std::string_view passwd, const Account& account)
{
    auto all = lines(passwd);
    bool found = false;
    for (auto& line : all) {
        auto fields = split(line, ':');
        if (fields.size() == 7 && fields[0] == account.name) {
            fields[2] = std::to_string(account.uid);
            fields[3] = std::to_string(account.gid);
            fields[5] = account.home;
            line = joined(fields, ':');
            found = true;
        }
    }
    if (!found) {
        all.push_back(account.name + ":x:" + std::to_string(account.uid) + ":" + std::to_string(account.gid) +
                      "::" + account.home + ":" + account.shell);
    }
    return text(all);
}

std::string groupWith(std::string_view group, std::string_view name, gid_t gid)
{
    auto all = lines(group);
    bool found = false;
    for (auto& line : all) {
        auto fields = split(line, ':');
        if (fields.size() == 4 && fields[0] == name) {
            fields[2] = std::to_string(gid);
            line = joined(fields, ':');
            found = true;
        }
    }
    if (!found) {
        all.push_back(std::string(name) + ":x:" + std::to_string(gid) + ":");
    }
    return text(all);
}

std::string shadowWith(std::string_view shadow, std::string_view name)
{
    auto all = lines(shadow);
    const std::string prefix = std::string(name) + ":";
    if (std::none_of(all.begin(), all.end(), [&](const auto& line) { return line.starts_with(prefix); })) {
        // "*" forbids a password log-in but, unlike "!", does not count as expired to sudo and PAM.
        all.push_back(prefix + "*:19000:0:99999:7:::");
    }
    return text(all);
}

Result<Account> findAccount(std::string_view passwd, std::string_view group, std::string_view name)
{
    for (const auto& line : lines(passwd)) {
        const auto fields = split(line, ':');
        Account account;
        if (fields.size() != 7 || fields[0] != name || !number(fields[2], account.uid) ||
            !number(fields[3], account.gid)) {
            continue;
        }
        account.name = fields[0];
        account.home = fields[5].empty() ? "/" : fields[5];
        account.shell = fields[6].empty() ? "/bin/sh" : fields[6];
        account.groups.push_back(account.gid);
        for (const auto& groupLine : lines(group)) {
            const auto groupFields = split(groupLine, ':');
            gid_t gid = 0;
            if (groupFields.size() != 4 || !number(groupFields[2], gid)) {
                continue;
            }
            const auto members = split(groupFields[3], ',');
            if (gid != account.gid && std::find(members.begin(), members.end(), name) != members.end()) {
                account.groups.push_back(gid);
            }
        }
        return account;
    }
    return fail(ErrorCode::NotFound, "The image has no user " + std::string(name) + ".");
}

Result<gid_t> findGroup(std::string_view group, std::string_view name)
{
    for (const auto& line : lines(group)) {
        const auto fields = split(line, ':');
        gid_t gid = 0;
        if (fields.size() == 4 && fields[0] == name && number(fields[2], gid)) {
            return gid;
        }
    }
    return fail(ErrorCode::NotFound, "The image has no group " + std::string(name) + ".");
}

Result<Account> loadAccount(const std::filesystem::path& root, std::string_view name)
{
    COLDFRAME_TRY(const std::string passwd, readFile(root / "etc/passwd"));
    COLDFRAME_TRY(const std::string group, readFile(root / "etc/group"));
    return findAccount(passwd, group, name);
}

Result<Account> ensureAccount(const std::filesystem::path& root, const Account& wanted)
{
    COLDFRAME_TRY(const std::string passwd, readFile(root / "etc/passwd"));
    COLDFRAME_TRY(const std::string group, readFile(root / "etc/group"));
    const std::string shadow = readFile(root / "etc/shadow").value_or("");
    const auto before = findAccount(passwd, group, wanted.name);

    COLDFRAME_CHECK(replaceIfChanged(root / "etc/passwd", passwd, passwdWith(passwd, wanted), 0644));
    COLDFRAME_CHECK(
        replaceIfChanged(root / "etc/group", group, groupWith(group, wanted.name, wanted.gid), 0644));
    COLDFRAME_CHECK(replaceIfChanged(root / "etc/shadow", shadow, shadowWith(shadow, wanted.name), 0640));

    const std::filesystem::path home = root / std::filesystem::path(wanted.home).relative_path();
    COLDFRAME_CHECK(makeFolders(home, 0755));
    struct stat info
    {
    };
    if (::stat(home.c_str(), &info) == 0 && (info.st_uid != wanted.uid || info.st_gid != wanted.gid)) {
        g_oldUid = before ? before->uid : info.st_uid;
        g_oldGid = before ? before->gid : info.st_gid;
        g_newUid = wanted.uid;
        g_newGid = wanted.gid;
        ::nftw(home.c_str(), takeAlong, 32, FTW_PHYS | FTW_MOUNT);
        if (::chown(home.c_str(), wanted.uid, wanted.gid) != 0) {
            return failErrno("Cannot give the home folder to its user.", errno);
        }
    }
    return loadAccount(root, wanted.name);
}

} // namespace coldframe::guest
