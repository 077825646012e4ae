// SPDX-License-Identifier: Apache-2.0
#include "engine/recipe_steps.h"

#include "image/tar_stream.h"

#include <memory>
#include <unistd.h>

namespace coldframe::engine {

namespace {

constexpr std::size_t kMaxPackages = 50'000;
constexpr std::size_t kMaxWord = 300;

GuestProgram shell(const std::string& command)
{
    GuestProgram program;
    program.argv = {"/bin/sh", "-c", command};
    return program;
}

/// A program that gets `words` as its own arguments, never through a shell's quoting.
GuestProgram shellWith(const std::string& command, const std::vector<std::string>& words)
{
    GuestProgram program = shell(command);
    program.argv.emplace_back("build");
    program.argv.insert(program.argv.end(), words.begin(), words.end());
    return program;
}

std::string joined(const std::vector<std::string>& words)
{
    std::string text;
    for (const std::string& word : words) {
        text += " " + word;
    }
    return text;
}

} // namespace

// A login shell sets PATH anew, so there it is set once more.
const char* const kSetEnvironment = R"sh(
set -e
mkdir -p /etc/coldframe /etc/profile.d
printf '%s\n' "$@" >>/etc/coldframe/environment
cat >/etc/profile.d/zz-coldframe-image.sh <<'END'
coldframe_path=$(sed -n 's/^PATH=//p' /etc/coldframe/environment 2>/dev/null | tail -n 1)
[ -z "$coldframe_path" ] || export PATH="/opt/coldframe/agent/bin:/home/agent/.local/bin:$coldframe_path"
unset coldframe_path
END
)sh";

const char* const kListPackages = R"sh(
if command -v dpkg-query >/dev/null 2>&1; then dpkg-query -W -f='${Package}\t${Version}\n'
elif command -v apk >/dev/null 2>&1; then apk info -v | sed -E 's/-([0-9][^-]*-r[0-9]+)$/\t\1/'
elif command -v rpm >/dev/null 2>&1; then rpm -qa --qf '%{NAME}\t%{VERSION}-%{RELEASE}\n'
fi
for file in /usr/local/lib/node_modules/*/package.json /usr/local/lib/node_modules/@*/*/package.json; do
  [ -f "$file" ] && sed -n -E '/^  "(name|version)":/{s/.*: *"([^"]*)".*/\1/;p;}' "$file" | tr '\n' ' ' |
    { read -r a b; case "$a" in [0-9]*) echo "npm:$b	$a" ;; *) echo "npm:$a	$b" ;; esac; }
done
for folder in /usr/local/lib/python3*/dist-packages/*.dist-info; do
  [ -d "$folder" ] && basename "$folder" .dist-info | sed -E 's/^([^-]*)-(.*)$/pip:\1\t\2/'
done
exit 0
)sh";

const char* const kTidyUp = R"sh(
ca=/usr/local/share/ca-certificates/coldframe.crt
bundle=/etc/ssl/certs/ca-certificates.crt
if [ -f $ca ] && [ -f $bundle ] && command -v awk >/dev/null; then
  awk 'FNR == NR { if (/BEGIN CERT/) own = ""; own = own $0 "\n"; next }
    /-----BEGIN CERTIFICATE-----/ { block = ""; inside = 1 }
    inside { block = block $0 "\n"; if (/-----END CERTIFICATE-----/) { inside = 0; if (block != own) printf "%s", block }; next }
    { print }' $ca $bundle >/run/coldframe-bundle && cat /run/coldframe-bundle >$bundle
  rm -f /run/coldframe-bundle
fi
find /etc/ssl/certs -type l -lname '*coldframe.*' -exec rm -f {} + 2>/dev/null
rm -f $ca /etc/ssh/ssh_host_*_key /etc/ssh/ssh_host_*_key.pub
: >/etc/machine-id
rm -rf /var/lib/coldframe/* /var/lib/dbus/machine-id
rm -rf /var/lib/apt/lists/* /var/cache/apt/archives/*.deb /var/cache/apt/*.bin /root/.cache /root/.npm /home/agent/.cache
rm -f /root/.bash_history /home/agent/.bash_history /var/log/apt/* /var/log/dpkg.log
find /tmp /var/tmp -mindepth 1 -delete 2>/dev/null
sync
command -v fstrim >/dev/null && fstrim / 2>/dev/null
exit 0
)sh";

std::vector<RecipeStep> recipeSteps(const image::Recipe& recipe)
{
    std::vector<RecipeStep> steps;
    const auto add = [&](std::string title, GuestProgram program) {
        for (const auto& [name, value] : recipe.environment) {
            program.environment[name] = value;
        }
        steps.push_back({std::move(title), std::move(program)});
    };
    if (!recipe.environment.empty()) {
        std::vector<std::string> lines;
        for (const auto& [name, value] : recipe.environment) {
            lines.push_back(name + "=" + value);
        }
        add("set the environment", shellWith(kSetEnvironment, lines));
    }
    if (!recipe.packages.empty()) {
        GuestProgram program = shellWith("apt-get update && apt-get install -y --no-install-recommends -- \"$@\"", recipe.packages);
        program.environment["DEBIAN_FRONTEND"] = "noninteractive";
        add("apt-get install" + joined(recipe.packages), std::move(program));
    }
    if (!recipe.pip.empty()) {
        add("pip install" + joined(recipe.pip),
            shellWith("pip install --no-input --no-cache-dir --break-system-packages --root-user-action=ignore -- \"$@\"", recipe.pip));
    }
    if (!recipe.npm.empty()) {
        GuestProgram program = shellWith("npm install --global --no-fund --no-audit -- \"$@\"", recipe.npm);
        program.environment["NPM_CONFIG_PREFIX"] = "/usr/local";
        add("npm install" + joined(recipe.npm), std::move(program));
    }
    for (const image::Recipe::Command& command : recipe.run) {
        GuestProgram program = shell(command.command);
        program.asAgent = command.asAgent;
        program.folder = !command.folder.empty() ? command.folder : command.asAgent ? "/home/agent" : "/";
        add(command.command.substr(0, command.command.find('\n')), std::move(program));
    }
    return steps;
}

GuestProgram copyFiles(const std::filesystem::path& folder, const image::Gathered& gathered)
{
    // The agent's ids inside are the user's own.
    const auto stream = std::make_shared<image::TarStream>(folder, gathered, ::getuid(), ::getgid());
    GuestProgram program;
    // What is there already (/etc, a home) keeps its own mode; only GNU's tar can be told so.
    program.argv = {"/bin/sh", "-c",
                    "if tar --version 2>/dev/null | grep -q GNU; then exec tar -x -p --no-overwrite-dir -f - -C /; fi; exec tar -x -p -f - -C /"};
    program.input = [stream] { return stream->next(); };
    return program;
}

std::map<std::string, std::string> packagesFromList(std::string_view text)
{
    std::map<std::string, std::string> packages;
    while (!text.empty() && packages.size() < kMaxPackages) {
        const std::string_view line = text.substr(0, text.find('\n'));
        text.remove_prefix(std::min(text.size(), line.size() + 1));
        const std::size_t tab = line.find('\t');
        if (tab == std::string_view::npos || tab == 0 || line.size() > kMaxWord) {
            continue;
        }
        packages.emplace(line.substr(0, tab), line.substr(tab + 1));
    }
    return packages;
}

} // namespace coldframe::engine
