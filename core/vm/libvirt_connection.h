// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/result.h"
#include "vm/libvirt_errors.h"

#include <functional>
#include <libvirt/libvirt.h>
#include <memory>
#include <string>

namespace coldframe::vm {

/// The error of the last libvirt call on this thread.
LibvirtFailure lastLibvirtFailure();

struct DomainDeleter
{
    void operator()(virDomainPtr domain) const { virDomainFree(domain); }
};
using DomainHandle = std::unique_ptr<virDomain, DomainDeleter>;

/// What a connection tells its holder, on libvirt's event thread.
struct ConnectionCallbacks
{
    std::function<void()> closed;
    std::function<void(const std::string& domainName, int event, int detail)> lifecycle;
};

/// One open connection to the user's session daemon (vm/session_daemon.h) with keep-alive and callbacks. Closed by the destructor, which must not run
/// inside one of its own callbacks.
class LibvirtConnection
{
public:
    static Result<std::shared_ptr<LibvirtConnection>> open(ConnectionCallbacks callbacks);
    ~LibvirtConnection();
    LibvirtConnection(const LibvirtConnection&) = delete;
    LibvirtConnection& operator=(const LibvirtConnection&) = delete;

    virConnectPtr get() const { return m_handle; }

private:
    static Result<std::shared_ptr<LibvirtConnection>> openOnce(ConnectionCallbacks callbacks);
    explicit LibvirtConnection(virConnectPtr handle) : m_handle(handle) {}

    virConnectPtr m_handle;
    int m_lifecycleCallback = -1;
};

} // namespace coldframe::vm
