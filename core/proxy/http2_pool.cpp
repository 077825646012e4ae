// SPDX-License-Identifier: Apache-2.0
#include "proxy/http2_pool.h"

#include <algorithm>

namespace coldframe::proxy {

namespace {

constexpr std::size_t kMaxPlaces = 512;

} // namespace

Http2Pool::~Http2Pool()
{
    for (auto& [key, place] : m_places) {
        for (const Http2ConnectionPtr& connection : place.connections) {
            connection->abort();
        }
    }
}

Http2Pool::Place& Http2Pool::placeOf(const std::string& key)
{
    if (m_places.size() >= kMaxPlaces && m_places.find(key) == m_places.end()) {
        std::erase_if(m_places, [](const auto& entry) {
            const bool lives = std::any_of(entry.second.connections.begin(), entry.second.connections.end(),
                                           [](const Http2ConnectionPtr& connection) { return connection->isAlive(); });
            return !lives && !entry.second.connecting;
        });
    }
    return m_places[key];
}

Http2ConnectionPtr Http2Pool::find(const std::string& key)
{
    const auto place = m_places.find(key);
    if (place == m_places.end()) {
        return nullptr;
    }
    auto& connections = place->second.connections;
    std::erase_if(connections, [](const Http2ConnectionPtr& connection) { return !connection->isAlive(); });
    const auto usable = std::find_if(connections.begin(), connections.end(),
                                     [](const Http2ConnectionPtr& connection) { return connection->isUsable(); });
    return usable == connections.end() ? nullptr : *usable;
}

void Http2Pool::add(const std::string& key, Http2ConnectionPtr connection)
{
    Place& place = placeOf(key);
    place.isHttp1 = false;
    place.connections.push_back(std::move(connection));
}

bool Http2Pool::isKnownHttp1(const std::string& key) const
{
    const auto place = m_places.find(key);
    return place != m_places.end() && place->second.isHttp1;
}

void Http2Pool::setKnownHttp1(const std::string& key) { placeOf(key).isHttp1 = true; }

bool Http2Pool::claim(const std::string& key)
{
    Place& place = placeOf(key);
    if (place.connecting) {
        return false;
    }
    place.connecting = true;
    return true;
}

void Http2Pool::settle(const std::string& key)
{
    Place& place = placeOf(key);
    place.connecting = false;
    const auto waiters = std::move(place.waiters);
    place.waiters.clear();
    for (const std::shared_ptr<Notifier>& waiter : waiters) {
        waiter->notify();
    }
}

asio::awaitable<void> Http2Pool::settled(std::string key)
{
    const auto waiter = std::make_shared<Notifier>(m_io);
    placeOf(key).waiters.push_back(waiter);
    co_await waiter->wait();
}

void Http2Pool::clear()
{
    for (auto& [key, place] : m_places) {
        for (const Http2ConnectionPtr& connection : place.connections) {
            connection->shutDown();
        }
        place.connections.clear();
        place.isHttp1 = false;
    }
}

} // namespace coldframe::proxy
