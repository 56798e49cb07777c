"""Reads a message on standard input with Python's own parser and prints as JSON
what it found, for comparison with other parsers."""
import email, email.policy, hashlib, json, sys

message = email.message_from_bytes(sys.stdin.buffer.read(), policy=email.policy.default)
found = {"subject": message["Subject"], "text": "", "html": "", "files": []}
for field in ("From", "To"):
    found[field.lower()] = [[a.display_name, a.addr_spec] for a in message[field].addresses]
for part in message.walk():
    assert not part.defects, part.defects
    if part.is_multipart():
        continue
    content = part.get_payload(decode=True)
    if part.get_content_disposition() == "attachment":
        found["files"].append({"name": part.get_filename(), "type": part.get_content_type(),
                               "sha256": hashlib.sha256(content).hexdigest()})
    else:
        found["html" if part.get_content_subtype() == "html" else "text"] = content.decode(part.get_content_charset())
json.dump(found, sys.stdout)
