"""Submits the message on standard input with smtplib. Takes a JSON object as its
argument: host, port, ca (a file), tls, user, token, from, to. Prints the server's
words and exits with 1 when it refuses."""
import json, smtplib, ssl, sys

o = json.loads(sys.argv[1])


def xoauth2(challenge=None):
    # With a challenge it is the error result, which an empty answer acknowledges.
    return "" if challenge else f"user={o['user']}\x01auth=Bearer {o['token']}\x01\x01"


try:
    with smtplib.SMTP(o["host"], o["port"]) as smtp:
        if o["tls"]:
            smtp.starttls(context=ssl.create_default_context(cafile=o["ca"]))
            smtp.ehlo()
            smtp.auth("XOAUTH2", xoauth2)
        smtp.sendmail(o["from"], [o["to"]], sys.stdin.buffer.read(), mail_options=["BODY=8BITMIME"])
except smtplib.SMTPResponseException as e:
    sys.exit(f"{type(e).__name__}: {e.smtp_code} {e.smtp_error.decode()}")
