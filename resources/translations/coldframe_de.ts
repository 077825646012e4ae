<?xml version="1.0" encoding="utf-8"?>
<!DOCTYPE TS>
<TS version="2.1" language="de" sourcelanguage="en">
<context>
    <name>Sandbox</name>
    <message>
        <source>not made yet</source>
        <translation>noch nicht angelegt</translation>
    </message>
    <message>
        <source>preparing</source>
        <translation>wird vorbereitet</translation>
    </message>
    <message>
        <source>starting</source>
        <translation>startet</translation>
    </message>
    <message>
        <source>running</source>
        <translation>läuft</translation>
    </message>
    <message>
        <source>stopping</source>
        <translation>hält an</translation>
    </message>
    <message>
        <source>stopped</source>
        <translation>angehalten</translation>
    </message>
    <message>
        <source>resetting</source>
        <translation>wird zurückgesetzt</translation>
    </message>
    <message>
        <source>being removed</source>
        <translation>wird entfernt</translation>
    </message>
    <message>
        <source>failed</source>
        <translation>gescheitert</translation>
    </message>
    <message>
        <source>unknown</source>
        <translation>unbekannt</translation>
    </message>
    <message>
        <source>In step</source>
        <translation>Abgeglichen</translation>
    </message>
    <message>
        <source>Paused: %1</source>
        <translation>Pausiert: %1</translation>
    </message>
    <message>
        <source>%1 to go (%2)</source>
        <translation>noch %1 (%2)</translation>
    </message>
    <message>
        <source>Offline: goes on when the sandbox runs</source>
        <translation>Getrennt: geht weiter, wenn die Sandbox läuft</translation>
    </message>
    <message>
        <source>Looking for changes</source>
        <translation>Änderungen werden gesucht</translation>
    </message>
    <message>
        <source>being paused</source>
        <translation>wird pausiert</translation>
    </message>
    <message>
        <source>paused</source>
        <translation>pausiert</translation>
    </message>
</context>
<context>
    <name>ask</name>
    <message>
        <source>Cancel</source>
        <translation>Abbrechen</translation>
    </message>
</context>
<context>
    <name>coldframe::ui::BlockedNotices</name>
    <message>
        <source>A key was in danger in %1</source>
        <translation>Ein Schlüssel war in Gefahr in %1</translation>
    </message>
    <message>
        <source>%1 was blocked</source>
        <translation>%1 wurde blockiert</translation>
    </message>
    <message>
        <source>The sandbox %1 tried to reach it.</source>
        <translation>Die Sandbox %1 wollte dorthin.</translation>
    </message>
    <message>
        <source>Allow for this sandbox</source>
        <translation>Für diese Sandbox erlauben</translation>
    </message>
    <message>
        <source>%1 is allowed for %2 from now on.</source>
        <translation>%1 ist ab jetzt für %2 erlaubt.</translation>
    </message>
    <message>
        <source>More hosts were blocked: %1</source>
        <translation>Weitere Hosts wurden blockiert: %1</translation>
    </message>
    <message>
        <source>The Network page of %1 lists them.</source>
        <translation>Die Seite „Netzwerk“ von %1 zeigt sie.</translation>
    </message>
    <message>
        <source>The disk of %1 is full</source>
        <translation>Der Datenträger von %1 ist voll</translation>
    </message>
    <message>
        <source>The disk of %1 is nearly full</source>
        <translation>Der Datenträger von %1 ist fast voll</translation>
    </message>
    <message>
        <source>%1 waits for space on this computer</source>
        <translation>%1 wartet auf Platz auf diesem Computer</translation>
    </message>
    <message>
        <source>The memory of %1 was full</source>
        <translation>Der Arbeitsspeicher von %1 war voll</translation>
    </message>
    <message>
        <source>%1 has too many processes</source>
        <translation>%1 hat zu viele Prozesse</translation>
    </message>
    <message>
        <source>%1 wants to reach %2</source>
        <translation>%1 möchte %2 erreichen</translation>
    </message>
    <message>
        <source>It waits for your answer in Coldframe&apos;s window.</source>
        <translation>Die Verbindung wartet auf Ihre Antwort im Fenster von Coldframe.</translation>
    </message>
    <message>
        <source>Answer</source>
        <translation>Antworten</translation>
    </message>
    <message>
        <source>From a program in %1</source>
        <translation>Von einem Programm in %1</translation>
    </message>
    <message>
        <source>%1: %2</source>
        <translation>%1: %2</translation>
    </message>
</context>
<context>
    <name>coldframe::ui::DesktopNotifier</name>
    <message>
        <source>Open</source>
        <translation>Öffnen</translation>
    </message>
    <message>
        <source>Coldframe</source>
        <translation>Coldframe</translation>
    </message>
</context>
<context>
    <name>coldframe::ui::KeysDialog</name>
    <message>
        <source>Keys</source>
        <translation>Schlüssel</translation>
    </message>
    <message>
        <source>Keys stay in the keychain of this computer. The proxy puts them on outside the sandbox; inside, an agent only sees a placeholder.</source>
        <translation>Schlüssel bleiben im Schlüsselbund dieses Rechners. Der Proxy setzt sie außerhalb der Sandbox ein; innen sieht ein Agent nur einen Platzhalter.</translation>
    </message>
    <message>
        <source>Stored keys</source>
        <translation>Gespeicherte Schlüssel</translation>
    </message>
    <message>
        <source>Service</source>
        <translation>Dienst</translation>
    </message>
    <message>
        <source>Stored</source>
        <translation>Gespeichert</translation>
    </message>
    <message>
        <source>Variable</source>
        <translation>Variable</translation>
    </message>
    <message>
        <source>Key</source>
        <translation>Schlüssel</translation>
    </message>
    <message>
        <source>&amp;Service</source>
        <translation>&amp;Dienst</translation>
    </message>
    <message>
        <source>&amp;Key</source>
        <translation>&amp;Schlüssel</translation>
    </message>
    <message>
        <source>Account</source>
        <translation>Konto</translation>
    </message>
    <message>
        <source>only for the second of several keys</source>
        <translation>nur für einen zweiten von mehreren Schlüsseln</translation>
    </message>
    <message>
        <source>&amp;Account</source>
        <translation>&amp;Konto</translation>
    </message>
    <message>
        <source>Remove…</source>
        <translation>Entfernen …</translation>
    </message>
    <message>
        <source>Store</source>
        <translation>Speichern</translation>
    </message>
    <message>
        <source>Close</source>
        <translation>Schließen</translation>
    </message>
    <message>
        <source>No keychain answers in this session, so no key can be stored. Keys from the environment work without one: run for example “ANTHROPIC_API_KEY=… coldframe run”.</source>
        <translation>In dieser Sitzung antwortet kein Schlüsselbund, also kann kein Schlüssel gespeichert werden. Schlüssel aus der Umgebung gehen auch so: zum Beispiel mit „ANTHROPIC_API_KEY=… coldframe run“.</translation>
    </message>
    <message>
        <source>The keychain is locked. Unlock it in your desktop&apos;s password manager; storing a key asks for it.</source>
        <translation>Der Schlüsselbund ist gesperrt. Entsperren Sie ihn in der Passwortverwaltung der Arbeitsumgebung; beim Speichern wird danach gefragt.</translation>
    </message>
    <message>
        <source>The key for %1 is stored.</source>
        <translation>Der Schlüssel für %1 ist gespeichert.</translation>
    </message>
    <message>
        <source>The key was not stored.</source>
        <translation>Der Schlüssel wurde nicht gespeichert.</translation>
    </message>
    <message>
        <source>Remove key</source>
        <translation>Schlüssel entfernen</translation>
    </message>
    <message>
        <source>Remove the key for %1?</source>
        <translation>Den Schlüssel für %1 entfernen?</translation>
    </message>
    <message>
        <source>It is deleted from the keychain; running sandboxes cannot use it any more.</source>
        <translation>Er wird aus dem Schlüsselbund gelöscht; laufende Sandboxes können ihn nicht mehr benutzen.</translation>
    </message>
    <message>
        <source>Remove</source>
        <translation>Entfernen</translation>
    </message>
    <message>
        <source>The key for %1 is removed.</source>
        <translation>Der Schlüssel für %1 ist entfernt.</translation>
    </message>
    <message>
        <source>%1, for one sandbox</source>
        <translation>%1, für eine Sandbox</translation>
    </message>
    <message>
        <source>%1, account %2</source>
        <translation>%1, Konto %2</translation>
    </message>
    <message>
        <source>given by a program</source>
        <translation>von einem Programm</translation>
    </message>
    <message>
        <source>Over: log in again</source>
        <translation>Abgelaufen: neu anmelden</translation>
    </message>
    <message>
        <source>Log-in until %1</source>
        <translation>Anmeldung bis %1</translation>
    </message>
    <message>
        <source>Log-in, renewed by itself</source>
        <translation>Anmeldung, erneuert sich selbst</translation>
    </message>
    <message>
        <source>Log in…</source>
        <translation>Anmelden …</translation>
    </message>
    <message>
        <source>There is no log-in to take over at %1. Log in with the agent on this computer first, in a terminal.</source>
        <translation>Unter %1 ist keine Anmeldung, die übernommen werden könnte. Melden Sie sich zuerst mit dem Agenten auf diesem Rechner an, in einem Terminal.</translation>
    </message>
    <message>
        <source>Log in</source>
        <translation>Anmelden</translation>
    </message>
    <message>
        <source>Use this computer&apos;s log-in for %1 in sandboxes?</source>
        <translation>Die Anmeldung dieses Rechners bei %1 in Sandboxes verwenden?</translation>
    </message>
    <message>
        <source>It is copied from %1 into the keychain and renewed by Coldframe; inside are only placeholders. The agent on this computer may have to log in again later, since some servers let one of the two go on only.</source>
        <translation>Sie wird aus %1 in den Schlüsselbund kopiert und von Coldframe erneuert; innen stehen nur Platzhalter. Der Agent auf diesem Rechner muss sich später vielleicht neu anmelden, da manche Server nur einen von beiden weiterarbeiten lassen.</translation>
    </message>
    <message>
        <source>Use it</source>
        <translation>Verwenden</translation>
    </message>
    <message>
        <source>In the browser…</source>
        <translation>Im Browser …</translation>
    </message>
    <message>
        <source>Log in in the browser that opens now.</source>
        <translation>Melden Sie sich in dem Browser an, der sich jetzt öffnet.</translation>
    </message>
    <message>
        <source>The log-in for %1 is stored; sandboxes have it from their next start on.</source>
        <translation>Die Anmeldung bei %1 ist gespeichert; Sandboxes haben sie ab ihrem nächsten Start.</translation>
    </message>
    <message>
        <source>%1 cannot be read.</source>
        <translation>%1 kann nicht gelesen werden.</translation>
    </message>
    <message>
        <source>The log-in was not stored.</source>
        <translation>Die Anmeldung wurde nicht gespeichert.</translation>
    </message>
    <message>
        <source>The engine went away before it was stored; store it again.</source>
        <translation>Die Engine endete, bevor etwas gespeichert war; speichern Sie noch einmal.</translation>
    </message>
</context>
<context>
    <name>coldframe::ui::LimitsDialog</name>
    <message>
        <source>Processors</source>
        <translation>Prozessoren</translation>
    </message>
    <message>
        <source>Memory</source>
        <translation>Arbeitsspeicher</translation>
    </message>
    <message>
        <source>Disk</source>
        <translation>Datenträger</translation>
    </message>
    <message>
        <source>Processes</source>
        <translation>Prozesse</translation>
    </message>
    <message>
        <source>Open files</source>
        <translation>Offene Dateien</translation>
    </message>
    <message>
        <source>Connections</source>
        <translation>Verbindungen</translation>
    </message>
    <message>
        <source>Limits</source>
        <translation>Grenzen</translation>
    </message>
    <message>
        <source>As suits the computer</source>
        <translation>Passend zum Rechner</translation>
    </message>
    <message>
        <source> MiB</source>
        <translation> MiB</translation>
    </message>
    <message>
        <source> GiB</source>
        <translation> GiB</translation>
    </message>
    <message>
        <source>As suits its memory</source>
        <translation>Passend zum Arbeitsspeicher</translation>
    </message>
    <message>
        <source>A service: it runs also when nobody uses it</source>
        <translation>Ein Dienst: läuft auch, wenn niemand sie benutzt</translation>
    </message>
    <message>
        <source>When nobody uses it</source>
        <translation>Wenn niemand sie benutzt</translation>
    </message>
    <message>
        <source>As the preferences say</source>
        <translation>Wie in den Einstellungen</translation>
    </message>
    <message>
        <source>It runs on</source>
        <translation>Sie läuft weiter</translation>
    </message>
    <message>
        <source>It is paused</source>
        <translation>Sie wird angehalten</translation>
    </message>
    <message>
        <source>It is stopped</source>
        <translation>Sie wird beendet</translation>
    </message>
    <message>
        <source>Minutes without use</source>
        <translation>Minuten ohne Benutzung</translation>
    </message>
    <message>
        <source> minutes</source>
        <translation> Minuten</translation>
    </message>
    <message>
        <source>&amp;Processors</source>
        <translation>&amp;Prozessoren</translation>
    </message>
    <message>
        <source>&amp;Memory</source>
        <translation>&amp;Arbeitsspeicher</translation>
    </message>
    <message>
        <source>&amp;Disk</source>
        <translation>&amp;Datenträger</translation>
    </message>
    <message>
        <source>P&amp;rocesses</source>
        <translation>P&amp;rozesse</translation>
    </message>
    <message>
        <source>When &amp;idle</source>
        <translation>Bei &amp;Untätigkeit</translation>
    </message>
    <message>
        <source>&amp;After</source>
        <translation>&amp;Nach</translation>
    </message>
    <message>
        <source>%1: %2, held by %3</source>
        <translation>%1: %2, gehalten durch %3</translation>
    </message>
    <message>
        <source>Saved. %1</source>
        <translation>Gespeichert. %1</translation>
    </message>
    <message>
        <source>Docker inside</source>
        <translation>Docker darin</translation>
    </message>
    <message>
        <source>Starts when its agent needs it</source>
        <translation>Startet, wenn ihr Agent es braucht</translation>
    </message>
    <message>
        <source>Starts with the sandbox</source>
        <translation>Startet mit der Sandbox</translation>
    </message>
    <message>
        <source>Starts when it is first used</source>
        <translation>Startet beim ersten Gebrauch</translation>
    </message>
    <message>
        <source>Doc&amp;ker inside</source>
        <translation>Doc&amp;ker darin</translation>
    </message>
</context>
<context>
    <name>coldframe::ui::Links</name>
    <message>
        <source>It names a file on another computer.</source>
        <translation>Sie nennt eine Datei auf einem anderen Computer.</translation>
    </message>
    <message>
        <source>Only files that are in the sandbox&apos;s workspace are opened, and it is none of them.</source>
        <translation>Nur Dateien im Arbeitsbereich der Sandbox werden geöffnet, und dies ist keine davon.</translation>
    </message>
    <message>
        <source>It is a program, which opening would run on this computer.</source>
        <translation>Es ist ein Programm; es zu öffnen hieße, es auf diesem Computer auszuführen.</translation>
    </message>
    <message>
        <source>It is no address that can be understood.</source>
        <translation>Die Adresse ist unverständlich.</translation>
    </message>
    <message>
        <source>Only addresses of the web, of mail and of files in the workspace are opened.</source>
        <translation>Nur Adressen des Webs, von E-Mail und von Dateien im Arbeitsbereich werden geöffnet.</translation>
    </message>
    <message>
        <source>It leads to %1; what stands before the @ is no host.</source>
        <translation>Sie führt zu %1; was vor dem @ steht, ist kein Host.</translation>
    </message>
    <message>
        <source>The text names %1, but it leads to %2.</source>
        <translation>Der Text nennt %1, der Link führt aber zu %2.</translation>
    </message>
</context>
<context>
    <name>coldframe::ui::MainWindow</name>
    <message>
        <source>Coldframe</source>
        <translation>Coldframe</translation>
    </message>
    <message>
        <source>Sandboxes</source>
        <translation>Sandboxes</translation>
    </message>
    <message>
        <source>New Sandbox…</source>
        <translation>Neue Sandbox …</translation>
    </message>
    <message>
        <source>Keys…</source>
        <translation>Schlüssel …</translation>
    </message>
    <message>
        <source>&amp;Sandbox</source>
        <translation>&amp;Sandbox</translation>
    </message>
    <message>
        <source>&amp;New Sandbox…</source>
        <translation>&amp;Neue Sandbox …</translation>
    </message>
    <message>
        <source>&amp;Keys…</source>
        <translation>S&amp;chlüssel …</translation>
    </message>
    <message>
        <source>&amp;Quit (agents go on)</source>
        <translation>&amp;Beenden (Agenten laufen weiter)</translation>
    </message>
    <message>
        <source>Engine %1 · %2</source>
        <translation>Engine %1 · %2</translation>
    </message>
    <message>
        <source>KVM</source>
        <translation>KVM</translation>
    </message>
    <message>
        <source>emulation: reduced isolation</source>
        <translation>Emulation: verringerte Abschottung</translation>
    </message>
    <message>
        <source>Connecting to the engine</source>
        <translation>Verbindung zur Engine</translation>
    </message>
    <message>
        <source>No engine</source>
        <translation>Keine Engine</translation>
    </message>
    <message>
        <source>&amp;Preferences…</source>
        <translation>&amp;Einstellungen …</translation>
    </message>
    <message>
        <source>&amp;Close Window</source>
        <translation>Fenster s&amp;chließen</translation>
    </message>
    <message>
        <source>&amp;Help</source>
        <translation>&amp;Hilfe</translation>
    </message>
    <message>
        <source>&amp;System Check…</source>
        <translation>&amp;Systemprüfung …</translation>
    </message>
    <message>
        <source>&amp;Go</source>
        <translation>&amp;Gehe zu</translation>
    </message>
    <message>
        <source>&amp;List of Sandboxes</source>
        <translation>&amp;Liste der Sandboxes</translation>
    </message>
    <message>
        <source>&amp;Overview</source>
        <translation>&amp;Übersicht</translation>
    </message>
    <message>
        <source>&amp;Terminal</source>
        <translation>&amp;Terminal</translation>
    </message>
    <message>
        <source>&amp;Network</source>
        <translation>&amp;Netzwerk</translation>
    </message>
    <message>
        <source>Ne&amp;xt Page</source>
        <translation>Nä&amp;chste Seite</translation>
    </message>
    <message>
        <source>&amp;Previous Page</source>
        <translation>&amp;Vorige Seite</translation>
    </message>
    <message>
        <source>Start &amp;Agent</source>
        <translation>&amp;Agent starten</translation>
    </message>
    <message>
        <source>Open &amp;Shell</source>
        <translation>&amp;Shell öffnen</translation>
    </message>
    <message>
        <source>&amp;Close Terminal</source>
        <translation>Terminal s&amp;chließen</translation>
    </message>
    <message>
        <source>&amp;Policy</source>
        <translation>&amp;Regeln</translation>
    </message>
    <message>
        <source>Split Terminal to the &amp;Right</source>
        <translation>Terminal nach &amp;rechts teilen</translation>
    </message>
    <message>
        <source>Split Terminal &amp;Downwards</source>
        <translation>Terminal nach &amp;unten teilen</translation>
    </message>
    <message>
        <source>Next Ter&amp;minal of the Tab</source>
        <translation>Nächstes Ter&amp;minal des Reiters</translation>
    </message>
</context>
<context>
    <name>coldframe::ui::MomentsMenu</name>
    <message>
        <source>Fork</source>
        <translation>Verzweigen</translation>
    </message>
    <message>
        <source>Starts a copy of it as it is now, with a copy of the workspace beside the original.</source>
        <translation>Startet eine Kopie, so wie sie jetzt ist, mit einer Kopie des Arbeitsordners neben dem Original.</translation>
    </message>
    <message>
        <source>Save as Template…</source>
        <translation>Als Vorlage speichern …</translation>
    </message>
    <message>
        <source>Roll Back To</source>
        <translation>Zurückgehen zu</translation>
    </message>
    <message>
        <source>Save as Template</source>
        <translation>Als Vorlage speichern</translation>
    </message>
    <message>
        <source>Its disk is kept under a name. New sandboxes can start from it, and this one can go back to it. Log-ins and other secrets on the disk are part of it.</source>
        <translation>Ihre Festplatte wird unter einem Namen aufgehoben. Neue Sandboxes können damit beginnen, und diese kann dahin zurückgehen. Anmeldungen und andere Geheimnisse auf der Festplatte gehören dazu.</translation>
    </message>
    <message>
        <source>Name of the template</source>
        <translation>Name der Vorlage</translation>
    </message>
    <message>
        <source>With the programs that run now</source>
        <translation>Mit den Programmen, die jetzt laufen</translation>
    </message>
    <message>
        <source>Going back then goes on exactly there. New sandboxes start from the disk alone.</source>
        <translation>Beim Zurückgehen laufen sie genau dort weiter. Neue Sandboxes beginnen nur mit der Festplatte.</translation>
    </message>
</context>
<context>
    <name>coldframe::ui::NetworkExport</name>
    <message>
        <source>%1 cannot be written: %2</source>
        <translation>%1 kann nicht geschrieben werden: %2</translation>
    </message>
</context>
<context>
    <name>coldframe::ui::NetworkModel</name>
    <message>
        <source>allowed</source>
        <translation>erlaubt</translation>
    </message>
    <message>
        <source>blocked</source>
        <translation>blockiert</translation>
    </message>
    <message>
        <source>failed</source>
        <translation>gescheitert</translation>
    </message>
    <message>
        <source>, key put on</source>
        <translation>, Schlüssel eingesetzt</translation>
    </message>
    <message>
        <source>%1 (%2 times)</source>
        <translation>%1 (%2-mal)</translation>
    </message>
    <message>
        <source>Time</source>
        <translation>Zeit</translation>
    </message>
    <message>
        <source>Verdict</source>
        <translation>Urteil</translation>
    </message>
    <message>
        <source>Host</source>
        <translation>Host</translation>
    </message>
    <message>
        <source>Request</source>
        <translation>Anfrage</translation>
    </message>
    <message>
        <source>Status</source>
        <translation>Status</translation>
    </message>
    <message>
        <source>Traffic</source>
        <translation>Datenmenge</translation>
    </message>
    <message>
        <source>Why</source>
        <translation>Warum</translation>
    </message>
    <message>
        <source>%1 at %2</source>
        <translation>%1 unter %2</translation>
    </message>
    <message>
        <source>To %1, from a container.</source>
        <translation>An %1, aus einem Container.</translation>
    </message>
    <message>
        <source>To %1.</source>
        <translation>An %1.</translation>
    </message>
    <message>
        <source>Rule: %1.</source>
        <translation>Regel: %1.</translation>
    </message>
    <message>
        <source>The proxy put the key for %1 on it.</source>
        <translation>Der Proxy hat den Schlüssel für %1 eingesetzt.</translation>
    </message>
    <message>
        <source>, open</source>
        <translation>, offen</translation>
    </message>
    <message>
        <source>By %1.</source>
        <translation>Von %1.</translation>
    </message>
    <message>
        <source>It was passed on uninspected, as the settings say.</source>
        <translation>Sie wurde ungeprüft weitergeleitet, wie die Einstellungen es sagen.</translation>
    </message>
    <message>
        <source>It was passed on as it is: neither HTTP nor TLS.</source>
        <translation>Sie wurde unverändert weitergeleitet: weder HTTP noch TLS.</translation>
    </message>
    <message>
        <source>It took %1 ms.</source>
        <translation>Dauer: %1 ms.</translation>
    </message>
    <message>
        <source>It took %1 s.</source>
        <translation>Dauer: %1 s.</translation>
    </message>
</context>
<context>
    <name>coldframe::ui::NetworkPage</name>
    <message>
        <source>Filter connections</source>
        <translation>Verbindungen filtern</translation>
    </message>
    <message>
        <source>Which connections</source>
        <translation>Welche Verbindungen</translation>
    </message>
    <message>
        <source>All</source>
        <translation>Alle</translation>
    </message>
    <message>
        <source>Blocked and failed</source>
        <translation>Blockiert und gescheitert</translation>
    </message>
    <message>
        <source>Allowed</source>
        <translation>Erlaubt</translation>
    </message>
    <message>
        <source>Connections</source>
        <translation>Verbindungen</translation>
    </message>
    <message>
        <source>Allow for This Sandbox</source>
        <translation>Für diese Sandbox erlauben</translation>
    </message>
    <message>
        <source>Deny for This Sandbox</source>
        <translation>Für diese Sandbox verbieten</translation>
    </message>
    <message>
        <source>Allow for this sandbox</source>
        <translation>Für diese Sandbox erlauben</translation>
    </message>
    <message>
        <source>Deny</source>
        <translation>Verbieten</translation>
    </message>
    <message>
        <source>%1 is allowed from now on.</source>
        <translation>%1 ist ab jetzt erlaubt.</translation>
    </message>
    <message>
        <source>%1 is denied from now on.</source>
        <translation>%1 ist ab jetzt verboten.</translation>
    </message>
    <message>
        <source>Nothing was tried yet. Every connection that a program in the sandbox tries is listed here, with the rule that allowed or blocked it.</source>
        <translation>Noch wurde nichts versucht. Jede Verbindung, die ein Programm in der Sandbox versucht, steht hier, mit der Regel, die sie erlaubt oder blockiert hat.</translation>
    </message>
    <message>
        <source>No connection matches the filter.</source>
        <translation>Keine Verbindung passt zum Filter.</translation>
    </message>
    <message>
        <source>Status</source>
        <translation>Status</translation>
    </message>
    <message>
        <source>Choose a connection to see why it was allowed or blocked.</source>
        <translation>Wählen Sie eine Verbindung, um zu sehen, warum sie erlaubt oder blockiert wurde.</translation>
    </message>
    <message>
        <source>Filter by host, path, program or reason</source>
        <translation>Nach Host, Pfad, Programm oder Grund filtern</translation>
    </message>
    <message>
        <source>How they are listed</source>
        <translation>Art der Auflistung</translation>
    </message>
    <message>
        <source>Each connection</source>
        <translation>Jede Verbindung</translation>
    </message>
    <message>
        <source>By host</source>
        <translation>Nach Host</translation>
    </message>
    <message>
        <source>Export…</source>
        <translation>Exportieren …</translation>
    </message>
    <message>
        <source>Writes what is listed to a file, as JSON lines</source>
        <translation>Schreibt das Aufgelistete in eine Datei, als JSON-Zeilen</translation>
    </message>
    <message>
        <source>Copy</source>
        <translation>Kopieren</translation>
    </message>
    <message>
        <source>Connections by host</source>
        <translation>Verbindungen nach Host</translation>
    </message>
    <message>
        <source>Export the connections</source>
        <translation>Verbindungen exportieren</translation>
    </message>
    <message>
        <source>JSON lines (*.jsonl)</source>
        <translation>JSON-Zeilen (*.jsonl)</translation>
    </message>
    <message>
        <source>All files (*)</source>
        <translation>Alle Dateien (*)</translation>
    </message>
    <message>
        <source>%1 connections were written to %2.</source>
        <translation>%1 Verbindungen wurden in %2 geschrieben.</translation>
    </message>
</context>
<context>
    <name>coldframe::ui::NewSandboxDialog</name>
    <message>
        <source>New Sandbox</source>
        <translation>Neue Sandbox</translation>
    </message>
    <message>
        <source>Project folder</source>
        <translation>Projektordner</translation>
    </message>
    <message>
        <source>The folder that the agent works on</source>
        <translation>Der Ordner, an dem der Agent arbeitet</translation>
    </message>
    <message>
        <source>Browse…</source>
        <translation>Durchsuchen …</translation>
    </message>
    <message>
        <source>&amp;Folder</source>
        <translation>&amp;Ordner</translation>
    </message>
    <message>
        <source>Agent</source>
        <translation>Agent</translation>
    </message>
    <message>
        <source>&amp;Agent</source>
        <translation>&amp;Agent</translation>
    </message>
    <message>
        <source>Network</source>
        <translation>Netzwerk</translation>
    </message>
    <message>
        <source>Balanced: AI services, package registries, code hosting</source>
        <translation>Ausgewogen: KI-Dienste, Paketquellen, Code-Hosting</translation>
    </message>
    <message>
        <source>Locked: only what you allow</source>
        <translation>Gesperrt: nur was Sie erlauben</translation>
    </message>
    <message>
        <source>Open: everything public</source>
        <translation>Offen: alles Öffentliche</translation>
    </message>
    <message>
        <source>Net&amp;work</source>
        <translation>Net&amp;zwerk</translation>
    </message>
    <message>
        <source>Name</source>
        <translation>Name</translation>
    </message>
    <message>
        <source>Made from agent and folder</source>
        <translation>Aus Agent und Ordner gebildet</translation>
    </message>
    <message>
        <source>&amp;Name</source>
        <translation>&amp;Name</translation>
    </message>
    <message>
        <source>Run it emulated, with reduced isolation</source>
        <translation>Emuliert laufen lassen, mit verringerter Abschottung</translation>
    </message>
    <message>
        <source>%1 Emulation is slower and no security boundary: a hostile program may break out.</source>
        <translation>%1 Emulation ist langsamer und keine Sicherheitsgrenze: Ein feindliches Programm kann ausbrechen.</translation>
    </message>
    <message>
        <source>Progress</source>
        <translation>Fortschritt</translation>
    </message>
    <message>
        <source>Create</source>
        <translation>Anlegen</translation>
    </message>
    <message>
        <source>Cancel</source>
        <translation>Abbrechen</translation>
    </message>
    <message>
        <source>Write the whole path, beginning with /.</source>
        <translation>Schreiben Sie den ganzen Pfad, beginnend mit /.</translation>
    </message>
    <message>
        <source>There is no such folder.</source>
        <translation>Diesen Ordner gibt es nicht.</translation>
    </message>
    <message>
        <source>This is a file; choose a folder.</source>
        <translation>Das ist eine Datei; wählen Sie einen Ordner.</translation>
    </message>
    <message>
        <source>You may not read this folder.</source>
        <translation>Sie dürfen diesen Ordner nicht lesen.</translation>
    </message>
    <message>
        <source>This is the whole machine; choose a project folder.</source>
        <translation>Das ist der ganze Rechner; wählen Sie einen Projektordner.</translation>
    </message>
    <message>
        <source>This is your home folder, with your keys and settings; choose a project folder in it.</source>
        <translation>Das ist Ihr Benutzerordner mit Ihren Schlüsseln und Einstellungen; wählen Sie einen Projektordner darin.</translation>
    </message>
    <message>
        <source>A name has 1 to 63 letters, digits, dots, dashes or underscores and starts with a letter or a digit.</source>
        <translation>Ein Name hat 1 bis 63 Buchstaben, Ziffern, Punkte, Binde- oder Unterstriche und beginnt mit einem Buchstaben oder einer Ziffer.</translation>
    </message>
    <message>
        <source>Choose the project folder</source>
        <translation>Den Projektordner wählen</translation>
    </message>
    <message>
        <source>Asking the engine</source>
        <translation>Die Engine wird gefragt</translation>
    </message>
    <message>
        <source>Cancelling</source>
        <translation>Wird abgebrochen</translation>
    </message>
    <message>
        <source>Keys…</source>
        <translation>Schlüssel …</translation>
    </message>
    <message>
        <source>No key for %1 is stored, so it cannot reach its service yet.</source>
        <translation>Für %1 ist kein Schlüssel gespeichert; der Dienst ist noch nicht erreichbar.</translation>
    </message>
</context>
<context>
    <name>coldframe::ui::NoticeBar</name>
    <message>
        <source>Close the notice</source>
        <translation>Hinweis schließen</translation>
    </message>
</context>
<context>
    <name>coldframe::ui::OverviewPage</name>
    <message>
        <source>State</source>
        <translation>Zustand</translation>
    </message>
    <message>
        <source>Problem</source>
        <translation>Problem</translation>
    </message>
    <message>
        <source>Isolation</source>
        <translation>Abschottung</translation>
    </message>
    <message>
        <source>Agent</source>
        <translation>Agent</translation>
    </message>
    <message>
        <source>Workspace</source>
        <translation>Arbeitsordner</translation>
    </message>
    <message>
        <source>Sync</source>
        <translation>Abgleich</translation>
    </message>
    <message>
        <source>Blocked</source>
        <translation>Blockiert</translation>
    </message>
    <message>
        <source>Size</source>
        <translation>Größe</translation>
    </message>
    <message>
        <source>Launch command</source>
        <translation>Startbefehl</translation>
    </message>
    <message>
        <source>Copy</source>
        <translation>Kopieren</translation>
    </message>
    <message>
        <source>Copy the launch command</source>
        <translation>Den Startbefehl kopieren</translation>
    </message>
    <message>
        <source>Run it in any terminal to attach to the agent in this sandbox.</source>
        <translation>In einem beliebigen Terminal ausgeführt, verbindet er mit dem Agenten in dieser Sandbox.</translation>
    </message>
    <message>
        <source>Own kernel in a microVM (KVM)</source>
        <translation>Eigener Kernel in einer MicroVM (KVM)</translation>
    </message>
    <message>
        <source>%1 (read only)</source>
        <translation>%1 (nur lesen)</translation>
    </message>
    <message>
        <source>None</source>
        <translation>Keiner</translation>
    </message>
    <message>
        <source>%1 processors, %2 memory</source>
        <translation>%1 Prozessoren, %2 Arbeitsspeicher</translation>
    </message>
    <message>
        <source>No connection was blocked</source>
        <translation>Keine Verbindung wurde blockiert</translation>
    </message>
    <message>
        <source>Connections blocked: %1; the Network page lists them</source>
        <translation>Blockierte Verbindungen: %1; die Seite „Netzwerk“ zeigt sie</translation>
    </message>
    <message>
        <source>%1: %2</source>
        <translation>%1: %2</translation>
    </message>
    <message>
        <source>Go On…</source>
        <translation>Weiter …</translation>
    </message>
    <message>
        <source>Go on with the sync</source>
        <translation>Den Abgleich fortsetzen</translation>
    </message>
    <message>
        <source>Going on applies this to %1 on this computer. Files that it replaces or deletes can be brought back from the trash of the sync.</source>
        <translation>Beim Fortsetzen wird dies in %1 auf diesem Rechner ausgeführt. Dateien, die dabei ersetzt oder gelöscht werden, können aus dem Papierkorb des Abgleichs zurückgeholt werden.</translation>
    </message>
    <message>
        <source>Go On</source>
        <translation>Weiter</translation>
    </message>
    <message>
        <source>The sync&apos;s state changed meanwhile; look again.</source>
        <translation>Der Stand des Abgleichs hat sich inzwischen geändert; sehen Sie noch einmal nach.</translation>
    </message>
    <message>
        <source>Reduced isolation: the sandbox is emulated, not run by KVM. Do not run in it what you would not trust.</source>
        <translation>Verringerte Abschottung: Die Sandbox wird emuliert, nicht mit KVM ausgeführt. Führen Sie darin nichts aus, dem Sie nicht trauen.</translation>
    </message>
    <message>
        <source>%1 memory</source>
        <translation>%1 Speicher</translation>
    </message>
    <message>
        <source>Known when it starts</source>
        <translation>Beim Start bekannt</translation>
    </message>
    <message>
        <source>Notice</source>
        <translation>Hinweis</translation>
    </message>
    <message>
        <source>Limits</source>
        <translation>Grenzen</translation>
    </message>
    <message>
        <source>Limits…</source>
        <translation>Grenzen …</translation>
    </message>
    <message>
        <source>Processors, memory, disk, processes, and what happens when nobody uses it.</source>
        <translation>Prozessoren, Arbeitsspeicher, Datenträger, Prozesse, und was geschieht, wenn niemand sie benutzt.</translation>
    </message>
    <message>
        <source>%1, %2 disk</source>
        <translation>%1, %2 Datenträger</translation>
    </message>
    <message>
        <source>%1; a service</source>
        <translation>%1; ein Dienst</translation>
    </message>
</context>
<context>
    <name>coldframe::ui::PlacesModel</name>
    <message>
        <source>Last seen</source>
        <translation>Zuletzt</translation>
    </message>
    <message>
        <source>Verdict</source>
        <translation>Urteil</translation>
    </message>
    <message>
        <source>Host</source>
        <translation>Host</translation>
    </message>
    <message>
        <source>Program</source>
        <translation>Programm</translation>
    </message>
    <message>
        <source>Traffic</source>
        <translation>Datenmenge</translation>
    </message>
    <message>
        <source>Why</source>
        <translation>Warum</translation>
    </message>
</context>
<context>
    <name>coldframe::ui::PolicyPage</name>
    <message>
        <source>all sandboxes</source>
        <translation>alle Sandboxes</translation>
    </message>
    <message>
        <source>organisation</source>
        <translation>Organisation</translation>
    </message>
    <message>
        <source>its agent</source>
        <translation>ihr Agent</translation>
    </message>
    <message>
        <source>an answer, this run</source>
        <translation>eine Antwort, dieser Lauf</translation>
    </message>
    <message>
        <source>an answer</source>
        <translation>eine Antwort</translation>
    </message>
    <message>
        <source>given at its start</source>
        <translation>beim Anlegen angegeben</translation>
    </message>
    <message>
        <source>you, this run</source>
        <translation>Sie, dieser Lauf</translation>
    </message>
    <message>
        <source>you</source>
        <translation>Sie</translation>
    </message>
    <message>
        <source>&amp;Hosts that no rule names</source>
        <translation>&amp;Hosts, die keine Regel nennt</translation>
    </message>
    <message>
        <source>Hosts that no rule names</source>
        <translation>Hosts, die keine Regel nennt</translation>
    </message>
    <message>
        <source>Open: allowed</source>
        <translation>Offen: erlaubt</translation>
    </message>
    <message>
        <source>Balanced: you are asked</source>
        <translation>Ausgewogen: Sie werden gefragt</translation>
    </message>
    <message>
        <source>Locked: denied</source>
        <translation>Gesperrt: abgelehnt</translation>
    </message>
    <message>
        <source>Tighten…</source>
        <translation>Enger fassen …</translation>
    </message>
    <message>
        <source>Make an allow-list of what this sandbox used</source>
        <translation>Aus dem, was diese Sandbox benutzt hat, eine Liste des Erlaubten machen</translation>
    </message>
    <message>
        <source>Host to look up</source>
        <translation>Host, der nachgeschlagen wird</translation>
    </message>
    <message>
        <source>What would happen with… (a host, host:port or address)</source>
        <translation>Was geschähe mit … (Host, Host:Port oder Adresse)</translation>
    </message>
    <message>
        <source>Check</source>
        <translation>Prüfen</translation>
    </message>
    <message>
        <source>Rules</source>
        <translation>Regeln</translation>
    </message>
    <message>
        <source>Host</source>
        <translation>Host</translation>
    </message>
    <message>
        <source>Rule</source>
        <translation>Regel</translation>
    </message>
    <message>
        <source>Requests</source>
        <translation>Anfragen</translation>
    </message>
    <message>
        <source>From</source>
        <translation>Von</translation>
    </message>
    <message>
        <source>Ends</source>
        <translation>Endet</translation>
    </message>
    <message>
        <source>Note</source>
        <translation>Notiz</translation>
    </message>
    <message>
        <source>No rules yet. What you allow or deny for this sandbox stands here.</source>
        <translation>Noch keine Regeln. Was Sie dieser Sandbox erlauben oder verbieten, steht hier.</translation>
    </message>
    <message>
        <source>Allow or deny</source>
        <translation>Erlauben oder ablehnen</translation>
    </message>
    <message>
        <source>Allow</source>
        <translation>Erlauben</translation>
    </message>
    <message>
        <source>Deny</source>
        <translation>Ablehnen</translation>
    </message>
    <message>
        <source>Host of a new rule</source>
        <translation>Host einer neuen Regel</translation>
    </message>
    <message>
        <source>api.example.com:443, *.example.com, 10.0.0.0/8</source>
        <translation>api.example.com:443, *.example.com, 10.0.0.0/8</translation>
    </message>
    <message>
        <source>How long the rule holds</source>
        <translation>Wie lange die Regel gilt</translation>
    </message>
    <message>
        <source>always</source>
        <translation>immer</translation>
    </message>
    <message>
        <source>this run</source>
        <translation>diesen Lauf</translation>
    </message>
    <message>
        <source>an hour</source>
        <translation>eine Stunde</translation>
    </message>
    <message>
        <source>a day</source>
        <translation>einen Tag</translation>
    </message>
    <message>
        <source>a week</source>
        <translation>eine Woche</translation>
    </message>
    <message>
        <source>Add</source>
        <translation>Hinzufügen</translation>
    </message>
    <message>
        <source>Remove</source>
        <translation>Entfernen</translation>
    </message>
    <message>
        <source>Groups of hosts</source>
        <translation>Gruppen von Hosts</translation>
    </message>
    <message>
        <source>Hosts</source>
        <translation>Hosts</translation>
    </message>
    <message>
        <source>As the Mode Says</source>
        <translation>Wie der Modus es vorgibt</translation>
    </message>
    <message>
        <source>Everything on the internet may be reached, but nothing private and nothing denied below.</source>
        <translation>Alles im Internet ist erreichbar, aber nichts Privates und nichts, was unten abgelehnt ist.</translation>
    </message>
    <message>
        <source>The groups of hosts that are switched on are allowed. Unknown hosts wait for your answer while this window is open, else they are denied.</source>
        <translation>Die eingeschalteten Gruppen von Hosts sind erlaubt. Unbekannte Hosts warten auf Ihre Antwort, solange dieses Fenster offen ist; sonst werden sie abgelehnt.</translation>
    </message>
    <message>
        <source>Only what a rule or a group switched on here allows may be reached.</source>
        <translation>Erreichbar ist nur, was eine Regel oder eine hier eingeschaltete Gruppe erlaubt.</translation>
    </message>
    <message>
        <source>allow</source>
        <translation>erlaubt</translation>
    </message>
    <message>
        <source>deny</source>
        <translation>abgelehnt</translation>
    </message>
    <message>
        <source>and more</source>
        <translation>und weitere</translation>
    </message>
    <message>
        <source>Open the network</source>
        <translation>Netzwerk öffnen</translation>
    </message>
    <message>
        <source>Let this sandbox reach every host on the internet?</source>
        <translation>Darf diese Sandbox jeden Host im Internet erreichen?</translation>
    </message>
    <message>
        <source>What works inside could send anything it can read anywhere. What you deny stays denied.</source>
        <translation>Was darin arbeitet, könnte alles, was es lesen kann, überallhin senden. Was Sie ablehnen, bleibt abgelehnt.</translation>
    </message>
    <message>
        <source>Open</source>
        <translation>Öffnen</translation>
    </message>
    <message>
        <source>Some requests to it may be treated otherwise, by rules about methods or paths.</source>
        <translation>Manche Anfragen dorthin können durch Regeln über Methoden oder Pfade anders behandelt werden.</translation>
    </message>
    <message>
        <source>Allowed. </source>
        <translation>Erlaubt. </translation>
    </message>
    <message>
        <source>Denied. </source>
        <translation>Abgelehnt. </translation>
    </message>
    <message>
        <source>You would be asked. </source>
        <translation>Sie würden gefragt. </translation>
    </message>
    <message>
        <source>The rule for %1 is removed.</source>
        <translation>Die Regel für %1 ist entfernt.</translation>
    </message>
    <message>
        <source>This sandbox reached nothing yet: there is nothing to make a list of.</source>
        <translation>Diese Sandbox hat noch nichts erreicht: Es gibt nichts für eine Liste.</translation>
    </message>
    <message>
        <source>The sandbox may reach what is on the list, and nothing else.</source>
        <translation>Die Sandbox darf erreichen, was auf der Liste steht, und sonst nichts.</translation>
    </message>
    <message>
        <source>a suggestion</source>
        <translation>ein Vorschlag</translation>
    </message>
</context>
<context>
    <name>coldframe::ui::PreferencesDialog</name>
    <message>
        <source>Preferences</source>
        <translation>Einstellungen</translation>
    </message>
    <message>
        <source>General</source>
        <translation>Allgemein</translation>
    </message>
    <message>
        <source>Network</source>
        <translation>Netzwerk</translation>
    </message>
    <message>
        <source>Close</source>
        <translation>Schließen</translation>
    </message>
    <message>
        <source>Theme</source>
        <translation>Farben</translation>
    </message>
    <message>
        <source>As the system</source>
        <translation>Wie das System</translation>
    </message>
    <message>
        <source>Light</source>
        <translation>Hell</translation>
    </message>
    <message>
        <source>Dark</source>
        <translation>Dunkel</translation>
    </message>
    <message>
        <source>&amp;Theme</source>
        <translation>&amp;Farben</translation>
    </message>
    <message>
        <source>Dark terminals in a light window too</source>
        <translation>Dunkle Terminals auch im hellen Fenster</translation>
    </message>
    <message>
        <source>Acceleration</source>
        <translation>Beschleunigung</translation>
    </message>
    <message>
        <source>KVM where it works, else emulation</source>
        <translation>KVM, wo es geht, sonst Emulation</translation>
    </message>
    <message>
        <source>KVM only</source>
        <translation>Nur KVM</translation>
    </message>
    <message>
        <source>Emulation only</source>
        <translation>Nur Emulation</translation>
    </message>
    <message>
        <source>&amp;Acceleration</source>
        <translation>&amp;Beschleunigung</translation>
    </message>
    <message>
        <source>Run emulated sandboxes without asking each time</source>
        <translation>Emulierte Sandboxes ohne Rückfrage ausführen</translation>
    </message>
    <message>
        <source>Emulation is slower and no security boundary: a hostile program may break out.</source>
        <translation>Emulation ist langsamer und keine Sicherheitsgrenze: Ein bösartiges Programm kann ausbrechen.</translation>
    </message>
    <message>
        <source>Network of new sandboxes</source>
        <translation>Netzwerk neuer Sandboxes</translation>
    </message>
    <message>
        <source>Balanced: AI services, package registries, code hosting</source>
        <translation>Ausgewogen: KI-Dienste, Paketquellen, Code-Hosting</translation>
    </message>
    <message>
        <source>Locked: only what you allow</source>
        <translation>Gesperrt: nur, was Sie erlauben</translation>
    </message>
    <message>
        <source>Open: everything public</source>
        <translation>Offen: alles Öffentliche</translation>
    </message>
    <message>
        <source>&amp;New sandboxes</source>
        <translation>&amp;Neue Sandboxes</translation>
    </message>
    <message>
        <source>Host mapping: sandboxes reach a name at an address of yours, such as a server on this computer.</source>
        <translation>Zuordnung: Sandboxes erreichen einen Namen unter einer Adresse von Ihnen, etwa einem Server auf diesem Rechner.</translation>
    </message>
    <message>
        <source>Host mapping</source>
        <translation>Zuordnung</translation>
    </message>
    <message>
        <source>Name</source>
        <translation>Name</translation>
    </message>
    <message>
        <source>Port</source>
        <translation>Port</translation>
    </message>
    <message>
        <source>Address</source>
        <translation>Adresse</translation>
    </message>
    <message>
        <source>Port there</source>
        <translation>Port dort</translation>
    </message>
    <message>
        <source>Name to map</source>
        <translation>Zuzuordnender Name</translation>
    </message>
    <message>
        <source>registry.example.com</source>
        <translation>registry.example.com</translation>
    </message>
    <message>
        <source>Port of the name</source>
        <translation>Port des Namens</translation>
    </message>
    <message>
        <source>Address to map to</source>
        <translation>Adresse dazu</translation>
    </message>
    <message>
        <source>Port of the address</source>
        <translation>Port der Adresse</translation>
    </message>
    <message>
        <source>Remove</source>
        <translation>Entfernen</translation>
    </message>
    <message>
        <source>Remove the chosen mapping</source>
        <translation>Gewählte Zuordnung entfernen</translation>
    </message>
    <message>
        <source>Add</source>
        <translation>Hinzufügen</translation>
    </message>
    <message>
        <source>Add the mapping</source>
        <translation>Zuordnung hinzufügen</translation>
    </message>
    <message>
        <source>Extra certificate authorities: files that the proxy trusts beside the system&apos;s, for servers of your own.</source>
        <translation>Weitere Zertifizierungsstellen: Dateien, denen der Proxy neben denen des Systems vertraut, für eigene Server.</translation>
    </message>
    <message>
        <source>Extra certificate authorities</source>
        <translation>Weitere Zertifizierungsstellen</translation>
    </message>
    <message>
        <source>Remove the chosen authority</source>
        <translation>Gewählte Stelle entfernen</translation>
    </message>
    <message>
        <source>Add…</source>
        <translation>Hinzufügen …</translation>
    </message>
    <message>
        <source>Add an authority</source>
        <translation>Stelle hinzufügen</translation>
    </message>
    <message>
        <source>any</source>
        <translation>alle</translation>
    </message>
    <message>
        <source>Choose a file of certificates</source>
        <translation>Datei mit Zertifikaten wählen</translation>
    </message>
    <message>
        <source>Certificates (*.pem *.crt *.cer)</source>
        <translation>Zertifikate (*.pem *.crt *.cer)</translation>
    </message>
    <message>
        <source>All files (*)</source>
        <translation>Alle Dateien (*)</translation>
    </message>
    <message>
        <source>Sandboxes that nobody uses</source>
        <translation>Sandboxes, die niemand benutzt</translation>
    </message>
    <message>
        <source>Run on</source>
        <translation>Laufen weiter</translation>
    </message>
    <message>
        <source>Are paused, and go on when they are used</source>
        <translation>Werden angehalten und laufen bei Benutzung weiter</translation>
    </message>
    <message>
        <source>Are stopped when nothing runs in them</source>
        <translation>Werden beendet, wenn nichts in ihnen läuft</translation>
    </message>
    <message>
        <source>&amp;Idle sandboxes</source>
        <translation>&amp;Unbenutzte Sandboxes</translation>
    </message>
    <message>
        <source>Minutes without use</source>
        <translation>Minuten ohne Benutzung</translation>
    </message>
    <message>
        <source> minutes without use</source>
        <translation> Minuten ohne Benutzung</translation>
    </message>
    <message>
        <source>A&amp;fter</source>
        <translation>Na&amp;ch</translation>
    </message>
    <message>
        <source>Ask about unknown hosts while this window is there; else block them</source>
        <translation>Nach unbekannten Hosts fragen, solange dieses Fenster da ist; sonst blockieren</translation>
    </message>
    <message>
        <source>Proxy</source>
        <translation>Proxy</translation>
    </message>
    <message>
        <source>Terminal</source>
        <translation>Terminal</translation>
    </message>
</context>
<context>
    <name>coldframe::ui::ProxyPage</name>
    <message>
        <source>How sandboxes reach the internet where the network wants a proxy. Nothing in a sandbox can change it.</source>
        <translation>Wie Sandboxen das Internet erreichen, wo das Netz einen Proxy verlangt. Nichts in einer Sandbox kann das ändern.</translation>
    </message>
    <message>
        <source>The network&apos;s proxy</source>
        <translation>Der Proxy des Netzes</translation>
    </message>
    <message>
        <source>None: connect directly</source>
        <translation>Keiner: direkt verbinden</translation>
    </message>
    <message>
        <source>As this computer&apos;s settings say</source>
        <translation>Wie in den Einstellungen dieses Computers</translation>
    </message>
    <message>
        <source>HTTP proxy</source>
        <translation>HTTP-Proxy</translation>
    </message>
    <message>
        <source>HTTP proxy, spoken to by TLS</source>
        <translation>HTTP-Proxy, per TLS angesprochen</translation>
    </message>
    <message>
        <source>SOCKS 5 proxy</source>
        <translation>SOCKS-5-Proxy</translation>
    </message>
    <message>
        <source>Configuration script (PAC)</source>
        <translation>Konfigurationsskript (PAC)</translation>
    </message>
    <message>
        <source>&amp;Proxy</source>
        <translation>&amp;Proxy</translation>
    </message>
    <message>
        <source>The proxy&apos;s name or address</source>
        <translation>Name oder Adresse des Proxys</translation>
    </message>
    <message>
        <source>proxy.example.com</source>
        <translation>proxy.example.com</translation>
    </message>
    <message>
        <source>The proxy&apos;s port</source>
        <translation>Port des Proxys</translation>
    </message>
    <message>
        <source>&amp;Host</source>
        <translation>&amp;Rechner</translation>
    </message>
    <message>
        <source>P&amp;ort</source>
        <translation>P&amp;ort</translation>
    </message>
    <message>
        <source>The script&apos;s file or address</source>
        <translation>Datei oder Adresse des Skripts</translation>
    </message>
    <message>
        <source>&amp;Script</source>
        <translation>&amp;Skript</translation>
    </message>
    <message>
        <source>User name for the proxy</source>
        <translation>Benutzername für den Proxy</translation>
    </message>
    <message>
        <source>none</source>
        <translation>keiner</translation>
    </message>
    <message>
        <source>&amp;User name</source>
        <translation>&amp;Benutzername</translation>
    </message>
    <message>
        <source>The password belongs in the keychain: coldframe keys set upstream-proxy</source>
        <translation>Das Passwort gehört in den Schlüsselbund: coldframe keys set upstream-proxy</translation>
    </message>
    <message>
        <source>Reached without the proxy</source>
        <translation>Ohne den Proxy erreicht</translation>
    </message>
    <message>
        <source>&amp;Without it</source>
        <translation>&amp;Ohne ihn</translation>
    </message>
    <message>
        <source>A proxy looks names up itself, so addresses cannot be checked here. Only hosts that a rule names are reached through it; an open network mode alone is not enough.</source>
        <translation>Ein Proxy löst Namen selbst auf, daher lassen sich Adressen hier nicht prüfen. Durch ihn sind nur Rechner erreichbar, die eine Regel nennt; ein offener Netzmodus allein genügt nicht.</translation>
    </message>
    <message>
        <source>Apply</source>
        <translation>Anwenden</translation>
    </message>
    <message>
        <source>Apply the proxy&apos;s settings</source>
        <translation>Einstellungen des Proxys anwenden</translation>
    </message>
</context>
<context>
    <name>coldframe::ui::QuestionBar</name>
    <message>
        <source>Allow Once</source>
        <translation>Einmal erlauben</translation>
    </message>
    <message>
        <source>Allow</source>
        <translation>Erlauben</translation>
    </message>
    <message>
        <source>Not Now</source>
        <translation>Jetzt nicht</translation>
    </message>
    <message>
        <source>Block</source>
        <translation>Blockieren</translation>
    </message>
    <message>
        <source>Block it for this sandbox, and do not ask again</source>
        <translation>Für diese Sandbox blockieren und nicht wieder fragen</translation>
    </message>
    <message>
        <source>Until the Sandbox Stops</source>
        <translation>Bis die Sandbox stoppt</translation>
    </message>
    <message>
        <source>For This Sandbox</source>
        <translation>Für diese Sandbox</translation>
    </message>
    <message>
        <source>For Every Sandbox</source>
        <translation>Für jede Sandbox</translation>
    </message>
    <message>
        <source>Nobody answered in time: %1 was not allowed.</source>
        <translation>Niemand hat rechtzeitig geantwortet: %1 wurde nicht erlaubt.</translation>
    </message>
    <message>
        <source>A sandbox</source>
        <translation>Eine Sandbox</translation>
    </message>
    <message>
        <source>%1 wants to reach %2.</source>
        <translation>%1 möchte %2 erreichen.</translation>
    </message>
    <message>
        <source>More questions wait: %1</source>
        <translation>Weitere Fragen warten: %1</translation>
    </message>
    <message>
        <source>For This Sandbox, All of %1</source>
        <translation>Für diese Sandbox, alles unter %1</translation>
    </message>
</context>
<context>
    <name>coldframe::ui::SandboxActions</name>
    <message>
        <source>Starting</source>
        <translation>Wird gestartet</translation>
    </message>
    <message>
        <source>Stop sandbox</source>
        <translation>Sandbox anhalten</translation>
    </message>
    <message>
        <source>Stop %1?</source>
        <translation>%1 anhalten?</translation>
    </message>
    <message>
        <source>Programs that run in it end, the agent included. Its files, installed programs and the workspace stay.</source>
        <translation>Programme darin enden, auch der Agent. Ihre Dateien, installierte Programme und der Arbeitsordner bleiben.</translation>
    </message>
    <message>
        <source>Stop</source>
        <translation>Anhalten</translation>
    </message>
    <message>
        <source>Stopping</source>
        <translation>Wird angehalten</translation>
    </message>
    <message>
        <source>Reset sandbox</source>
        <translation>Sandbox zurücksetzen</translation>
    </message>
    <message>
        <source>Reset %1 to a fresh disk?</source>
        <translation>%1 auf eine frische Platte zurücksetzen?</translation>
    </message>
    <message>
        <source>Lost: running programs, installed programs, container images and all files in the sandbox outside the workspace, the agent&apos;s session included.

Kept: the workspace %1, the rules and the keys.</source>
        <translation>Verloren: laufende Programme, installierte Programme, Container-Images und alle Dateien in der Sandbox außerhalb des Arbeitsordners, auch die Sitzung des Agenten.

Erhalten: der Arbeitsordner %1, die Regeln und die Schlüssel.</translation>
    </message>
    <message>
        <source>Reset</source>
        <translation>Zurücksetzen</translation>
    </message>
    <message>
        <source>Resetting</source>
        <translation>Wird zurückgesetzt</translation>
    </message>
    <message>
        <source>Remove sandbox</source>
        <translation>Sandbox entfernen</translation>
    </message>
    <message>
        <source>Remove %1?</source>
        <translation>%1 entfernen?</translation>
    </message>
    <message>
        <source>Remove</source>
        <translation>Entfernen</translation>
    </message>
    <message>
        <source>Removing</source>
        <translation>Wird entfernt</translation>
    </message>
    <message>
        <source>Copied: %1</source>
        <translation>Kopiert: %1</translation>
    </message>
    <message>
        <source>Cancelling</source>
        <translation>Wird abgebrochen</translation>
    </message>
    <message>
        <source>This cannot be undone.</source>
        <translation>Das lässt sich nicht rückgängig machen.</translation>
    </message>
    <message>
        <source>Reset Anyway</source>
        <translation>Trotzdem zurücksetzen</translation>
    </message>
    <message>
        <source>Remove Anyway</source>
        <translation>Trotzdem entfernen</translation>
    </message>
    <message>
        <source>Pausing</source>
        <translation>Wird pausiert</translation>
    </message>
    <message>
        <source>Forking</source>
        <translation>Wird verzweigt</translation>
    </message>
    <message>
        <source>Saving</source>
        <translation>Wird gespeichert</translation>
    </message>
    <message>
        <source>Roll back sandbox</source>
        <translation>Sandbox zurücksetzen auf Vorlage</translation>
    </message>
    <message>
        <source>Take %1 back to “%2”?</source>
        <translation>%1 auf „%2“ zurücksetzen?</translation>
    </message>
    <message>
        <source>Lost: what runs in it now. Its disk is put aside and can be brought back with “coldframe reset --undo”.

Kept: the workspace %1, the rules and the keys.</source>
        <translation>Verloren: was jetzt darin läuft. Die Festplatte wird beiseitegelegt; „coldframe reset --undo“ bringt sie zurück.

Bleibt: der Arbeitsordner %1, die Regeln und die Schlüssel.</translation>
    </message>
    <message>
        <source>Roll Back</source>
        <translation>Zurückgehen</translation>
    </message>
    <message>
        <source>Rolling back</source>
        <translation>Geht zurück</translation>
    </message>
    <message>
        <source>%1 runs.</source>
        <translation>%1 läuft.</translation>
    </message>
    <message>
        <source>Saved: %1</source>
        <translation>Gespeichert: %1</translation>
    </message>
    <message>
        <source>The template %1 holds files that look like credentials, for example %2. Every sandbox made of it has them.</source>
        <translation>Die Vorlage %1 enthält Dateien, die nach Zugangsdaten aussehen, zum Beispiel %2. Jede daraus gemachte Sandbox hat sie.</translation>
    </message>
    <message>
        <source>Roll Back Anyway</source>
        <translation>Trotzdem zurückgehen</translation>
    </message>
    <message>
        <source>Lost: the sandbox with its disk, installed programs and rules.

Kept: the workspace %1 on this computer, and the record of its connections for as long as the settings say.</source>
        <translation>Verloren: die Sandbox mit ihrer Platte, installierten Programmen und Regeln.

Erhalten: der Arbeitsordner %1 auf diesem Rechner und die Aufzeichnung ihrer Verbindungen, so lange die Einstellungen es sagen.</translation>
    </message>
</context>
<context>
    <name>coldframe::ui::SandboxDelegate</name>
    <message>
        <source>%1 · %2</source>
        <translation>%1 · %2</translation>
    </message>
</context>
<context>
    <name>coldframe::ui::SandboxList</name>
    <message>
        <source>No sandboxes yet</source>
        <translation>Noch keine Sandboxes</translation>
    </message>
</context>
<context>
    <name>coldframe::ui::SandboxModel</name>
    <message>
        <source>%1, %2, %3 in %4</source>
        <translation>%1, %2, %3 in %4</translation>
    </message>
</context>
<context>
    <name>coldframe::ui::SandboxPage</name>
    <message>
        <source>Dismiss</source>
        <translation>Ausblenden</translation>
    </message>
    <message>
        <source>Overview</source>
        <translation>Übersicht</translation>
    </message>
    <message>
        <source>Terminal</source>
        <translation>Terminal</translation>
    </message>
    <message>
        <source>Network</source>
        <translation>Netzwerk</translation>
    </message>
    <message>
        <source>reduced isolation</source>
        <translation>verringerte Abschottung</translation>
    </message>
    <message>
        <source>Start</source>
        <translation>Starten</translation>
    </message>
    <message>
        <source>Stop…</source>
        <translation>Anhalten …</translation>
    </message>
    <message>
        <source>Reset…</source>
        <translation>Zurücksetzen …</translation>
    </message>
    <message>
        <source>Remove…</source>
        <translation>Entfernen …</translation>
    </message>
    <message>
        <source>Progress</source>
        <translation>Fortschritt</translation>
    </message>
    <message>
        <source>Cancel</source>
        <translation>Abbrechen</translation>
    </message>
    <message>
        <source>Allow for This Sandbox</source>
        <translation>Für diese Sandbox erlauben</translation>
    </message>
    <message>
        <source>%1 · %2 · %3</source>
        <translation>%1 · %2 · %3</translation>
    </message>
    <message>
        <source>%1 was blocked.</source>
        <translation>%1 wurde blockiert.</translation>
    </message>
    <message>
        <source>%1 is allowed from now on.</source>
        <translation>%1 ist ab jetzt erlaubt.</translation>
    </message>
    <message>
        <source>Emulated, not run by KVM: slower, and no security boundary.</source>
        <translation>Emuliert, nicht mit KVM: langsamer und keine Sicherheitsgrenze.</translation>
    </message>
    <message>
        <source>Pause</source>
        <translation>Pausieren</translation>
    </message>
    <message>
        <source>Freezes it: programs go on where they were when it is resumed.</source>
        <translation>Friert sie ein: Programme laufen später dort weiter, wo sie waren.</translation>
    </message>
    <message>
        <source>Resume</source>
        <translation>Fortsetzen</translation>
    </message>
    <message>
        <source>More</source>
        <translation>Mehr</translation>
    </message>
    <message>
        <source>Policy</source>
        <translation>Regeln</translation>
    </message>
    <message>
        <source>Terminal (%1%)</source>
        <translation>Terminal (%1 %)</translation>
    </message>
</context>
<context>
    <name>coldframe::ui::SearchBar</name>
    <message>
        <source>Search</source>
        <translation>Suchen</translation>
    </message>
    <message>
        <source>Search in the terminal</source>
        <translation>Im Terminal suchen</translation>
    </message>
    <message>
        <source>Match upper and lower case</source>
        <translation>Groß- und Kleinschreibung beachten</translation>
    </message>
    <message>
        <source>Whole words only</source>
        <translation>Nur ganze Wörter</translation>
    </message>
    <message>
        <source>Regular expression</source>
        <translation>Regulärer Ausdruck</translation>
    </message>
    <message>
        <source>The one before (Return)</source>
        <translation>Die vorige Stelle (Eingabe)</translation>
    </message>
    <message>
        <source>The one after (Shift+Return)</source>
        <translation>Die nächste Stelle (Umschalt+Eingabe)</translation>
    </message>
    <message>
        <source>Close the search (Escape)</source>
        <translation>Suche schließen (Esc)</translation>
    </message>
    <message>
        <source>no regular expression</source>
        <translation>kein regulärer Ausdruck</translation>
    </message>
    <message>
        <source>%1 and more</source>
        <translation>%1 und mehr</translation>
    </message>
    <message>
        <source>%1…</source>
        <comment>so many so far</comment>
        <translation>%1…</translation>
    </message>
    <message>
        <source>none</source>
        <translation>keine</translation>
    </message>
    <message>
        <source>%1 of %2</source>
        <translation>%1 von %2</translation>
    </message>
</context>
<context>
    <name>coldframe::ui::SuggestionBar</name>
    <message>
        <source>Accept</source>
        <translation>Annehmen</translation>
    </message>
    <message>
        <source>Dismiss</source>
        <translation>Verwerfen</translation>
    </message>
    <message>
        <source>Do not suggest this again for some months</source>
        <translation>Das einige Monate lang nicht mehr vorschlagen</translation>
    </message>
    <message>
        <source>Block %1 for all sandboxes?</source>
        <translation>%1 für alle Sandboxes sperren?</translation>
    </message>
    <message>
        <source>Block %1 for this sandbox?</source>
        <translation>%1 für diese Sandbox sperren?</translation>
    </message>
    <message>
        <source>%1 is blocked.</source>
        <translation>%1 ist gesperrt.</translation>
    </message>
    <message>
        <source>Remove the rule that allows %1 for all sandboxes?</source>
        <translation>Die Regel entfernen, die %1 für alle Sandboxes erlaubt?</translation>
    </message>
    <message>
        <source>Remove the rule that allows %1?</source>
        <translation>Die Regel entfernen, die %1 erlaubt?</translation>
    </message>
    <message>
        <source>The rule for %1 is removed.</source>
        <translation>Die Regel für %1 ist entfernt.</translation>
    </message>
    <message>
        <source>Allow %1 for all sandboxes?</source>
        <translation>%1 für alle Sandboxes erlauben?</translation>
    </message>
    <message>
        <source>Always allow %1 for this sandbox?</source>
        <translation>%1 für diese Sandbox immer erlauben?</translation>
    </message>
    <message>
        <source>You allowed several of its hosts: %1</source>
        <translation>Sie haben mehrere ihrer Hosts erlaubt: %1</translation>
    </message>
    <message>
        <source>%1 is allowed.</source>
        <translation>%1 ist erlaubt.</translation>
    </message>
    <message>
        <source>Accept: %1</source>
        <translation>Annehmen: %1</translation>
    </message>
    <message>
        <source>Dismiss: %1</source>
        <translation>Verwerfen: %1</translation>
    </message>
    <message numerus="yes">
        <source>You denied it %n times</source>
        <translation>
            <numerusform>Sie haben es %n-mal abgelehnt</numerusform>
            <numerusform>Sie haben es %n-mal abgelehnt</numerusform>
        </translation>
    </message>
    <message>
        <source>Nothing used it for 30 days</source>
        <translation>Seit 30 Tagen hat nichts sie benutzt</translation>
    </message>
    <message numerus="yes">
        <source>You allowed it for a while %n times</source>
        <translation>
            <numerusform>Sie haben es %n-mal auf Zeit erlaubt</numerusform>
            <numerusform>Sie haben es %n-mal auf Zeit erlaubt</numerusform>
        </translation>
    </message>
    <message>
        <source>one more suggestion</source>
        <translation>noch ein Vorschlag</translation>
    </message>
    <message numerus="yes">
        <source>%n more suggestions</source>
        <translation>
            <numerusform>noch %n Vorschlag</numerusform>
            <numerusform>noch %n Vorschläge</numerusform>
        </translation>
    </message>
</context>
<context>
    <name>coldframe::ui::SystemCheck</name>
    <message>
        <source>MicroVMs</source>
        <translation>MicroVMs</translation>
    </message>
    <message>
        <source>Acceleration</source>
        <translation>Beschleunigung</translation>
    </message>
    <message>
        <source>Guest image</source>
        <translation>Gast-Image</translation>
    </message>
    <message>
        <source>Memory</source>
        <translation>Speicher</translation>
    </message>
    <message>
        <source>Disk</source>
        <translation>Platte</translation>
    </message>
    <message>
        <source>Limits</source>
        <translation>Grenzen</translation>
    </message>
    <message>
        <source>Keychain</source>
        <translation>Schlüsselbund</translation>
    </message>
    <message>
        <source>Good</source>
        <translation>Gut</translation>
    </message>
    <message>
        <source>Problem</source>
        <translation>Problem</translation>
    </message>
    <message>
        <source>Note</source>
        <translation>Hinweis</translation>
    </message>
    <message>
        <source>Progress</source>
        <translation>Fortschritt</translation>
    </message>
    <message>
        <source>Cancel</source>
        <translation>Abbrechen</translation>
    </message>
    <message>
        <source>Looking at this machine.</source>
        <translation>Dieser Rechner wird geprüft.</translation>
    </message>
    <message>
        <source>%1: %2</source>
        <translation>%1: %2</translation>
    </message>
    <message>
        <source>Build Now</source>
        <translation>Jetzt bauen</translation>
    </message>
    <message>
        <source>Build the guest image now</source>
        <translation>Gast-Image jetzt bauen</translation>
    </message>
    <message>
        <source>Building the guest image</source>
        <translation>Gast-Image wird gebaut</translation>
    </message>
</context>
<context>
    <name>coldframe::ui::SystemCheckDialog</name>
    <message>
        <source>System Check</source>
        <translation>Systemprüfung</translation>
    </message>
    <message>
        <source>Copy Report</source>
        <translation>Bericht kopieren</translation>
    </message>
    <message>
        <source>Check Again</source>
        <translation>Erneut prüfen</translation>
    </message>
    <message>
        <source>Close</source>
        <translation>Schließen</translation>
    </message>
</context>
<context>
    <name>coldframe::ui::TerminalPage</name>
    <message>
        <source>Start Agent</source>
        <translation>Agenten starten</translation>
    </message>
    <message>
        <source>Open Shell</source>
        <translation>Shell öffnen</translation>
    </message>
    <message>
        <source>No terminal is open. Start the agent in the workspace, or open a shell beside it; a stopped sandbox is started first.</source>
        <translation>Kein Terminal ist offen. Starten Sie den Agenten im Arbeitsordner, oder öffnen Sie eine Shell daneben; eine angehaltene Sandbox wird vorher gestartet.</translation>
    </message>
    <message>
        <source>Terminals</source>
        <translation>Terminals</translation>
    </message>
    <message>
        <source>Agent</source>
        <translation>Agent</translation>
    </message>
    <message>
        <source>Shell</source>
        <translation>Shell</translation>
    </message>
    <message>
        <source>%1: %2</source>
        <translation>%1: %2</translation>
    </message>
    <message>
        <source>Close terminal</source>
        <translation>Terminal schließen</translation>
    </message>
    <message>
        <source>Close this terminal?</source>
        <translation>Dieses Terminal schließen?</translation>
    </message>
    <message>
        <source>New Agent Session</source>
        <translation>Neue Agentensitzung</translation>
    </message>
    <message>
        <source>Starts the agent once more, beside the session that runs.</source>
        <translation>Startet den Agenten noch einmal, neben der laufenden Sitzung.</translation>
    </message>
    <message>
        <source>Its program can go on without it: it is shown again when the window is opened next, or by “coldframe attach”.</source>
        <translation>Das Programm kann ohne es weiterlaufen: Es wird wieder gezeigt, wenn das Fenster das nächste Mal geöffnet wird, oder durch „coldframe attach“.</translation>
    </message>
    <message>
        <source>End the Program</source>
        <translation>Programm beenden</translation>
    </message>
    <message>
        <source>Leave It Running</source>
        <translation>Weiterlaufen lassen</translation>
    </message>
    <message>
        <source>Split to the Right</source>
        <translation>Nach rechts teilen</translation>
    </message>
    <message>
        <source>Split Downwards</source>
        <translation>Nach unten teilen</translation>
    </message>
    <message>
        <source>Close Terminal</source>
        <translation>Terminal schließen</translation>
    </message>
    <message>
        <source>%1 (%2%)</source>
        <translation>%1 (%2 %)</translation>
    </message>
    <message>
        <source>%1 (failed)</source>
        <translation>%1 (fehlgeschlagen)</translation>
    </message>
    <message>
        <source>%1 (busy)</source>
        <translation>%1 (beschäftigt)</translation>
    </message>
    <message>
        <source>%1 (waits)</source>
        <translation>%1 (wartet)</translation>
    </message>
    <message>
        <source>%1 (detached)</source>
        <translation>%1 (getrennt)</translation>
    </message>
    <message>
        <source>Rename tab</source>
        <translation>Reiter umbenennen</translation>
    </message>
    <message>
        <source>Name (empty: what the program says)</source>
        <translation>Name (leer: was das Programm sagt)</translation>
    </message>
    <message>
        <source>Rename…</source>
        <translation>Umbenennen…</translation>
    </message>
    <message>
        <source>Close</source>
        <translation>Schließen</translation>
    </message>
    <message>
        <source>Open Recording…</source>
        <translation>Aufnahme öffnen…</translation>
    </message>
    <message>
        <source>● %1</source>
        <translation>● %1</translation>
    </message>
    <message>
        <source>Open recording</source>
        <translation>Aufnahme öffnen</translation>
    </message>
    <message>
        <source>Recordings (*.cast)</source>
        <translation>Aufnahmen (*.cast)</translation>
    </message>
    <message>
        <source>Recording: %1</source>
        <translation>Aufnahme: %1</translation>
    </message>
</context>
<context>
    <name>coldframe::ui::TerminalPreferences</name>
    <message>
        <source>Font</source>
        <translation>Schrift</translation>
    </message>
    <message>
        <source>&amp;Font</source>
        <translation>&amp;Schrift</translation>
    </message>
    <message>
        <source>System font</source>
        <translation>Schrift des Systems</translation>
    </message>
    <message>
        <source>Font size</source>
        <translation>Schriftgröße</translation>
    </message>
    <message>
        <source>as the system</source>
        <translation>wie das System</translation>
    </message>
    <message>
        <source>&amp;Size</source>
        <translation>&amp;Größe</translation>
    </message>
    <message>
        <source>Join signs such as -&gt; where the font can</source>
        <translation>Zeichen wie -&gt; verbinden, wo die Schrift es kann</translation>
    </message>
    <message>
        <source>Colours in the dark</source>
        <translation>Farben im Dunkeln</translation>
    </message>
    <message>
        <source>&amp;Dark colours</source>
        <translation>&amp;Dunkle Farben</translation>
    </message>
    <message>
        <source>Colours in the light</source>
        <translation>Farben im Hellen</translation>
    </message>
    <message>
        <source>&amp;Light colours</source>
        <translation>&amp;Helle Farben</translation>
    </message>
    <message>
        <source>Copy what is selected at once</source>
        <translation>Ausgewähltes sofort kopieren</translation>
    </message>
    <message>
        <source>Flash at the bell</source>
        <translation>Bei der Glocke aufblitzen</translation>
    </message>
    <message>
        <source>Sound the bell</source>
        <translation>Glocke läuten</translation>
    </message>
    <message>
        <source>Programs may use the clipboard</source>
        <translation>Programme dürfen die Zwischenablage benutzen</translation>
    </message>
    <message>
        <source>Programs ask before they copy</source>
        <translation>Programme fragen, bevor sie kopieren</translation>
    </message>
    <message>
        <source>Programs may always copy</source>
        <translation>Programme dürfen immer kopieren</translation>
    </message>
    <message>
        <source>Programs may never copy</source>
        <translation>Programme dürfen nie kopieren</translation>
    </message>
    <message>
        <source>&amp;Clipboard</source>
        <translation>&amp;Zwischenablage</translation>
    </message>
</context>
<context>
    <name>coldframe::ui::TerminalRecording</name>
    <message>
        <source>it is as large as it may be.</source>
        <translation>sie ist so groß, wie sie sein darf.</translation>
    </message>
</context>
<context>
    <name>coldframe::ui::TerminalReplay</name>
    <message>
        <source>Recording</source>
        <translation>Aufnahme</translation>
    </message>
    <message>
        <source>Play</source>
        <translation>Abspielen</translation>
    </message>
    <message>
        <source>Position</source>
        <translation>Stelle</translation>
    </message>
    <message>
        <source>Speed</source>
        <translation>Geschwindigkeit</translation>
    </message>
    <message>
        <source>%1×</source>
        <translation>%1×</translation>
    </message>
    <message>
        <source>Pause</source>
        <translation>Anhalten</translation>
    </message>
    <message>
        <source>%1 of %2</source>
        <translation>%1 von %2</translation>
    </message>
</context>
<context>
    <name>coldframe::ui::TerminalSession</name>
    <message>
        <source>Terminal</source>
        <translation>Terminal</translation>
    </message>
    <message>
        <source>Connecting</source>
        <translation>Verbindung wird hergestellt</translation>
    </message>
    <message>
        <source>Ended by signal %1.</source>
        <translation>Beendet durch Signal %1.</translation>
    </message>
    <message>
        <source>Ended with exit code %1.</source>
        <translation>Beendet mit Exit-Code %1.</translation>
    </message>
    <message>
        <source>The connection to the program broke.</source>
        <translation>Die Verbindung zum Programm brach ab.</translation>
    </message>
    <message>
        <source>Paste several lines</source>
        <translation>Mehrere Zeilen einfügen</translation>
    </message>
    <message>
        <source>Paste these lines into the terminal?</source>
        <translation>Diese Zeilen in das Terminal einfügen?</translation>
    </message>
    <message>
        <source>Each line may be run as a command as soon as it is pasted:

%1</source>
        <translation>Jede Zeile kann sofort nach dem Einfügen als Befehl ausgeführt werden:

%1</translation>
    </message>
    <message>
        <source>Paste</source>
        <translation>Einfügen</translation>
    </message>
    <message>
        <source>The connection broke. The program is shown again when the sandbox can be reached.</source>
        <translation>Die Verbindung ist abgebrochen. Das Programm wird wieder gezeigt, sobald die Sandbox erreichbar ist.</translation>
    </message>
    <message>
        <source>The program ended.</source>
        <translation>Das Programm ist zu Ende.</translation>
    </message>
    <message>
        <source>Paste control characters</source>
        <translation>Steuerzeichen einfügen</translation>
    </message>
    <message>
        <source>Paste this text into the terminal?</source>
        <translation>Diesen Text in das Terminal einfügen?</translation>
    </message>
    <message>
        <source>Control characters in it are left out, so that it may differ from what it seemed to be:

%1</source>
        <translation>Steuerzeichen darin werden weggelassen, der Text kann also anders sein, als er aussah:

%1</translation>
    </message>
    <message numerus="yes">
        <source>The program wants to put text on the clipboard (%n character(s)).</source>
        <translation>
            <numerusform>Das Programm möchte Text in die Zwischenablage legen (%n Zeichen).</numerusform>
            <numerusform>Das Programm möchte Text in die Zwischenablage legen (%n Zeichen).</numerusform>
        </translation>
    </message>
    <message>
        <source>Copy</source>
        <translation>Kopieren</translation>
    </message>
    <message>
        <source>Always</source>
        <translation>Immer</translation>
    </message>
    <message>
        <source>Never</source>
        <translation>Nie</translation>
    </message>
    <message numerus="yes">
        <source>The program put text on the clipboard (%n character(s)).</source>
        <translation>
            <numerusform>Das Programm hat Text in die Zwischenablage gelegt (%n Zeichen).</numerusform>
            <numerusform>Das Programm hat Text in die Zwischenablage gelegt (%n Zeichen).</numerusform>
        </translation>
    </message>
    <message>
        <source>Not opened: %1 %2</source>
        <translation>Nicht geöffnet: %1 %2</translation>
    </message>
    <message>
        <source>Open link</source>
        <translation>Link öffnen</translation>
    </message>
    <message>
        <source>Open this address?</source>
        <translation>Diese Adresse öffnen?</translation>
    </message>
    <message>
        <source>Open</source>
        <translation>Öffnen</translation>
    </message>
    <message>
        <source>%1: %2</source>
        <translation>%1: %2</translation>
    </message>
    <message>
        <source>Read-Only</source>
        <translation>Nur lesen</translation>
    </message>
    <message>
        <source>Attach Again</source>
        <translation>Wieder verbinden</translation>
    </message>
    <message>
        <source>Detach</source>
        <translation>Trennen</translation>
    </message>
    <message>
        <source>Detached. The program goes on; this is the screen as it was.</source>
        <translation>Getrennt. Das Programm läuft weiter; dies ist der Bildschirm, wie er war.</translation>
    </message>
    <message>
        <source>Stop Recording</source>
        <translation>Aufnahme beenden</translation>
    </message>
    <message>
        <source>Record…</source>
        <translation>Aufnehmen…</translation>
    </message>
    <message>
        <source>Record terminal</source>
        <translation>Terminal aufnehmen</translation>
    </message>
    <message>
        <source>Recordings (*.cast)</source>
        <translation>Aufnahmen (*.cast)</translation>
    </message>
    <message>
        <source>The recording stopped: %1</source>
        <translation>Die Aufnahme endete: %1</translation>
    </message>
    <message>
        <source>● Recording what the program shows to %1</source>
        <translation>● Aufgenommen wird, was das Programm zeigt, in %1</translation>
    </message>
    <message>
        <source>Recorded to %1.</source>
        <translation>Aufgenommen in %1.</translation>
    </message>
</context>
<context>
    <name>coldframe::ui::TerminalWidget</name>
    <message>
        <source>Terminal</source>
        <translation>Terminal</translation>
    </message>
    <message>
        <source>Open Link</source>
        <translation>Link öffnen</translation>
    </message>
    <message>
        <source>Copy Link Address</source>
        <translation>Linkadresse kopieren</translation>
    </message>
    <message>
        <source>Copy</source>
        <translation>Kopieren</translation>
    </message>
    <message>
        <source>Paste</source>
        <translation>Einfügen</translation>
    </message>
    <message>
        <source>Copy Output of the Last Command</source>
        <translation>Ausgabe des letzten Befehls kopieren</translation>
    </message>
    <message>
        <source>Select All</source>
        <translation>Alles auswählen</translation>
    </message>
    <message>
        <source>Search</source>
        <translation>Suchen</translation>
    </message>
</context>
<context>
    <name>coldframe::ui::TightenDialog</name>
    <message>
        <source>Tighten the Network</source>
        <translation>Netzwerk enger fassen</translation>
    </message>
    <message>
        <source>This sandbox used these hosts. Accept the list to lock it to them: what is not ticked, and whatever else comes up, is denied then. Rules that deny stay.</source>
        <translation>Diese Sandbox hat diese Hosts benutzt. Nehmen Sie die Liste an, um sie darauf zu beschränken: Was nicht angehakt ist und alles Weitere wird dann abgelehnt. Regeln, die ablehnen, bleiben.</translation>
    </message>
    <message>
        <source>Hosts that were used</source>
        <translation>Benutzte Hosts</translation>
    </message>
    <message>
        <source>Host</source>
        <translation>Host</translation>
    </message>
    <message>
        <source>Connections</source>
        <translation>Verbindungen</translation>
    </message>
    <message>
        <source>Last</source>
        <translation>Zuletzt</translation>
    </message>
    <message>
        <source>Lock to This List</source>
        <translation>Auf diese Liste beschränken</translation>
    </message>
</context>
<context>
    <name>coldframe::ui::Tray</name>
    <message>
        <source>Coldframe</source>
        <translation>Coldframe</translation>
    </message>
    <message>
        <source>Open Coldframe</source>
        <translation>Coldframe öffnen</translation>
    </message>
    <message>
        <source>New Sandbox…</source>
        <translation>Neue Sandbox …</translation>
    </message>
    <message>
        <source>Quit (agents go on)</source>
        <translation>Beenden (Agenten laufen weiter)</translation>
    </message>
    <message>
        <source>Coldframe: running sandboxes: %1</source>
        <translation>Coldframe: laufende Sandboxes: %1</translation>
    </message>
    <message>
        <source>%1 (%2)</source>
        <translation>%1 (%2)</translation>
    </message>
    <message>
        <source>Open</source>
        <translation>Öffnen</translation>
    </message>
    <message>
        <source>Stop…</source>
        <translation>Anhalten …</translation>
    </message>
    <message>
        <source>Start</source>
        <translation>Starten</translation>
    </message>
    <message>
        <source>Reset…</source>
        <translation>Zurücksetzen …</translation>
    </message>
    <message>
        <source>Copy Launch Command</source>
        <translation>Startbefehl kopieren</translation>
    </message>
    <message>
        <source>Terminal</source>
        <translation>Terminal</translation>
    </message>
    <message>
        <source>Network</source>
        <translation>Netzwerk</translation>
    </message>
    <message>
        <source>Pause</source>
        <translation>Pausieren</translation>
    </message>
    <message>
        <source>Resume</source>
        <translation>Fortsetzen</translation>
    </message>
</context>
<context>
    <name>coldframe::ui::WelcomePage</name>
    <message>
        <source>New Sandbox…</source>
        <translation>Neue Sandbox …</translation>
    </message>
    <message>
        <source>System Check…</source>
        <translation>Systemprüfung …</translation>
    </message>
    <message>
        <source>Coldframe</source>
        <translation>Coldframe</translation>
    </message>
    <message>
        <source>Starting the engine.</source>
        <translation>Die Engine wird gestartet.</translation>
    </message>
    <message>
        <source>The engine does not answer</source>
        <translation>Die Engine antwortet nicht</translation>
    </message>
    <message>
        <source>Run a coding agent in its own microVM</source>
        <translation>Ein Coding-Agent in seiner eigenen MicroVM</translation>
    </message>
    <message>
        <source>Choose a project folder, or drop one here. The agent works on it inside a sandbox: it reaches only the hosts that you allow, never sees your keys, and its edits come back to the folder.</source>
        <translation>Wählen Sie einen Projektordner, oder legen Sie einen hier ab. Der Agent arbeitet darin in einer Sandbox: Er erreicht nur die Hosts, die Sie erlauben, sieht nie Ihre Schlüssel, und seine Änderungen kommen in den Ordner zurück.</translation>
    </message>
</context>
</TS>
