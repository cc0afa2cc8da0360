<?php

declare(strict_types=1);

namespace Protocol;

/**
 * The groups of the account. Each method throws a ProtocolException if the request fails, and an
 * InvalidArgumentException, before anything is sent, if an argument cannot be sent.
 */
final class Groups
{
    private const PATH = '/v1/groups';

    /** @internal */
    public function __construct(private readonly Transport $transport)
    {
    }

    /**
     * Returns a page of groups, newest first.
     *
     * @param int|null $limit the maximum number of groups on the page, 1 to 100; 10 by default
     * @param bool|null $archived only archived groups, or only those that are not archived; all by default
     * @param string|null $startingAfter the id after which the page starts
     * @param string|null $endingBefore the id before which the page ends
     */
    public function list(
        ?int $limit = null,
        ?bool $archived = null,
        ?string $startingAfter = null,
        ?string $endingBefore = null,
    ): Page {
        $query = http_build_query([
            'limit' => $limit,
            'archived' => $archived === null ? null : ($archived ? 'true' : 'false'),
            'starting_after' => $startingAfter,
            'ending_before' => $endingBefore,
        ], '', '&');
        $response = $this->transport->send('GET', self::PATH . ($query === '' ? '' : "?$query"));
        $page = $response->decode(Page::class);
        $groups = $page->data;
        $last = $endingBefore === null ? array_pop($groups) : array_shift($groups);
        // Otherwise the next page would be this one.
        if ($last === null ? $page->has_more : $last->id === ($endingBefore ?? $startingAfter)) {
            throw new ApiException($response);
        }
        return $page;
    }

    /**
     * Yields all groups from newer to older ones, or with $endingBefore from older to newer ones. Requests one page
     * after another.
     *
     * @param int $limit the size of a page
     * @return \Generator<int, Group>
     */
    public function iterate(
        int $limit = 100,
        ?bool $archived = null,
        ?string $startingAfter = null,
        ?string $endingBefore = null,
    ): \Generator {
        do {
            $page = $this->list($limit, $archived, $startingAfter, $endingBefore);
            $groups = $endingBefore === null ? $page->data : array_reverse($page->data);
            // `yield from` would start again at the key 0 on each page.
            foreach ($groups as $group) {
                yield $group;
            }
            $last = array_pop($groups)?->id;
            if ($endingBefore === null) {
                $startingAfter = $last;
            } else {
                $endingBefore = $last;
            }
        } while ($page->has_more);
    }

    /**
     * Creates a group.
     *
     * @param array<string, mixed> $group the members `name`, `description`, `avatar_url` and `contacts`
     * @param string|null $idempotencyKey a new UUID by default
     */
    public function create(array $group, ?string $idempotencyKey = null): Group
    {
        $idempotencyKey ??= self::uuid();
        if (!self::isHeaderValue($idempotencyKey)) {
            throw new \InvalidArgumentException('`idempotencyKey` must be a string of visible ASCII characters.');
        }
        $headers = ['Idempotency-Key' => $idempotencyKey];
        return $this->transport->send('POST', self::PATH, $headers, self::encode($group))->decode(Group::class);
    }

    /** Retrieves a group. */
    public function get(string $id): Group
    {
        return $this->transport->send('GET', self::path($id))->decode(Group::class);
    }

    /**
     * Changes the given members, and keeps the others. Null clears a member.
     *
     * @param array<string, mixed> $changes `name`, `description`, `avatar_url`, `contacts` and `archived_at`
     * @param string|false $ifMatch the ETag that the group must have. Null is not accepted, because the groups of a
     *     page have no ETags, and the update would have no condition
     */
    public function update(string $id, array $changes, string|bool $ifMatch = false): Group
    {
        return $this->transport
            ->send('PUT', self::path($id), self::ifMatch($ifMatch), self::encode($changes))
            ->decode(Group::class);
    }

    /**
     * Deletes a group permanently, with its messages.
     *
     * @param string|false $ifMatch the ETag that the group must have
     */
    public function delete(string $id, string|bool $ifMatch = false): void
    {
        $this->transport->send('DELETE', self::path($id), self::ifMatch($ifMatch));
    }

    private static function path(string $id): string
    {
        if ($id === '') {
            throw new \InvalidArgumentException('The id of a group must be a string that is not empty.');
        }
        // Dots are encoded too, because `.` and `..` would be segments that lead to another path.
        return self::PATH . '/' . str_replace('.', '%2E', rawurlencode($id));
    }

    /** @return array<string, string> */
    private static function ifMatch(string|bool $etag): array
    {
        if ($etag === false) {
            return [];
        }
        // Without strict types, PHP would convert true to a string if the type were string|false.
        if ($etag === true || !self::isHeaderValue($etag)) {
            throw new \InvalidArgumentException(
                '`ifMatch` must be the ETag of a group. Retrieve the group to get it.'
            );
        }
        return ['If-Match' => $etag];
    }

    private static function isHeaderValue(string $value): bool
    {
        return preg_match('/^[!-~]([ -~]*[!-~])?$/D', $value) === 1;
    }

    /** @param array<string, mixed> $members */
    private static function encode(array $members): string
    {
        if (is_array($members['contacts'] ?? null)) {
            // An array with gaps, such as array_filter() returns, would become an object.
            $members['contacts'] = array_values($members['contacts']);
        }
        $flags = JSON_THROW_ON_ERROR | JSON_PRESERVE_ZERO_FRACTION | JSON_UNESCAPED_UNICODE | JSON_UNESCAPED_SLASHES;
        try {
            // An empty array would become `[]`.
            return json_encode((object) $members, $flags);
        } catch (\JsonException $exception) {
            $message = "The members cannot be sent as JSON: {$exception->getMessage()}.";
            throw new \InvalidArgumentException($message, 0, $exception);
        }
    }

    private static function uuid(): string
    {
        $bytes = random_bytes(16);
        $bytes[6] = chr(ord($bytes[6]) & 0x0f | 0x40);
        $bytes[8] = chr(ord($bytes[8]) & 0x3f | 0x80);
        return vsprintf('%s%s-%s-%s-%s-%s%s%s', str_split(bin2hex($bytes), 4));
    }
}
