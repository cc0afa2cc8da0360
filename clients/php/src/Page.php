<?php

declare(strict_types=1);

namespace Protocol;

/**
 * A page of groups, newest first.
 */
final class Page
{
    /** @var list<Group> */
    public readonly array $data;
    /** Whether more groups follow: newer ones with `endingBefore`, otherwise older ones. */
    public readonly bool $has_more;

    /** @internal */
    public function __construct(\stdClass $members, public readonly ?string $request_id)
    {
        $this->data = array_map(fn (\stdClass $group) => new Group($group), $members->data ?? null);
        $this->has_more = $members->has_more ?? null;
    }
}
