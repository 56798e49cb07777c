//go:build linux

package recipes_test

import (
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// find is the path of what a package of this name has: installed, or unpacked by make
// peers.
func find(t *testing.T, path, name string) string {
	t.Helper()
	peers, err := filepath.Abs("../../.peers/debian")
	if err != nil {
		t.Fatal(err)
	}
	for _, root := range []string{"", peers} {
		if _, err := os.Stat(root + path); err == nil {
			return root + path
		}
	}
	lacking(t, name+" is not installed: run make peers")
	return ""
}

// byApp waits for the message of the user app, and checks it.
func (n *neighbour) byApp(t *testing.T, want letter) {
	t.Helper()
	taken := n.logged(t, "msg=taken")
	if !strings.Contains(taken, " client=app ") || !strings.Contains(taken, ` tls="TLS 1.`) {
		t.Errorf("not by TLS and the user app: %s", taken)
	}
	n.sent(t, want)
}

func TestPagePython(t *testing.T) {
	need(t, "python3")
	n := newNeighbour(t)
	n.ok(t, "", "python3", n.page(t, "python.md", "send.py"))
	n.byApp(t, letter{from: "reports@contoso.example", to: []string{"ops@contoso.example"}, has: []string{"Subject: Report", "text"}})
}

func TestPagePythonLogging(t *testing.T) {
	need(t, "python3")
	n := newNeighbour(t)
	n.ok(t, "", "python3", n.page(t, "python.md", "log.py"))
	n.sent(t, letter{from: "app@contoso.example", to: []string{"ops@contoso.example"}, has: []string{"Subject: An error", "disk full"}})
}

func TestPageZabbix(t *testing.T) {
	need(t, "curl")
	n := newNeighbour(t)
	n.ok(t, "", "sh", n.page(t, "zabbix.md", "zabbix.sh"))
	n.byApp(t, letter{from: "zabbix@contoso.example", to: []string{"ops@contoso.example"}, has: []string{"Subject: Problem: disk full", "db1"}})
}

func TestPageNagios(t *testing.T) {
	need(t, "s-nail")
	n := newNeighbour(t)
	n.environ = append(n.environ, "DEAD=/dev/null")
	n.ok(t, "State: DOWN\n", "sh", n.page(t, "nagios.md", "notify"), "** PROBLEM: db1 is DOWN **", "ops@contoso.example")
	n.byApp(t, letter{from: "nagios@contoso.example", to: []string{"ops@contoso.example"}, has: []string{"Subject: ** PROBLEM: db1 is DOWN **", "State: DOWN"}})
}

// TestPageUptimeKuma does with the fields what Uptime Kuma's notification does.
func TestPageUptimeKuma(t *testing.T) {
	need(t, "node")
	modules := find(t, deployed(t, "..")+"/.peers/node_modules", "nodemailer")
	n := newNeighbour(t)
	script := n.write(t, "kuma.js", `
const f = JSON.parse(require("fs").readFileSync(process.argv[2]));
require("nodemailer").createTransport({
  host: f.smtpHost, port: f.smtpPort, secure: f.smtpSecure,
  tls: { rejectUnauthorized: !f.smtpIgnoreTLSError || false },
  auth: { user: f.smtpUsername, pass: f.smtpPassword },
}).sendMail({ from: f.smtpFrom, to: f.smtpTo, subject: "[web] [Down]", text: "timeout" })
  .catch((e) => { console.error(e); process.exit(1); });
`, 0o644)
	n.environ = append(n.environ, "NODE_PATH="+modules, "NODE_EXTRA_CA_CERTS="+n.certificate)
	n.ok(t, "", "node", script, n.page(t, "uptime-kuma.md", "notification.json"))
	n.byApp(t, letter{from: "uptime@contoso.example", to: []string{"ops@contoso.example"}, has: []string{"Subject: [web] [Down]", "timeout"}})
}

// TestPageWordPress passes PHPMailer through the file as wp_mail does.
func TestPageWordPress(t *testing.T) {
	need(t, "php")
	library := find(t, "/usr/share/php/libphp-phpmailer/src/PHPMailer.php", "libphp-phpmailer")
	n := newNeighbour(t)
	script := n.write(t, "wp_mail.php", `<?php
$dir = dirname($argv[1]);
require "$dir/Exception.php"; require "$dir/PHPMailer.php"; require "$dir/SMTP.php";
function add_action($name, $hook) { if ($name === "phpmailer_init") $GLOBALS["hook"] = $hook; }
require $argv[2];
$mail = new PHPMailer\PHPMailer\PHPMailer(true);
$mail->setFrom("wordpress@shop.contoso.example", "WordPress", false);
$mail->addAddress("ops@contoso.example");
$mail->Subject = "Order 4711";
$mail->Body = "text";
$mail->isMail();
$hook($mail);
exit($mail->send() ? 0 : 1);
`, 0o644)
	n.ok(t, "", "php", script, library, n.page(t, "wordpress.md", "relay.php"))
	n.byApp(t, letter{from: "shop@contoso.example", to: []string{"ops@contoso.example"}, has: []string{"Subject: Order 4711", "From: Shop <shop@contoso.example>", "text"}})
}

// TestPageLaravel makes a transport of Symfony's mailer of the values as Laravel's
// MailManager does.
func TestPageLaravel(t *testing.T) {
	need(t, "php")
	library := find(t, "/usr/share/php/Symfony/Component/Mailer/autoload.php", "php-symfony-mailer")
	n := newNeighbour(t)
	script := n.write(t, "laravel.php", `<?php
require $argv[1];
$e = parse_ini_file($argv[2]);
$dsn = new Symfony\Component\Mailer\Transport\Dsn($e["MAIL_SCHEME"], $e["MAIL_HOST"], $e["MAIL_USERNAME"], $e["MAIL_PASSWORD"], (int) $e["MAIL_PORT"]);
$transport = (new Symfony\Component\Mailer\Transport\Smtp\EsmtpTransportFactory())->create($dsn);
$transport->send((new Symfony\Component\Mime\Email())->from($e["MAIL_FROM_ADDRESS"])->to("ops@contoso.example")->subject("Order 4711")->text("text"));
`, 0o644)
	n.ok(t, "", "php", "-d", "openssl.cafile="+n.certificate, script, library, n.page(t, "laravel.md", "laravel.env"))
	n.byApp(t, letter{from: "shop@contoso.example", to: []string{"ops@contoso.example"}, has: []string{"Subject: Order 4711", "text"}})
}

func TestPageJava(t *testing.T) {
	need(t, "keytool", "javac") // java compiles the file with what javac is of
	mail := find(t, "/usr/share/java/javax.mail.jar", "libmail-java")
	activation := find(t, "/usr/share/java/javax.activation.jar", "libactivation-java")
	n := newNeighbour(t)
	n.environ = append(n.environ, "PATH="+os.Getenv("PATH"))
	source := n.write(t, "Send.java", `
import java.io.FileReader;
import java.util.Properties;
import javax.mail.*;
import javax.mail.internet.*;

public class Send {
  public static void main(String[] args) throws Exception {
    Properties p = new Properties();
    p.load(new FileReader(args[0]));
    Session session = Session.getInstance(p, new Authenticator() {
      protected PasswordAuthentication getPasswordAuthentication() { return new PasswordAuthentication("app", args[1]); }
    });
    MimeMessage m = new MimeMessage(session);
    m.setFrom("jenkins@contoso.example");
    m.setRecipients(Message.RecipientType.TO, "ops@contoso.example");
    m.setSubject("Build failed");
    m.setText("text");
    Transport.send(m);
  }
}
`, 0o644)
	n.ok(t, "", "keytool", "-importcert", "-noprompt", "-alias", "relay", "-file", n.certificate, "-keystore", "relay.p12", "-storetype", "PKCS12", "-storepass", "changeit")
	n.ok(t, "", "java", "-Djavax.net.ssl.trustStore=relay.p12", "-Djavax.net.ssl.trustStorePassword=changeit", "-cp", mail+":"+activation,
		source, n.page(t, "java.md", "mail.properties"), relayPassword)
	n.byApp(t, letter{from: "jenkins@contoso.example", to: []string{"ops@contoso.example"}, has: []string{"Subject: Build failed", "text"}})
}

func TestPageAlertmanager(t *testing.T) {
	need(t, "curl")
	alertmanager := find(t, "/usr/bin/prometheus-alertmanager", "prometheus-alertmanager")
	n := newNeighbour(t)
	settings := n.page(t, "alertmanager.md", "alertmanager.yml")
	text, err := os.ReadFile(settings)
	if err != nil {
		t.Fatal(err)
	}
	n.write(t, "alertmanager.yml", strings.Replace(string(text), "receiver: ops\n", "receiver: ops\n  group_wait: 0s\n", 1), 0o644)
	at := "127.0.0.1:" + freePort(t)
	cmd := exec.Command(alertmanager, "--config.file="+settings, "--storage.path="+n.dir+"/data", "--web.listen-address="+at, "--cluster.listen-address=")
	cmd.Dir = n.dir
	out, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	said := make(chan string, 1)
	go func() { all, _ := io.ReadAll(out); said <- string(all) }()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		text := <-said
		if _ = cmd.Wait(); t.Failed() {
			t.Log(text)
		}
	})
	n.ok(t, "", "curl", "-sS", "--fail", "--retry", "60", "--retry-delay", "1", "--retry-connrefused", "-H", "Content-Type: application/json",
		"-d", `[{"labels": {"alertname": "DiskFull", "instance": "db1"}}]`, "http://"+at+"/api/v2/alerts")
	n.byApp(t, letter{from: "alertmanager@contoso.example", to: []string{"ops@contoso.example"}, has: []string{"Subject: [FIRING:1]  (DiskFull db1)", "From: alertmanager@contoso.example"}})
}

// postfixServices are those that a message from this host to another one needs.
const postfixServices = `pickup unix n - n 1 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
smtp unix - - n - - smtp
relay unix - - n - - smtp
error unix - - n - - error
retry unix - - n - - error
tlsmgr unix - - n 1000? 1 tlsmgr
postlog unix-dgram n - n - 1 postlogd
`

func TestPagePostfix(t *testing.T) {
	need(t, "/usr/sbin/postfix")
	if found, _ := filepath.Glob("/usr/lib/*/sasl2/libplain.so"); found == nil {
		lacking(t, "the package libsasl2-modules is not installed")
	}
	n := newNeighbour(t)
	p := newPostfix(t)
	for _, dir := range []string{p.dir, filepath.Dir(p.dir)} { // Postfix's own user enters them
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	page, err := os.ReadFile(n.page(t, "postfix.md", "main.cf"))
	if err != nil {
		t.Fatal(err)
	}
	base, err := os.ReadFile(filepath.Join(p.dir, "main.cf"))
	if err != nil {
		t.Fatal(err)
	}
	passwords := filepath.Join(p.dir, "relay_password")
	for name, content := range map[string]string{
		"main.cf":        string(base) + "smtp_host_lookup = native\ninet_protocols = ipv4\nmydestination =\n" + strings.ReplaceAll(string(page), "/etc/postfix/relay_password", passwords),
		"master.cf":      postfixServices,
		"relay_password": "[localhost]:" + n.ports["587"] + " app:" + relayPassword + "\n",
	} {
		if err := os.WriteFile(filepath.Join(p.dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	n.ok(t, "", "chown", "postfix", p.dir+"/data", p.dir+"/queue/maildrop", p.dir+"/queue/public")
	n.startPostfix(t, p)
	n.environ = append(n.environ, "MAIL_CONFIG="+p.dir)
	n.ok(t, "From: postfix@contoso.example\nTo: ops@contoso.example\nSubject: disk full\n\ntext\n", "/usr/sbin/sendmail", "-i", "-f", "postfix@contoso.example", "ops@contoso.example")
	n.byApp(t, letter{from: "postfix@contoso.example", to: []string{"ops@contoso.example"}, has: []string{"Subject: disk full", "text"}})
}

// startPostfix runs a Postfix until the end of the test.
func (n *neighbour) startPostfix(t *testing.T, p *postfix) {
	t.Helper()
	daemons, err := exec.Command("/usr/sbin/postconf", "-c", p.dir, "-h", "daemon_directory").Output()
	if err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("/usr/sbin/postfix", "-c", p.dir, "check").CombinedOutput(); err != nil {
		t.Fatalf("postfix check: %v\n%s", err, out)
	}
	log := filepath.Join(n.dir, "postfix.log")
	out, err := os.Create(log)
	if err != nil {
		t.Fatal(err)
	}
	master := exec.Command(filepath.Join(strings.TrimSpace(string(daemons)), "master"), "-c", p.dir, "-s")
	master.Env = append(os.Environ(), "MAIL_CONFIG="+p.dir)
	master.Stdout, master.Stderr, master.WaitDelay = out, out, 10*time.Second
	if err := master.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = exec.Command("/usr/sbin/postfix", "-c", p.dir, "stop").Run()
		_ = master.Wait()
		_ = out.Close()
		if text, _ := os.ReadFile(log); t.Failed() {
			t.Logf("%s", text)
		}
	})
}
