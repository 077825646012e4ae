// SPDX-License-Identifier: Apache-2.0
// The pure rules, as a table: what stood in the ancestor, on the host, in the guest; what happens.
#include "sync/ancestor.h"
#include "sync/digest.h"
#include "sync/reconcile.h"

#include <QTest>
#include <sstream>

using namespace coldframe::sync;

namespace {

/// "f=1 d/ d/x=2 l>t s! p?" : file with content, folder, link, untracked, problem; "f*=1" is executable.
Node tree(const std::string& text)
{
    Node root;
    root.entry.kind = Kind::Directory;
    std::istringstream words(text);
    std::string word;
    while (words >> word) {
        Entry entry;
        std::string path = word;
        if (word.back() == '/') {
            entry.kind = Kind::Directory;
            path.pop_back();
        } else if (word.back() == '!' || word.back() == '?') {
            entry.kind = word.back() == '!' ? Kind::Untracked : Kind::Problem;
            path.pop_back();
        } else if (const auto equals = word.find('='); equals != std::string::npos) {
            const std::string content = word.substr(equals + 1);
            path = word.substr(0, equals);
            entry = {Kind::File, path.back() == '*', content.size(), digestOf(content), {}};
            if (entry.executable) {
                path.pop_back();
            }
        } else {
            const auto arrow = word.find('>');
            path = word.substr(0, arrow);
            entry = {Kind::Symlink, false, 0, {}, word.substr(arrow + 1)};
        }
        setNode(root, path, entry);
    }
    return root;
}

std::string describe(const std::vector<Operation>& operations)
{
    std::string text;
    for (const Operation& operation : operations) {
        const char sign = operation.after.kind == Kind::None ? '-' : operation.before.kind == Kind::None ? '+' : '~';
        text += (text.empty() ? "" : " ") + std::string(1, sign) + operation.path;
    }
    return text;
}

} // namespace

class TestSyncReconcile : public QObject
{
    Q_OBJECT

private slots:
    void rules_data()
    {
        QTest::addColumn<QString>("ancestor");
        QTest::addColumn<QString>("host");
        QTest::addColumn<QString>("guest");
        QTest::addColumn<QString>("onHost");
        QTest::addColumn<QString>("onGuest");
        QTest::addColumn<int>("conflicts");
        QTest::addColumn<int>("mode");
        const auto row = [](const char* name, const char* a, const char* h, const char* g, const char* onHost,
                            const char* onGuest, int conflicts = 0, ReconcileMode mode = ReconcileMode::TwoWaySafe) {
            QTest::newRow(name) << QString(a) << QString(h) << QString(g) << QString(onHost) << QString(onGuest)
                                << conflicts << static_cast<int>(mode);
        };
        row("all empty", "", "", "", "", "");
        row("all the same", "f=1 d/ l>f", "f=1 d/ l>f", "f=1 d/ l>f", "", "");
        row("both created the same", "", "d/ d/f=1", "d/ d/f=1", "", "");
        row("both deleted", "d/ d/f=1", "", "", "", "");
        row("host created file", "", "f=1", "", "", "+f");
        row("guest created file", "", "", "f=1", "+f", "");
        row("host created folder", "", "d/ d/e/ d/e/f=1", "", "", "+d +d/e +d/e/f");
        row("guest created file in existing folder", "d/", "d/", "d/ d/f=1", "+d/f", "");
        row("host modified", "f=1", "f=2", "f=1", "", "~f");
        row("guest modified", "f=1", "f=1", "f=2", "~f", "");
        row("guest made it executable", "f=1", "f=1", "f*=1", "~f", "");
        row("host replaced file with folder", "f=1", "f/ f/x=1", "f=1", "", "-f +f +f/x");
        row("guest replaced folder with file", "d/ d/x=1", "d/ d/x=1", "d=1", "-d/x -d +d", "");
        row("guest replaced file with link", "f=1", "f=1", "f>x", "~f", "");
        row("host deleted file", "f=1", "", "f=1", "", "-f");
        row("guest deleted folder", "d/ d/e/ d/e/f=1", "d/ d/e/ d/e/f=1", "", "-d/e/f -d/e -d", "");
        row("both created different files", "", "f=1", "f=2", "", "", 1);
        row("host file, guest folder", "", "x=1", "x/ x/f=1", "", "", 1);
        row("both modified", "f=1", "f=2", "f=3", "", "", 1);
        row("both modified the same", "f=1", "f=2", "f=2", "", "");
        row("host modified, guest deleted", "f=1", "f=2", "", "", "+f");
        row("guest modified, host deleted", "f=1", "", "f=2", "+f", "");
        row("host deleted all, guest deleted part", "d/ d/a=1 d/b=1", "", "d/ d/b=1", "", "-d/b -d");
        row("host deleted folder, guest added in it", "d/ d/a=1", "", "d/ d/a=1 d/n=1", "+d +d/a +d/n", "");
        row("both created folder with different children", "", "d/ d/a=1", "d/ d/b=1", "+d/b", "+d/a");
        row("guest untracked counts as absent", "", "", "s!", "", "");
        row("host file, guest problem", "f=1", "f=2", "f?", "", "");
        row("problem on the host", "f=1", "f?", "f=2", "", "");
        row("problem in a deleted folder blocks", "d/ d/f=1", "", "d/ d/f=1 d/p?", "+d +d/f", "");
        row("file became untracked", "f=1", "f!", "f=1", "", "-f");
        row("merge never deletes on the host", "f=1", "f=1", "", "", "+f", 0, ReconcileMode::Merge);
        row("merge never deletes in the guest", "f=1", "", "f=1", "+f", "", 0, ReconcileMode::Merge);
        row("merge: guest as before, host edited", "f=1", "f=2", "f=1", "", "~f", 0, ReconcileMode::Merge);
        row("merge: guest differs", "f=1", "f=1", "f=2", "", "", 1, ReconcileMode::Merge);
        row("merge without history", "", "f=1", "f=2", "", "", 1, ReconcileMode::Merge);
        row("seed: host wins", "", "f=1 g=1", "f=", "", "~f +g", 0, ReconcileMode::Seed);
        row("locked repository", "", ".git/ .git/HEAD=1", ".git/ .git/index.lock! .git/HEAD=2 x=1", "+x", "");
        row("index goes in once", "", ".git/ .git/index=1", ".git/", "", "+.git/index");
        row("index never comes back", ".git/ .git/index=1", ".git/ .git/index=1", ".git/ .git/index=2", "", "");
        row("objects only add", ".git/ .git/objects/ .git/objects/a=1", ".git/ .git/objects/ .git/objects/a=1",
            ".git/ .git/objects/ .git/objects/b=1", "+.git/objects/b", "");
    }

    void rules()
    {
        QFETCH(QString, ancestor);
        QFETCH(QString, host);
        QFETCH(QString, guest);
        QFETCH(QString, onHost);
        QFETCH(QString, onGuest);
        QFETCH(int, conflicts);
        QFETCH(int, mode);
        const Plan plan = reconcile(tree(ancestor.toStdString()), tree(host.toStdString()), tree(guest.toStdString()),
                                    static_cast<ReconcileMode>(mode));
        QCOMPARE(QString::fromStdString(describe(plan.hostOperations)), onHost);
        QCOMPARE(QString::fromStdString(describe(plan.guestOperations)), onGuest);
        QCOMPARE(static_cast<int>(plan.conflicts.size()), conflicts);
    }

    void ancestorSurvivesTheDiskAndNothingElseDoes()
    {
        Ancestor ancestor;
        ancestor.guestDiskId = "disk";
        ancestor.generation = "g";
        ancestor.tree = tree("d/ d/f=1 l>x");
        const std::string data = encodeAncestor(ancestor);
        const auto back = decodeAncestor(data);
        QVERIFY(back && back->guestDiskId == "disk" && findNode(back->tree, "d/f") != nullptr);
        for (std::size_t i = 0; i < data.size(); ++i) {
            std::string broken = data;
            broken[i] = static_cast<char>(broken[i] ^ 0x20);
            QVERIFY(!decodeAncestor(broken));
            QVERIFY(!decodeAncestor(data.substr(0, i)));
        }
    }
};

QTEST_GUILESS_MAIN(TestSyncReconcile)
#include "test_sync_reconcile.moc"
