"""Twins that read and write data formats."""

from __future__ import annotations

from typing import Final

from toolwright.attacks.twins.twin import Twin

TWINS: Final = (
    Twin(
        "JSON there and back",
        """
import json
def f(document):
    text = json.dumps(document, indent=1, sort_keys=True, ensure_ascii=True)
    return [json.loads(text) == document, len(text), json.loads('{"a": 1e3, "b": [null, true]}')]
""",
        [True, 122, {"a": 1000.0, "b": [None, True]}],
        {"document": {"name": "Ünïcödé ☃", "list": [1, 2.5, None, False], "nested": {"deep": {}}}},
    ),
    Twin(
        "CSV in three dialects",
        """
import csv, io
def f():
    rows = [["name", "said"], ["Ann", 'he said "no", twice'], ["Bob", "two\\nlines"]]
    answers = []
    for options in ({}, {"delimiter": ";", "quoting": csv.QUOTE_ALL}, {"dialect": "excel-tab"}):
        text = io.StringIO(newline="")
        csv.writer(text, **options).writerows(rows)
        read = dict(options)
        answers.append(list(csv.reader(io.StringIO(text.getvalue(), newline=""), **read)) == rows)
    records = list(csv.DictReader(io.StringIO("a,b\\n1,2\\n3,4\\n")))
    return [answers, records, csv.Sniffer().sniff("a;b;c\\n1;2;3\\n").delimiter]
""",
        [[True] * 3, [{"a": "1", "b": "2"}, {"a": "3", "b": "4"}], ";"],
    ),
    Twin(
        "a database in memory",
        """
import sqlite3
def f():
    db = sqlite3.connect(":memory:")
    db.execute("create table sale (shop text, amount real)")
    db.executemany("insert into sale values (?, ?)", [("north", 10), ("south", 2.5), ("north", 4), ("south", 7)])
    db.create_function("twice", 1, lambda value: value * 2)
    rows = db.execute("select shop, sum(amount), twice(count(*)) from sale group by shop order by shop").fetchall()
    window = db.execute("select row_number() over (order by amount desc) from sale").fetchall()
    return [rows, [one for (one,) in window]]
""",
        [[["north", 14.0, 4], ["south", 9.5, 4]], [1, 2, 3, 4]],
    ),
    Twin(
        "dates and spans of time",
        """
import calendar, datetime as dt
def f():
    leap = dt.date(2024, 2, 29)
    moment = dt.datetime.fromisoformat("2024-02-29T23:59:59.5+01:00")
    return [(leap + dt.timedelta(days=366)).isoformat(), moment.astimezone(dt.timezone.utc).isoformat(),
            moment.timestamp(), leap.isocalendar()[:], [int(one) for one in calendar.monthrange(2100, 2)],
            dt.datetime.strptime("03 Mar 2021 4:05 PM", "%d %b %Y %I:%M %p").strftime("%Y-%m-%d %H:%M %j %A")]
""",
        [
            "2025-03-01",
            "2024-02-29T22:59:59.500000+00:00",
            1709247599.5,
            [2024, 9, 4],
            [0, 28],
            "2021-03-03 16:05 062 Wednesday",
        ],
    ),
    Twin(
        "time zones",
        """
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo, available_timezones
def f(zones):
    summer = datetime(2023, 7, 1, 12, tzinfo=ZoneInfo("UTC"))
    fold = datetime(2023, 10, 29, 2, 30, fold=1, tzinfo=ZoneInfo("Europe/Berlin"))
    return [{name: summer.astimezone(ZoneInfo(name)).strftime("%H:%M %Z") for name in zones},
            fold.utcoffset() / timedelta(hours=1), len(available_timezones()) > 400]
""",
        [
            {
                "Europe/Berlin": "14:00 CEST",
                "America/New_York": "08:00 EDT",
                "Asia/Kathmandu": "17:45 +0545",
                "Australia/Lord_Howe": "22:30 +1030",
                "Pacific/Apia": "01:00 +13",
            },
            1.0,
            True,
        ],
        {"zones": ["Europe/Berlin", "America/New_York", "Asia/Kathmandu", "Australia/Lord_Howe", "Pacific/Apia"]},
    ),
    Twin(
        "hashes and keyed hashes",
        """
import hashlib, hmac, secrets, zlib
def f():
    kinds = ("md5", "sha1", "sha256", "sha3_256", "blake2b")
    return [{kind: hashlib.new(kind, b"honest").hexdigest()[:16] for kind in kinds},
            hmac.new(b"key", b"honest", "sha256").hexdigest()[:16],
            hashlib.pbkdf2_hmac("sha256", b"password", b"salt", 1_000).hex()[:16],
            hashlib.scrypt(b"password", salt=b"salt", n=1024, r=8, p=1).hex()[:16],
            zlib.crc32(b"honest"), len(secrets.token_bytes(32))]
""",
        [
            {
                "md5": "eeaf118e5d97270a",
                "sha1": "53861851a14694fe",
                "sha256": "bf5b6382c2ea46ed",
                "sha3_256": "067801aa9b2b90ad",
                "blake2b": "7ebb42611c577e18",
            },
            "831e1e90fc7459cb",
            "632c2812e46d4604",
            "16dbc8906763c7f0",
            2291718883,
            32,
        ],
    ),
    Twin(
        "compression in memory",
        """
import bz2, gzip, lzma, zlib
def f():
    data = b"all work and no play " * 5_000
    answers = {}
    for name, module in (("zlib", zlib), ("gzip", gzip), ("bz2", bz2), ("lzma", lzma)):
        packed = module.compress(data)
        answers[name] = module.decompress(packed) == data and len(packed) < 1_000
    stream = zlib.decompressobj()
    packed = zlib.compress(data)
    parts = b"".join(stream.decompress(packed[at:at + 7]) for at in range(0, len(packed), 7))
    return [answers, parts + stream.flush() == data]
""",
        [{"zlib": True, "gzip": True, "bz2": True, "lzma": True}, True],
    ),
    Twin(
        "encodings of bytes",
        """
import base64, binascii, codecs, quopri, struct, uuid
def f():
    data = bytes(range(256))
    pairs = ((base64.b64encode, base64.b64decode), (base64.b85encode, base64.b85decode),
             (base64.b32encode, base64.b32decode), (binascii.hexlify, binascii.unhexlify))
    texts = {name: "naïve ☃".encode(name, "replace").hex() for name in ("utf-8", "utf-16-le", "latin-1", "cp1252")}
    return [all(back(there(data)) == data for there, back in pairs), texts, codecs.encode("abc", "rot13"),
            struct.unpack(">hIq?d", struct.pack(">hIq?d", -2, 3, -(2**40), True, 0.5)),
            str(uuid.uuid5(uuid.NAMESPACE_DNS, "example.org")), quopri.encodestring(b"a=b").decode()]
""",
        [
            True,
            {
                "utf-8": "6e61c3af766520e29883",
                "utf-16-le": "6e006100ef0076006500200003" + "26",
                "latin-1": "6e61ef7665203f",
                "cp1252": "6e61ef7665203f",
            },
            "nop",
            [-2, 3, -(2**40), True, 0.5],
            "aad03681-8b63-5304-89e0-8ca8f49461b5",
            "a=3Db",
        ],
    ),
    Twin(
        "XML and HTML",
        """
import html, html.parser, xml.dom.minidom, xml.etree.ElementTree as ET, xml.sax.saxutils
class Links(html.parser.HTMLParser):
    def __init__(self):
        super().__init__()
        self.found = []
    def handle_starttag(self, tag, attributes):
        self.found += [value for name, value in attributes if (tag, name) == ("a", "href")]
def f():
    root = ET.fromstring('<shop xmlns:x="urn:x"><item id="1"><x:name>Tea &amp; co</x:name></item><item id="2"/></shop>')
    ET.SubElement(root, "item", id="3").text = "<new>"
    links = Links()
    links.feed("<p>See <a href='/one?a=1&amp;b=2'>this</a> or <A HREF=two>that")
    return [[item.get("id") for item in root.iter("item")], root.findtext(".//{urn:x}name"),
            ET.tostring(root, encoding="unicode").count("&lt;new&gt;"), links.found, html.escape("<a>&'"),
            html.unescape("&eacute;&#x2603;"), xml.dom.minidom.parseString("<a><b/></a>").documentElement.tagName]
""",
        [["1", "2", "3"], "Tea & co", 1, ["/one?a=1&b=2", "two"], "&lt;a&gt;&amp;&#x27;", "é☃", "a"],
    ),
    Twin(
        "mail",
        """
import email, email.policy
from email.message import EmailMessage
def f():
    message = EmailMessage(policy=email.policy.default)
    message["From"], message["To"], message["Subject"] = "Ann <ann@example.org>", "bob@example.org", "Grüße"
    message.set_content("Hello\\n")
    message.add_attachment(b"\\x00\\x01", maintype="application", subtype="octet-stream", filename="data.bin")
    back = email.message_from_bytes(message.as_bytes(), policy=email.policy.default)
    return [str(back["subject"]), back["from"].addresses[0].domain, back.get_body().get_content(),
            [(one.get_filename(), one.get_content().hex()) for one in back.iter_attachments()]]
""",
        ["Grüße", "example.org", "Hello\n", [["data.bin", "0001"]]],
    ),
    Twin(
        "addresses and queries",
        """
import ipaddress, mimetypes, urllib.parse as up
def f():
    parts = up.urlsplit("https://user@example.org:8443/a%20b/?q=1&q=2#end")
    net = ipaddress.ip_network("10.0.0.0/22")
    return [parts.hostname, parts.port, up.unquote(parts.path), up.parse_qs(parts.query),
            up.urljoin("http://a/b/c/d", "../e?f"), up.quote("naïve / path"), up.urlencode({"a": "1 2", "b": "ü"}),
            net.num_addresses, ipaddress.ip_address("10.0.3.9") in net,
            str(ipaddress.ip_address("2001:db8::1").exploded),
            mimetypes.guess_type("photo.png")[0]]
""",
        [
            "example.org",
            8443,
            "/a b/",
            {"q": ["1", "2"]},
            "http://a/b/e?f",
            "na%C3%AFve%20/%20path",
            "a=1+2&b=%C3%BC",
            1024,
            True,
            "2001:0db8:0000:0000:0000:0000:0000:0001",
            "image/png",
        ],
    ),
)
