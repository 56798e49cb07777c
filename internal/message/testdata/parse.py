"""Reads messages (a JSON list of base64 texts) on standard input with Python's own
parser and prints what it found as JSON, for comparison with other parsers."""
import base64, email, email.policy, hashlib, json, sys


def parse(raw):
    m = email.message_from_bytes(raw, policy=email.policy.default)
    out = {"Subject": m["Subject"] or "", "Addresses": {}, "Text": "", "HTML": "", "Files": [], "Headers": {}, "Defects": []}
    for f in ("From", "To", "Cc", "Reply-To"):
        if m[f] and m[f].addresses:
            out["Addresses"][f] = [[a.display_name, a.addr_spec] for a in m[f].addresses]
    for k, v in m.items():
        out["Headers"].setdefault(k, []).append(str(v))
        out["Defects"] += [repr(d) for d in v.defects]
    for p in m.walk():
        out["Defects"] += [repr(d) for d in p.defects]
        if p.is_multipart():
            continue
        body = p.get_payload(decode=True)
        if p.get_content_disposition() is None and not p["Content-ID"]:
            text = body.decode(p.get_content_charset())
            out["HTML" if p.get_content_subtype() == "html" else "Text"] = text
            continue
        out["Files"].append({"Name": p.get_filename(), "TypeName": p.get_param("name"), "Type": p.get_content_type(),
                             "CID": p["Content-ID"] or "", "Disposition": p.get_content_disposition(),
                             "SHA256": hashlib.sha256(body).hexdigest()})
    return out


json.dump([parse(base64.b64decode(s)) for s in json.load(sys.stdin)], sys.stdout)
