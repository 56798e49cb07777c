"""Reads names of messages, one a line, and prints for each a line of JSON: what
Python's own parser finds in it. See corpus_parse_test.go for the form."""
import email, email.policy, hashlib, json, sys

policy = email.policy.default


def known(text):
    """What a field says when its octets are UTF-8, else in windows-1252."""
    raw = text.encode("utf-8", "surrogateescape")
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("cp1252", "replace")


def field(name, raw):
    value = policy.header_factory(name, known(raw).replace("\r", "").replace("\n", ""))
    if name.lower() in ("from", "to", "cc", "reply-to", "sender") and value.addresses:
        return ", ".join(f"{a.display_name} <{a.addr_spec}>" for a in value.addresses)
    return str(value)


def read(name):
    with open(name, "rb") as f:
        message = email.message_from_binary_file(f, policy=policy)
    found = {"fields": [], "parts": []}
    for key, raw in message.raw_items():
        found["fields"].append([key.lower(), field(key, raw)])
    for part in message.walk():
        entry = {"type": part.get_content_type(), "name": known(part.get_filename() or ""), "sha256": "", "text": False}
        if not part.is_multipart():
            content = part.get_payload(decode=True) or b""
            entry["text"] = part.get_content_maintype() == "text"
            if entry["text"]:
                content = content.replace(b"\r\n", b"\n").rstrip(b"\n")
            entry["sha256"] = hashlib.sha256(content).hexdigest()
        found["parts"].append(entry)
    return found


for line in sys.stdin:
    try:
        result = read(line.rstrip("\n"))
    except Exception as problem:  # a parser of others may fail in any way
        result = {"error": type(problem).__name__}
    print(json.dumps(result))
