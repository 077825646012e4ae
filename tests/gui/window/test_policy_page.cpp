// SPDX-License-Identifier: Apache-2.0
// The Policy page of the real main window.
#include "window_test.h"

#include <QComboBox>
#include <QJsonArray>
#include <QLabel>
#include <QLineEdit>
#include <QTreeWidget>

using namespace coldframe;
using namespace coldframe::ui;

class TestPolicyPage : public WindowTest
{
    Q_OBJECT

private slots:
    void cleanup() { end(); }

    void policyIsShownExplainedAndChanged()
    {
        begin({QStringLiteral("--populate")});
        page(kDocs)->showPolicy();
        auto* mode = shownChild<QComboBox>("policyMode");
        QTRY_VERIFY(mode->currentIndex() >= 0);
        auto* groups = shownChild<QTreeWidget>("policyGroups");
        QTRY_COMPARE(groups->topLevelItemCount(), 4);
        // A rule with an end.
        shownChild<QLineEdit>("policyPattern")->setText(QStringLiteral("files.example.com:443"));
        shownChild<QComboBox>("policyAction")->setCurrentIndex(1);
        shownChild<QComboBox>("policyLasts")->setCurrentIndex(2);
        click("policyAdd");
        QTRY_COMPARE(requests("policy.add").size(), 1);
        QCOMPARE(requests("policy.add")[0][QStringLiteral("action")].toString(), QStringLiteral("deny"));
        QCOMPARE(requests("policy.add")[0][QStringLiteral("expiresInSeconds")].toInt(), 3600);
        const auto rowOf = [&](const QString& pattern) { return shownChild<QTreeWidget>("policyRules")->findItems(pattern, Qt::MatchExactly).value(0); };
        QTRY_VERIFY(shownChild<QTreeWidget>("policyRules") && rowOf(QStringLiteral("files.example.com:443")));
        QVERIFY(rowOf(QStringLiteral("files.example.com:443"))->text(4).contains(QStringLiteral("26")));
        // Its note is written in its row.
        rowOf(QStringLiteral("files.example.com:443"))->setText(5, QStringLiteral("too large"));
        QTRY_COMPARE(requests("policy.update").size(), 1);
        QCOMPARE(requests("policy.update")[0][QStringLiteral("note")].toString(), QStringLiteral("too large"));
        // What would happen.
        QVERIFY(!shownChild<QLabel>("policyVerdict"));
        shownChild<QLineEdit>("policyCheckHost")->setText(QStringLiteral("unknown.example.com:8443"));
        click("policyCheck");
        QTRY_VERIFY(shownChild<QLabel>("policyVerdict"));
        QCOMPARE(requests("policy.check")[0][QStringLiteral("port")].toInt(), 8443);
        QVERIFY(shownChild<QLabel>("policyVerdict")->text().contains(QStringLiteral("No rule names this host")));
        // A group is switched for this sandbox.
        const bool wasOn = groups->topLevelItem(2)->checkState(0) == Qt::Checked;
        groups->topLevelItem(2)->setCheckState(0, wasOn ? Qt::Unchecked : Qt::Checked);
        QTRY_COMPARE(requests("policy.preset").size(), 1);
        QCOMPARE(requests("policy.preset")[0][QStringLiteral("name")].toString(), QStringLiteral("documentation"));
        QCOMPARE(requests("policy.preset")[0][QStringLiteral("on")].toBool(), !wasOn);
        // To open everything is asked about first.
        mode->setCurrentIndex(0);
        emit mode->activated(0);
        answer("confirmCancel");
        QVERIFY(requests("policy.mode").isEmpty());
        QTRY_VERIFY(mode->currentIndex() != 0);
        mode->setCurrentIndex(2);
        emit mode->activated(2);
        QTRY_COMPARE(requests("policy.mode").size(), 1);
        QTRY_VERIFY(rowOf(QStringLiteral("files.example.com:443")));
        shownChild<QTreeWidget>("policyRules")->setCurrentItem(rowOf(QStringLiteral("files.example.com:443")));
        click("policyRemove");
        QTRY_COMPARE(requests("policy.remove").size(), 1);
        // The list of what was used is edited, and holds only when it is accepted.
        click("policyTighten");
        QTRY_VERIFY(shownChild<QTreeWidget>("tightenPlaces"));
        shownChild<QTreeWidget>("tightenPlaces")->topLevelItem(1)->setCheckState(0, Qt::Unchecked);
        QVERIFY(requests("policy.import").isEmpty());
        click("tightenAccept");
        QTRY_COMPARE(requests("policy.import").size(), 1);
        const QJsonObject document = requests("policy.import")[0][QStringLiteral("document")].toObject();
        QCOMPARE(document[QStringLiteral("rules")].toArray().size(), 1);
        QCOMPARE(document[QStringLiteral("mode")].toString(), QStringLiteral("locked"));
    }

    void whatIsSuggestedHoldsOnlyWhenItIsAccepted()
    {
        begin({QStringLiteral("--populate")});
        page(kDocs)->showPolicy();
        QTRY_VERIFY(shownChild<QFrame>("suggestionBar"));
        const auto text = [&] { return shownChild<QLabel>("suggestionText") ? shownChild<QLabel>("suggestionText")->text() : QString(); };
        QCOMPARE(text(), QStringLiteral("Allow *.example.net:443 for all sandboxes?"));
        QVERIFY(shownChild<QLabel>("suggestionMore")->text().contains(QStringLiteral("b.example.net")));
        // What has just come into view cannot be clicked yet.
        QVERIFY(!shownChild<QPushButton>("suggestionAccept")->isEnabled());
        QVERIFY(requests("policy.suggestion").isEmpty());
        click("suggestionAccept");
        QTRY_COMPARE(requests("policy.suggestion").size(), 1);
        QCOMPARE(requests("policy.suggestion")[0][QStringLiteral("id")].toString(), QStringLiteral("0a1b2c3d"));
        QVERIFY(requests("policy.suggestion")[0][QStringLiteral("accept")].toBool());
        QTRY_VERIFY(text().contains(QStringLiteral("old.example.org")));
        click("suggestionDismiss");
        QTRY_COMPARE(requests("policy.suggestion").size(), 2);
        QVERIFY(!requests("policy.suggestion")[1][QStringLiteral("accept")].toBool(true));
        QTRY_VERIFY(!shownChild<QFrame>("suggestionBar"));
    }
};

QTEST_MAIN(TestPolicyPage)
#include "test_policy_page.moc"
