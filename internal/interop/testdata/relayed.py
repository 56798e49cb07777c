"""Submits the message on standard input through a relay with smtplib. Takes a JSON
object as its argument, as relayed.js does. Exits with 1 and the server's words when it
refuses."""
import json, smtplib, ssl, sys

o = json.loads(sys.argv[1])
source = (o["local"], 0) if o["local"] else None
context = ssl.create_default_context(cafile=o["ca"])
try:
    if o["tls"] == "tls":
        smtp = smtplib.SMTP_SSL(o["host"], o["port"], context=context)
    else:
        smtp = smtplib.SMTP(o["host"], o["port"], source_address=source)
    with smtp:
        if o["tls"] == "starttls":
            smtp.starttls(context=context)
        if o["mechanism"]:
            smtp.ehlo()
            smtp.user, smtp.password = o["user"], o["password"]
            smtp.auth(o["mechanism"], getattr(smtp, "auth_" + o["mechanism"].lower()))
        smtp.sendmail(o["from"], [o["to"]], sys.stdin.buffer.read(), mail_options=["BODY=8BITMIME"])
except smtplib.SMTPResponseException as e:
    sys.exit(f"{type(e).__name__}: {e.smtp_code} {e.smtp_error.decode()}")
