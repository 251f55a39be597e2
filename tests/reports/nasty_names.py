"""Names that would harm a report that did not escape them."""

from __future__ import annotations

NASTY = [
    "<script>alert(1)</script>",
    "\"><img src=x onerror=alert(1)>'",
    "</script><script>alert(1)</script><!--",
    "]]></title></style><svg onload=alert(1)>",
    "{{ 7 * 7 }}{% raw %}",
    "=HYPERLINK(1,2)",
    "مدل\u202eتصوير\u2066",
    "\ud800\x00\x07\x1b[31m\n\n\r",
    "&lt;b&gt;&amp;amp;",
    "long-" * 2000,
]
