# Submits messages with Python's smtplib and email packages, as their
# documentation shows them.
import json
import os
import smtplib
import ssl
import urllib.parse
import urllib.request
from email.message import EmailMessage

env = os.environ
context = ssl.create_default_context(cafile=env["BENCH_CA"])


def access_token():
    if "BENCH_TOKEN" in env:
        with open(env["BENCH_TOKEN"]) as f:
            return f.read().strip()
    form = urllib.parse.urlencode({
        "grant_type": "client_credentials", "client_id": env["BENCH_CLIENT_ID"],
        "client_secret": env["BENCH_CLIENT_SECRET"], "scope": env["BENCH_SCOPE"],
    })
    with urllib.request.urlopen(env["BENCH_TOKEN_URL"], form.encode(), context=context) as answer:
        return json.load(answer)["access_token"]


def compose(text, number):
    m = EmailMessage()
    m["From"], m["To"], m["Subject"] = env["BENCH_USER"], env["BENCH_TO"], f"Report {number}"
    m.set_content(text)
    if "BENCH_ATTACH" in env:
        with open(env["BENCH_ATTACH"], "rb") as f:
            m.add_attachment(f.read(), maintype="application", subtype="octet-stream", filename="data.bin")
    return m


token = access_token()
with open(env["BENCH_TEXT"]) as f:
    text = f.read()
host, port = env["BENCH_SMTP"].split(":")
with smtplib.SMTP(host, int(port)) as smtp:
    smtp.starttls(context=context)
    smtp.ehlo()
    smtp.auth("XOAUTH2", lambda challenge=None: f"user={env['BENCH_USER']}\1auth=Bearer {token}\1\1")
    for number in range(1, int(env["BENCH_MESSAGES"]) + 1):
        smtp.send_message(compose(text, number))
