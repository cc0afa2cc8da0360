"""Rules that openapi.yaml cannot express, for schemathesis: formats, and members that exclude each other."""

import schemathesis
from hypothesis import strategies

URLS = r"https?://[a-z]{1,20}\.example(:[0-9]{1,4})?/[!-~]{0,40}"
TAG = r'(W/)?"[!#-~]{0,20}"'
schemathesis.openapi.format("url", strategies.from_regex(URLS, fullmatch=True))
schemathesis.openapi.format("entity-tags", strategies.from_regex(rf"\*|{TAG}(, {TAG})?", fullmatch=True))


@schemathesis.hook
def map_case(context, case):
    """Fixes requests that the schema allows and the API rejects: two cursors, repeated contacts, gaps in a form."""
    if isinstance(case.query, dict) and {"starting_after", "ending_before"} <= set(case.query):
        del case.query["ending_before"]
    if isinstance(case.body, dict):
        case.body = without_gaps(case.body)
        if isinstance(case.body.get("contacts"), list):
            case.body = {**case.body, "contacts": without_repeats(case.body["contacts"])}
    return case


def without_gaps(form):
    """Returns the form without contacts, whose indexes would have gaps."""
    return {name: value for name, value in form.items() if not str(name).startswith("contacts[")}


def without_repeats(contacts):
    """Returns the contacts without those that repeat a username."""
    seen, kept = set(), []
    for contact in contacts:
        username = contact.get("username") if isinstance(contact, dict) else None
        if isinstance(username, str):
            if username in seen:
                continue
            seen.add(username)
        kept.append(contact)
    return kept
