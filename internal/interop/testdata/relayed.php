<?php
// Submits the message on standard input through a relay with PHPMailer's SMTP, whose
// directory is the first argument. The second is a JSON object, as relayed.js gets it.
// Exits with 1 and the server's words when it refuses.
require $argv[1] . '/Exception.php';
require $argv[1] . '/SMTP.php';

$o = json_decode($argv[2]);
$smtp = new PHPMailer\PHPMailer\SMTP();
$smtp->do_debug = PHPMailer\PHPMailer\SMTP::DEBUG_SERVER;
$smtp->Debugoutput = function ($text) { fwrite(STDERR, $text . "\n"); };
$options = ['ssl' => ['cafile' => $o->ca, 'verify_peer' => true]];
if ($o->local !== '') {
    $options['socket'] = ['bindto' => $o->local . ':0'];
}
$ok = $smtp->connect(($o->tls === 'tls' ? 'ssl://' : '') . $o->host, $o->port, 30, $options)
    && $smtp->hello('client.example')
    && ($o->tls !== 'starttls' || ($smtp->startTLS() && $smtp->hello('client.example')))
    && ($o->mechanism === '' || $smtp->authenticate($o->user, $o->password, $o->mechanism))
    && $smtp->mail($o->from)
    && $smtp->recipient($o->to)
    && $smtp->data(substr(file_get_contents('php://stdin'), 0, -2)); // it ends each piece with a line end
if (!$ok) {
    fwrite(STDERR, json_encode($smtp->getError()) . "\n");
}
$smtp->quit();
exit($ok ? 0 : 1);
