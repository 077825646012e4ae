// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "fake_engine_process.h"

#include "api/client.h"
#include "ui/main_window.h"
#include "ui/sandbox_model.h"
#include "ui/sandbox_page.h"

#include <QMessageBox>
#include <QPushButton>
#include <memory>

namespace coldframe::ui {

// The sandboxes of `fake-coldframed --populate`.
inline const QString kWebshop = QStringLiteral("5e1f00aa11223344");
inline const QString kParser = QStringLiteral("7b2c00bb55667788");
inline const QString kDocs = QStringLiteral("9d3e00cc99aabbcc");

/// A test that drives the real main window against the fake engine by object names.
class WindowTest : public QObject
{
protected:
    struct Scene
    {
        explicit Scene(const QStringList& options) : engine(options)
        {
            client.setSocketPath(engine.socket());
            window.resize(1100, 700);
            window.show();
            client.connectToEngine();
        }
        FakeEngineProcess engine;
        api::Client client;
        MainWindow window{client};
    };

    void begin(const QStringList& options)
    {
        end();
        m_scene = std::make_unique<Scene>(options);
        QTRY_VERIFY(m_scene->window.model().isKnown());
    }
    void end() { m_scene.reset(); }

    template <typename T> T* child(const char* name) const
    {
        return m_scene->window.findChild<T*>(QString::fromLatin1(name));
    }
    /// On the page that is shown.
    template <typename T> T* shownChild(const char* name) const
    {
        for (T* found : m_scene->window.findChildren<T*>(QString::fromLatin1(name))) {
            if (found->isVisible()) {
                return found;
            }
        }
        return nullptr;
    }
    void click(const char* name)
    {
        QTRY_VERIFY2(shownChild<QPushButton>(name) && shownChild<QPushButton>(name)->isEnabled(), name);
        QTest::mouseClick(shownChild<QPushButton>(name), Qt::LeftButton);
    }
    void answer(const char* button)
    {
        QTRY_VERIFY(shownChild<QMessageBox>("confirmBox"));
        QTest::mouseClick(shownChild<QMessageBox>("confirmBox")->findChild<QPushButton*>(QString::fromLatin1(button)), Qt::LeftButton);
        QTRY_VERIFY(!shownChild<QMessageBox>("confirmBox"));
    }
    SandboxPage* page(const QString& id)
    {
        m_scene->window.showSandbox(id);
        return m_scene->window.page(id);
    }
    SandboxState state(const QString& id) const
    {
        const Sandbox* sandbox = m_scene->window.model().find(id);
        return sandbox ? sandbox->state : SandboxState::Unknown;
    }
    QList<QJsonObject> requests(const char* method) const { return m_scene->engine.requests(QString::fromLatin1(method)); }

    std::unique_ptr<Scene> m_scene;
};

} // namespace coldframe::ui
