"""Entities of those who are cited, from a CITATION.cff, and of licences."""

import re
from collections.abc import Mapping
from typing import Any

from ihdm.errors import UserError

Entity = dict[str, Any]


def reference(entity: Entity) -> dict[str, str]:
    """Return what another entity has to name this one by."""
    return {"@id": entity["@id"]}


def authors(listed: list[Mapping[str, str]]) -> list[Entity]:
    """Return the people and organisations of a list of authors."""
    found = []
    for one in listed:
        if "family-names" in one:
            name = f"{one.get('given-names', '')} {one['family-names']}".strip()
            kind, more = "Person", {"familyName": one["family-names"], "givenName": one.get("given-names", "")}
        else:
            name, kind, more = one["name"], "Organization", {}
        place = one.get("orcid") or one.get("website") or "#" + re.sub(r"\W+", "-", name.lower())
        affiliation = {"affiliation": one["affiliation"]} if "affiliation" in one else {}
        found.append({"@id": place, "@type": kind, "name": name, **more, **affiliation})
    return found


def paper(citation: Mapping[str, Any]) -> tuple[Entity, list[Entity]] | None:
    """Return the paper that is to be cited, and its authors; None if there is none."""
    told = citation.get("preferred-citation")
    if not told:
        return None
    people = authors(told["authors"])
    numbers = [one["value"] for one in told.get("identifiers", [])]
    archived = [number.removeprefix("arXiv:") for number in numbers if number.startswith("arXiv:")]
    if "doi" in told:
        place = f"https://doi.org/{told['doi']}"
    else:
        place = f"https://arxiv.org/abs/{archived[0]}" if archived else told.get("url", "#paper")
    entity = {
        "@id": place,
        "@type": "ScholarlyArticle",
        "name": told["title"],
        "author": [reference(one) for one in people],
        "datePublished": str(told.get("year", "")),
    }
    if "collection-title" in told:
        entity["publisher"] = told["collection-title"]
    if numbers:
        entity["identifier"] = numbers
    return entity, people


def software(citation: Mapping[str, Any], people: list[Entity], licence: Entity) -> Entity:
    """Return the software that is to be cited."""
    entity = {
        "@id": f"#{citation['title']}",
        "@type": "SoftwareApplication",
        "name": citation["title"],
        "softwareVersion": str(citation["version"]),
        "license": reference(licence),
        "author": [reference(one) for one in people],
    }
    if address := citation.get("repository-code") or citation.get("url"):
        entity["url"] = address
    return entity


def licence_of(name: str) -> Entity:
    """Return the entity of a licence.

    Args:
        name: its SPDX identifier, "CC-BY-4.0", or its address.

    Raises:
        UserError: if it is neither.
    """
    if re.match(r"https?://\S+$", name):
        return {"@id": name, "@type": "CreativeWork", "name": name, "description": "The licence, as its address tells"}
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9.+-]*", name):
        raise UserError(f"--license {name!r}: give an SPDX identifier such as CC-BY-4.0, or the address of a licence")
    return {
        "@id": f"https://spdx.org/licenses/{name}",
        "@type": "CreativeWork",
        "name": name,
        "identifier": name,
        "description": f"The licence that SPDX calls {name}",
    }
