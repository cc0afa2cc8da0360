<?php

declare(strict_types=1);

namespace Protocol\Tests;

use Protocol\Contact;
use Protocol\Group;

final class GroupsTest extends ApiTestCase
{
    public function testTheExamplesOfTheReadmeRun(): void
    {
        preg_match_all('/^```php\n(.*?)^```$/ms', file_get_contents(__DIR__ . '/../README.md'), $match);
        self::assertNotSame([], $match[1]);
        $printed = self::runProgram(implode($match[1]));
        self::assertStringContainsString('[description] => The finest in New York.', $printed);
        self::assertStringContainsString("\nPlaza Hotel\n", $printed);
    }

    public function testAGroupHasAllMembersWithAnEtagAndARequestId(): void
    {
        $groups = $this->client()->groups;
        $contact = ['username' => 'Hector', 'phone_number' => '+1 212 555 0100', 'last_active_at' => 692233200];
        $group = $groups->create([
            'name' => 'Plaza Hotel',
            'description' => 'World-renowned.',
            'avatar_url' => 'https://assets.protocol.chat/avatars/plazahotel.jpg',
            'contacts' => [$contact],
        ]);
        self::assertMatchesRegularExpression('/^[0-9A-Za-z]{16}$/', $group->id);
        self::assertSame('World-renowned.', $group->description);
        self::assertSame('https://assets.protocol.chat/avatars/plazahotel.jpg', $group->avatar_url);
        self::assertMatchesRegularExpression('/^[0-9A-Za-z]{16}$/', $group->conversation_id);
        self::assertEqualsWithDelta(time(), $group->created_at, 60);
        self::assertNull($group->archived_at);
        self::assertMatchesRegularExpression('/^"[0-9A-Za-z]{16}"$/', $group->etag);
        self::assertNotSame('', (string) $group->request_id);
        $member = $group->contacts[0];
        self::assertSame(
            [null, 'Hector', '+1 212 555 0100', null, null, null, 692233200, null],
            [$member->id, $member->username, $member->phone_number, $member->avatar_url, $member->display_name,
                $member->conversation_id, $member->last_active_at, $member->created_at]
        );
        self::assertSame($group->etag, $groups->get($group->id)->etag);
        self::assertNotSame('', (string) $groups->list(limit: 1)->request_id);
    }

    public function testContactsCanBeSentBackReducedAndRemoved(): void
    {
        $groups = $this->client()->groups;
        $usernames = fn (Group $group) => array_map(fn (Contact $contact) => $contact->username, $group->contacts);
        $contacts = array_map(fn (string $name) => ['username' => $name], ['Hector', 'Cedric', 'Hester']);
        $group = $groups->create(['name' => 'Plaza Hotel', 'contacts' => $contacts]);

        $group = $groups->update($group->id, ['contacts' => [...$group->contacts, ['username' => 'Cliff']]]);
        self::assertSame(['Hector', 'Cedric', 'Hester', 'Cliff'], $usernames($group));

        $others = array_filter($group->contacts, fn (Contact $contact) => $contact->username !== 'Cedric');
        $group = $groups->update($group->id, ['contacts' => $others]);
        self::assertSame(['Hector', 'Hester', 'Cliff'], $usernames($group));

        self::assertSame([], $groups->update($group->id, ['contacts' => []])->contacts);
        self::assertSame([], $groups->create(['name' => 'Plaza Hotel', 'contacts' => []])->contacts);
    }

    public function testAnEmptyUpdateChangesNothingAndNullClears(): void
    {
        $groups = $this->client()->groups;
        $group = $groups->create(['name' => 'Plaza Hotel', 'description' => 'World-renowned.']);
        self::assertEquals(json_encode($group), json_encode($groups->update($group->id, [])));
        self::assertNull($groups->update($group->id, ['description' => null])->description);
    }

    public function testAListCanBeFilteredByArchived(): void
    {
        $groups = $this->client()->groups;
        $group = $groups->create(['name' => self::newName()]);
        self::assertSame(253402300799, $groups->update($group->id, ['archived_at' => 253402300799])->archived_at);
        $isListed = fn (bool $archived) => in_array($group->id, array_map(
            fn (Group $listed) => $listed->id,
            iterator_to_array($groups->iterate(archived: $archived))
        ), true);
        // A list with this filter may lag.
        for ($deadline = time() + 10; !$isListed(true) || $isListed(false);) {
            self::assertLessThan($deadline, time());
        }
        self::assertNull($groups->update($group->id, ['archived_at' => null])->archived_at);
    }

    public function testUnicodeIsKeptAsItIs(): void
    {
        $groups = $this->client()->groups;
        $name = "Zoë e\u{301} 日本 👩‍👩‍👧 \u{2028}\\/\"'<>&";
        $description = "\ttwo\r\nlines\u{feff}";
        $contacts = [['username' => 'Ünï👍', 'display_name' => 'مرحبا']];
        $group = $groups->create(['name' => $name, 'description' => $description, 'contacts' => $contacts]);
        $group = $groups->get($group->id);
        self::assertSame([$name, $description], [$group->name, $group->description]);
        self::assertSame(['Ünï👍', 'مرحبا'], [$group->contacts[0]->username, $group->contacts[0]->display_name]);
    }

    public function testAGroupCanHaveAThousandContacts(): void
    {
        $groups = $this->client()->groups;
        $contacts = array_map(fn (int $number) => ['username' => "user$number"], range(1, 1000));
        $group = $groups->get($groups->create(['name' => 'Crowd', 'contacts' => $contacts])->id);
        self::assertCount(1000, $group->contacts);
        self::assertSame('user1000', $group->contacts[999]->username);
        self::assertCount(1000, $groups->update($group->id, ['contacts' => $group->contacts])->contacts);
    }

    public function testPagingYieldsEachOf250GroupsOnceInBothDirections(): void
    {
        $groups = $this->client()->groups;
        $before = $groups->list(limit: 1)->data[0]->id;
        $names = array_map(fn () => self::newName(), range(1, 250));
        foreach ($names as $name) {
            $groups->create(['name' => $name]);
        }
        $name = fn (Group $group) => $group->name;
        // Ids of the same millisecond are in random order, but no two of these requests are that close.
        self::assertSame($names, array_map($name, iterator_to_array($groups->iterate(endingBefore: $before))));
        $newest = $groups->list(limit: 1)->data[0]->id;
        $all = array_map($name, iterator_to_array($groups->iterate(limit: 70)));
        self::assertSame(array_reverse($names), array_slice($all, 0, 250));
        self::assertGreaterThan(250, count($all));
        $older = array_map($name, iterator_to_array($groups->iterate(startingAfter: $newest)));
        self::assertSame(array_slice($all, 1), $older);
        $oldestFirst = array_map($name, iterator_to_array($groups->iterate(endingBefore: str_repeat('0', 16))));
        self::assertSame(array_reverse($all), $oldestFirst);

        $page = $groups->list(limit: 3, startingAfter: $newest);
        self::assertSame(array_slice($all, 1, 3), array_map($name, $page->data));
        self::assertFalse($groups->list(endingBefore: $newest)->has_more);
    }

    public function testMembersOfALaterVersionOfTheApiAreKept(): void
    {
        $groups = $this->client(Server::echo())->groups;
        $group = $groups->get('x');
        self::assertSame(253402300799, $group->created_at);
        self::assertStringContainsString('"color":"green"', json_encode($group));
        $sent = $groups->update('x', ['contacts' => $group->contacts])->description;
        self::assertSame(
            '{"contacts":[{"username":"Hector","badges":[],"settings":{},"score":1.0}]}',
            json_decode($sent)->body
        );
    }
}
