"""Uses the client that openapi-generator generates for Python."""

import os
import time

import groups

configuration = groups.Configuration(host=os.environ["GROUPS_URL"], access_token=os.environ["GROUPS_TOKEN"])
api = groups.GroupsApi(groups.ApiClient(configuration))

created = api.create_group(
    group_input=groups.GroupInput(name="Ünïcödé", description="a", contacts=[groups.ContactInput(username="Hector")])
)
assert api.get_group(created.id) == created, created
assert [contact.username for contact in created.contacts] == ["Hector"], created
updated = api.update_group(created.id, group_changes=groups.GroupChanges(name="Renamed", description=None, contacts=[]))
assert (updated.name, updated.description, updated.contacts) == ("Renamed", None, []), updated
archived = api.update_group(created.id, group_changes=groups.GroupChanges(archived_at=int(time.time()) + 2**31))
assert archived.archived_at > 2**31, archived
page = api.list_groups(limit=1)
assert page.has_more and page.data[0] == archived, page
assert api.list_groups(limit=1, starting_after=page.data[0].id).data[0].id != archived.id
api.delete_group(created.id)
try:
    api.get_group(created.id)
except groups.exceptions.ServiceException as error:
    assert error.data.code == "new_code", error.data
else:
    raise AssertionError("the group is still there")
