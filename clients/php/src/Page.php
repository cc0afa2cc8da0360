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
    public readonly ?string $request_id;

    /** @internal */
    public function __construct(\stdClass $members, Response $response)
    {
        $this->data = array_map(fn (\stdClass $group) => new Group($group), $members->data ?? null);
        $this->has_more = $members->has_more ?? null;
        $this->request_id = $response->requestId();
    }
}
