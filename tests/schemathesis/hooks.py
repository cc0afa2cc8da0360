"""Drops the valid requests that openapi.yaml allows and the API rejects, because a schema cannot exclude them."""

import schemathesis


@schemathesis.hook
def filter_case(context, case):
    """Drops valid requests with both cursors, or with a username twice."""
    if case.meta is None or not case.meta.generation.mode.is_positive:
        return True
    return not has_both_cursors(case.query) and not repeats_a_username(case.body)


@schemathesis.hook
def before_add_examples(context, examples):
    """Drops requests that combine the examples of both cursors."""
    examples[:] = [case for case in examples if not has_both_cursors(case.query)]


def has_both_cursors(query):
    return isinstance(query, dict) and {"starting_after", "ending_before"} <= set(query)


def repeats_a_username(body):
    contacts = body.get("contacts") if isinstance(body, dict) else None
    usernames = [contact["username"] for contact in contacts] if isinstance(contacts, list) else []
    return len(usernames) != len(set(usernames))
