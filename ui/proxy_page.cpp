// SPDX-License-Identifier: Apache-2.0
#include "ui/proxy_page.h"

#include "ui/text.h"

#include <QComboBox>
#include <QFormLayout>
#include <QHBoxLayout>
#include <QLabel>
#include <QLineEdit>
#include <QPushButton>
#include <QRegularExpression>
#include <QSpinBox>
#include <QVBoxLayout>

namespace coldframe::ui {

using nlohmann::json;

namespace {

constexpr int kUsualPort = 3128;

QLabel* hint(const QString& text, QWidget* parent)
{
    auto* label = new QLabel(text, parent);
    label->setTextFormat(Qt::PlainText);
    label->setWordWrap(true);
    return label;
}

QLineEdit* field(const QString& accessible, const char* name, const QString& placeholder, QWidget* parent)
{
    auto* made = new QLineEdit(parent);
    made->setObjectName(QString::fromLatin1(name));
    made->setAccessibleName(accessible);
    made->setPlaceholderText(placeholder);
    return made;
}

} // namespace

ProxyPage::ProxyPage(QWidget* parent) : QWidget(parent)
{
    auto* column = new QVBoxLayout(this);
    column->setContentsMargins(16, 16, 16, 16);
    column->addWidget(hint(tr("How sandboxes reach the internet where the network wants a proxy. Nothing in a sandbox can change it."), this));
    m_form = new QFormLayout;
    m_form->setVerticalSpacing(10);
    m_form->setFieldGrowthPolicy(QFormLayout::AllNonFixedFieldsGrow);
    column->addLayout(m_form);

    m_kind = new QComboBox(this);
    m_kind->setObjectName(QStringLiteral("proxyKind"));
    m_kind->setAccessibleName(tr("The network's proxy"));
    m_kind->addItem(tr("None: connect directly"), QStringLiteral("none"));
    m_kind->addItem(tr("As this computer's settings say"), QStringLiteral("system"));
    m_kind->addItem(tr("HTTP proxy"), QStringLiteral("http"));
    m_kind->addItem(tr("HTTP proxy, spoken to by TLS"), QStringLiteral("https"));
    m_kind->addItem(tr("SOCKS 5 proxy"), QStringLiteral("socks5"));
    m_kind->addItem(tr("Configuration script (PAC)"), QStringLiteral("script"));
    m_form->addRow(tr("&Proxy"), m_kind);
    m_host = field(tr("The proxy's name or address"), "proxyHost", tr("proxy.example.com"), this);
    m_port = new QSpinBox(this);
    m_port->setObjectName(QStringLiteral("proxyPort"));
    m_port->setAccessibleName(tr("The proxy's port"));
    m_port->setRange(1, 65535);
    m_port->setValue(kUsualPort);
    m_form->addRow(tr("&Host"), m_host);
    m_form->addRow(tr("P&ort"), m_port);
    m_script = field(tr("The script's file or address"), "proxyScript", QStringLiteral("http://wpad.example.com/wpad.dat"), this);
    m_form->addRow(tr("&Script"), m_script);
    m_user = field(tr("User name for the proxy"), "proxyUser", tr("none"), this);
    m_form->addRow(tr("&User name"), m_user);
    m_passwordHint = hint(tr("The password belongs in the keychain: coldframe keys set upstream-proxy"), this);
    m_passwordHint->setTextInteractionFlags(Qt::TextSelectableByMouse | Qt::TextSelectableByKeyboard);
    m_form->addRow(QString(), m_passwordHint);
    m_exempt = field(tr("Reached without the proxy"), "proxyExempt", QStringLiteral("corp.example.com, 10.0.0.0/8"), this);
    m_form->addRow(tr("&Without it"), m_exempt);
    m_delegated = hint(tr("A proxy looks names up itself, so addresses cannot be checked here. Only hosts that a rule names are "
                          "reached through it; an open network mode alone is not enough."),
                       this);
    column->addWidget(m_delegated);
    column->addStretch(1);
    m_apply = new QPushButton(tr("Apply"), this);
    m_apply->setObjectName(QStringLiteral("proxyApply"));
    m_apply->setAccessibleName(tr("Apply the proxy's settings"));
    m_apply->setAutoDefault(false);
    auto* row = new QHBoxLayout;
    row->addStretch(1);
    row->addWidget(m_apply);
    column->addLayout(row);

    connect(m_kind, &QComboBox::currentIndexChanged, this, &ProxyPage::showFitting);
    connect(m_host, &QLineEdit::textChanged, this, &ProxyPage::showFitting);
    connect(m_script, &QLineEdit::textChanged, this, &ProxyPage::showFitting);
    connect(m_apply, &QPushButton::clicked, this, [this] { emit applied(entered()); });
    showFitting();
}

void ProxyPage::setSettings(const json& settings)
{
    const auto found = settings.is_object() ? settings.find("upstreamProxy") : settings.end();
    const json setting = found != settings.end() && found->is_object() ? *found : json::object();
    m_kind->setCurrentIndex(qMax(0, m_kind->findData(shownField(setting, "kind"))));
    m_host->setText(shownField(setting, "host"));
    const qint64 port = numberField(setting, "port");
    m_port->setValue(port > 0 ? static_cast<int>(port) : kUsualPort);
    m_script->setText(shownField(setting, "script"));
    m_user->setText(shownField(setting, "user"));
    QStringList exempt;
    for (const json& entry : listField(setting, "exempt")) {
        exempt << (entry.is_string() ? shown(entry.get<std::string>()) : QString());
    }
    m_exempt->setText(exempt.join(QStringLiteral(", ")));
    m_isShown = true;
    showFitting();
}

void ProxyPage::showFitting()
{
    const QString kind = m_kind->currentData().toString();
    const bool isProxy = kind == QLatin1String("http") || kind == QLatin1String("https") || kind == QLatin1String("socks5");
    const bool isScript = kind == QLatin1String("script");
    const auto setShown = [this](QWidget* widget, bool visible) {
        widget->setVisible(visible);
        if (QWidget* label = m_form->labelForField(widget)) {
            label->setVisible(visible);
        }
    };
    setShown(m_host, isProxy);
    setShown(m_port, isProxy);
    setShown(m_script, isScript);
    setShown(m_user, isProxy || isScript);
    setShown(m_passwordHint, isProxy || isScript);
    setShown(m_exempt, isProxy || isScript);
    m_delegated->setVisible(kind != QLatin1String("none"));
    m_apply->setEnabled(m_isShown && (!isProxy || !m_host->text().trimmed().isEmpty()) && (!isScript || !m_script->text().trimmed().isEmpty()));
}

json ProxyPage::entered() const
{
    const QString kind = m_kind->currentData().toString();
    const bool isProxy = kind == QLatin1String("http") || kind == QLatin1String("https") || kind == QLatin1String("socks5");
    const bool isScript = kind == QLatin1String("script");
    json setting{{"kind", kind.toStdString()}};
    if (isProxy) {
        setting["host"] = m_host->text().trimmed().toStdString();
        setting["port"] = m_port->value();
    }
    if (isScript) {
        setting["script"] = m_script->text().trimmed().toStdString();
    }
    if (isProxy || isScript) {
        setting["user"] = m_user->text().trimmed().toStdString();
        setting["exempt"] = json::array();
        static const QRegularExpression separators(QStringLiteral("[,;\\s]+"));
        for (const QString& entry : m_exempt->text().split(separators, Qt::SkipEmptyParts)) {
            setting["exempt"].push_back(entry.toStdString());
        }
    }
    return setting;
}

} // namespace coldframe::ui
