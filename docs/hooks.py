"""What MkDocs does to a page beside what its plugins do."""

import re

ROLE = re.compile(r":(?:func|mod|class|meth):<code>")


def on_page_content(html: str, **_: object) -> str:
    """Leave of the docstrings' roles, :func:`name`, the name."""
    return ROLE.sub("<code>", html)
